/**
 * Sends what the client wants to send, keeps an account of it, and lets nothing pass that could change anything:
 *
 * ```text
 * HEAD  anything
 * GET   manifests, the config of an image, and where one of these was redirected to
 * GET, POST  the realm that a challenge named: a token
 * ```
 */
import {
  addSentSecrets,
  type Challenge,
  chooseChallenge,
  ClientError,
  formatRateLimit,
  type HttpRequest,
  type HttpResponse,
  type HttpSend,
  parseChallenges,
  parseRateLimit,
  sanitizeUrl,
} from "../../client/index.ts";
import type { ChallengeTrace, ExchangeTrace } from "../trace.ts";
import type { Redactor } from "../../internal/redactor.ts";

export interface ConversationOptions {
  readonly send: HttpSend;
  readonly redactor: Redactor;
  /** Milliseconds since whenever. */
  readonly now: () => number;
}

type Draft = { -readonly [Member in keyof ExchangeTrace]: ExchangeTrace[Member] };

export class Conversation {
  readonly #options: ConversationOptions;
  readonly #realms = new Set<string>();
  readonly #redirects = new Map<string, ExchangeTrace["purpose"]>();
  /** Blobs that may be read: configs. */
  readonly #configs = new Set<string>();
  #exchanges: ExchangeTrace[] = [];
  #count = 0;

  constructor(options: ConversationOptions) {
    this.#options = options;
  }

  /** All that was ever sent. */
  get count(): number {
    return this.#count;
  }

  /** What is sent from now on goes into this list. */
  record(exchanges: ExchangeTrace[]): void {
    this.#exchanges = exchanges;
  }

  allowConfig(digest: string): void {
    this.#configs.add(digest);
  }

  readonly send: HttpSend = async (request) => {
    const purpose = this.#purposeOf(request);
    // Whatever opens a door is never shown.
    addSentSecrets(this.#options.redactor, request);
    const draft: Draft = {
      method: request.method,
      url: sanitizeUrl(request.url),
      purpose,
      milliseconds: 0,
      authorization: schemeOf(request.headers["authorization"]),
      ...(purpose === "token" && { scopesAsked: scopesOf(request) }),
    };
    const list = this.#exchanges;
    list.push(draft);
    this.#count += 1;
    const started = this.#options.now();
    try {
      const response = await this.#options.send(request);
      draft.milliseconds = round(this.#options.now() - started);
      this.#note(draft, response);
      return purpose === "token" ? this.#readToken(draft, response) : response;
    } catch (error) {
      draft.milliseconds = round(this.#options.now() - started);
      draft.problem = error instanceof Error ? error.message : String(error);
      throw error;
    }
  };

  #purposeOf({ method, url }: HttpRequest): ExchangeTrace["purpose"] {
    const redirected = this.#redirects.get(url.href);
    const found = redirected ?? this.#kindOf(url);
    if (found === "token" && (method === "GET" || method === "POST")) return found;
    if (method === "HEAD") return found;
    if (method === "GET" && (found === "manifest" || found === "config")) return found;
    throw new ClientError("UNSUPPORTED", `Cannot send ${method} ${sanitizeUrl(url)}: explaining only looks`);
  }

  #kindOf(url: URL): ExchangeTrace["purpose"] {
    if (this.#realms.has(url.origin + url.pathname)) return "token";
    const [, kind, object = ""] = /\/(manifests|blobs)\/([^/]+)$/.exec(url.pathname) ?? [];
    if (kind === "manifests") return "manifest";
    if (kind === "blobs") return this.#configs.has(decodeURIComponent(object)) ? "config" : "layer";
    return "other";
  }

  #note(draft: Draft, response: HttpResponse): void {
    draft.status = response.status;
    const challenges = parseChallenges(response.headers("www-authenticate"));
    for (const { parameters } of challenges) {
      const realm = parameters["realm"] ?? "";
      if (!URL.canParse(realm)) continue;
      const url = new URL(realm);
      this.#realms.add(url.origin + url.pathname);
    }
    // Where none can be answered, what is wanted is still worth knowing.
    const challenge = chooseChallenge(challenges) ?? challenges[0];
    if (challenge !== undefined) draft.challenge = describeChallenge(challenge);
    const location = response.header("location");
    if (location !== undefined && response.status >= 300 && response.status < 400) {
      if (URL.canParse(location, response.url.href)) {
        const to = new URL(location, response.url);
        this.#redirects.set(to.href, draft.purpose);
        draft.redirect = sanitizeUrl(to);
      }
    }
    const limit = parseRateLimit(response);
    if (limit !== undefined) draft.rateLimit = formatRateLimit(limit);
    const mediaType = response.header("content-type");
    if (mediaType !== undefined && draft.purpose === "manifest") draft.mediaType = mediaType;
    const digest = response.header("docker-content-digest");
    if (digest !== undefined && draft.purpose === "manifest") draft.digest = digest;
  }

  /** A token service says in its answer, or in the token, what it granted. */
  #readToken(draft: Draft, response: HttpResponse): HttpResponse {
    const { redactor } = this.#options;
    return new Proxy(response, {
      get: (target, name): unknown => {
        const member: unknown = Reflect.get(target, name, target);
        if (name !== "bytes") return typeof member === "function" ? member.bind(target) : member;
        return async (limit: number): Promise<Uint8Array> => {
          const bytes = await target.bytes(limit);
          const granted = readGrant(bytes, redactor);
          if (granted !== undefined) draft.scopesGranted = granted;
          return bytes;
        };
      },
    });
  }
}

function schemeOf(authorization: string | undefined): ExchangeTrace["authorization"] {
  if (authorization === undefined) return "none";
  const [scheme = ""] = authorization.toLowerCase().split(" ");
  return scheme === "basic" || scheme === "bearer" ? scheme : "other";
}

function scopesOf({ url, body }: HttpRequest): readonly string[] {
  const form =
    body instanceof Uint8Array ? new URLSearchParams(Buffer.from(body).toString("utf8")) : undefined;
  const posted = form?.get("scope")?.split(" ") ?? [];
  return [...url.searchParams.getAll("scope"), ...posted].filter((scope) => scope !== "");
}

function describeChallenge({ scheme, parameters }: Challenge): ChallengeTrace {
  const { realm, service, scope, error } = parameters;
  return {
    scheme,
    ...(realm !== undefined && { realm: sanitizeUrl(realm) }),
    ...(service !== undefined && { service }),
    ...(scope !== undefined && { scope }),
    ...(error !== undefined && { error }),
  };
}

/** Undefined where nothing says it: most tokens are closed books. */
function readGrant(bytes: Uint8Array, redactor: Redactor): readonly string[] | undefined {
  const answer = parseObject(Buffer.from(bytes).toString("utf8"));
  for (const name of ["token", "access_token", "refresh_token"]) {
    const value = answer?.[name];
    if (typeof value === "string") redactor.add(value);
  }
  const token = answer?.["token"] ?? answer?.["access_token"];
  const access = typeof token === "string" ? readAccess(token) : undefined;
  if (access !== undefined) return access;
  const scope = answer?.["scope"];
  return typeof scope === "string" ? scope.split(" ").filter((part) => part !== "") : undefined;
}

/** The `access` of a registry's token: https://distribution.github.io/distribution/spec/auth/jwt/. */
function readAccess(token: string): readonly string[] | undefined {
  const [, payload = ""] = token.split(".");
  const access = parseObject(Buffer.from(payload, "base64url").toString("utf8"))?.["access"];
  if (!Array.isArray(access)) return undefined;
  return access.flatMap((entry: unknown) => {
    const { type, name, actions } = (entry ?? {}) as Record<string, unknown>;
    return Array.isArray(actions) && actions.length > 0
      ? [`${String(type)}:${String(name)}:${actions.join(",")}`]
      : [];
  });
}

function parseObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function round(milliseconds: number): number {
  return Math.round(milliseconds * 10) / 10;
}
