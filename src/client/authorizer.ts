/**
 * Decides what `Authorization` each request carries.
 *
 * ```text
 * first request of a host ── nothing ──▶ 401 + challenge ── challenged(): remembered ──▶ authorize() ── repeated once
 * later requests ──────────────────────────────────────────▶ authorize(): Basic, or a cached or new Bearer token
 * 401 with a token ── challenged(): token dropped, new demands noted ──▶ authorize() ── repeated once, then surfaced
 * ```
 *
 * Everything is kept per contacted host, and credentials are looked up for the contacted host, so a mirror never sees
 * what belongs to the registry it stands in for.
 */
import type { Credential, CredentialOrigin, CredentialSource } from "../credentials/index.ts";
import { Identities } from "./authorizer-identities.ts";
import { setBounded } from "./authorizer-memory.ts";
import { chooseChallenge, parseChallenges } from "./challenge.ts";
import { matchLocalhost } from "./default-host.ts";
import { ClientError } from "./errors.ts";
import type { RegistryHost } from "./host.ts";
import type { HttpResponse, HttpSend } from "./http.ts";
import { realmAllowed } from "./realm.ts";
import { sanitizeUrl } from "./sanitize-url.ts";
import { scopesToRequest, tokenScopes } from "./scope.ts";
import { TokenCache } from "./token-cache.ts";
import { tokenOptions } from "./token-options.ts";
import type { Token } from "./token-response.ts";
import { basicAuthorization, TokenService } from "./token-service.ts";

export interface AuthorizerOptions {
  /** Its first candidate is used; to try several in turn, give each attempt a source of one. */
  readonly credentials: CredentialSource;
  /** Sends exactly one request; used for the token service. */
  readonly send: HttpSend;
  readonly userAgent: string;
  /** `client_id` of token requests; `dray` by default. */
  readonly clientId?: string | undefined;
  /** Ask token services for a refresh token, too, and use it instead of the credential from then on. */
  readonly offlineToken?: boolean | undefined;
  /** Milliseconds since the epoch; the system's clock by default. */
  readonly clock?: (() => number) | undefined;
  /** Told, in a sentence and once per host, that a credential travels unencrypted. */
  readonly warn?: ((message: string) => void) | undefined;
}

/** What is about to be asked of a host. */
export interface AuthorizedRequest {
  /** The registry as the image name spells it. */
  readonly domain: string;
  readonly repository?: string | undefined;
  /** `repository:library/ubuntu:pull`…; see scope.ts. */
  readonly scopes: readonly string[];
  /** Never use a credential: for hosts that a redirect named. */
  readonly anonymous?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ChallengedRequest extends AuthorizedRequest {
  /** The header value the refused request carried. */
  readonly sentAuthorization?: string | undefined;
}

type Demand =
  | { readonly kind: "basic" }
  | {
      readonly kind: "bearer";
      readonly realm: URL;
      readonly service: string;
      readonly plainHttp: boolean;
    };

interface HostState {
  demand: Demand;
  /** Scopes the host asked for beyond what was requested, by what was requested. */
  readonly demanded: Map<string, readonly string[]>;
}

/** One per client: remembers what each contacted host asked for, and the tokens it was given. */
export class Authorizer {
  readonly #options: AuthorizerOptions;
  readonly #service: TokenService;
  readonly #tokens: TokenCache;
  readonly #hosts = new Map<string, HostState>();
  readonly #identities: Identities;
  /** Refresh tokens by service and identity. */
  readonly #refresh = new Map<string, Extract<Credential, { kind: "identity-token" }>>();
  readonly #warned = new Set<string>();

  constructor(options: AuthorizerOptions) {
    const clock = options.clock ?? Date.now;
    this.#options = options;
    this.#identities = new Identities(options.credentials);
    this.#tokens = new TokenCache(clock);
    this.#service = new TokenService({
      send: options.send,
      userAgent: options.userAgent,
      clientId: options.clientId ?? "dray",
      offline: options.offlineToken ?? false,
      clock,
    });
  }

  /**
   * The `Authorization` value for this request; undefined while the host hasn't asked for any. Fetches a token
   * when the host asks for Bearer and none that is still good is at hand.
   *
   * @throws ClientError of the token exchange; whatever the credential source throws
   */
  async authorize(host: RegistryHost, request: AuthorizedRequest): Promise<string | undefined> {
    const state = this.#hosts.get(keyOf(host));
    if (state === undefined) return undefined;
    const identity = await this.#identities.find(host, request);
    const credential = identity.candidate?.credential;
    if (state.demand.kind === "basic") {
      return credential?.kind === "basic" ? basicAuthorization(credential) : undefined;
    }
    if (credential?.kind === "registry-token") return `Bearer ${credential.token.reveal()}`;
    const demanded = state.demanded.get(scopeKey(request)) ?? [];
    const scopes = scopesToRequest(request.scopes, demanded);
    const service = `${keyOf(host)} ${state.demand.realm.href} ${state.demand.service} ${identity.id}`;
    const { demand } = state;
    const token = await this.#tokens
      .get(
        `${service} ${scopes.join(" ")}`,
        (signal) => this.#exchange({ demand, host, scopes, service, signal, credential }),
        request.signal,
      )
      .catch((error: unknown) => {
        if (error instanceof ClientError && error.status === 401) identity.stale = true;
        throw error;
      });
    return `Bearer ${token.value.reveal()}`;
  }

  /**
   * Learns from a 401, or from a 403 that names missing scopes. True: repeat the request with `authorize()`.
   * False: surface the answer. Ask at most twice per request and host: once for the bare request, once for one that
   * carried an authorization. The answer's body is left to the caller.
   *
   * @throws ClientError `CHALLENGE_INVALID`, `REALM_REFUSED`, or `UNAUTHORIZED` when the host wants a password and there's none
   */
  async challenged(host: RegistryHost, response: HttpResponse, request: ChallengedRequest): Promise<boolean> {
    if (response.status !== 401 && response.status !== 403) return false;
    const challenge = chooseChallenge(parseChallenges(response.headers("www-authenticate")));
    if (response.status === 403 && challenge?.parameters["error"] !== "insufficient_scope") return false;
    const sent = request.sentAuthorization;
    if (sent !== undefined) this.#tokens.drop(sent.replace(/^Bearer /, ""));
    if (challenge === undefined) return false;
    return challenge.scheme === "basic"
      ? this.#challengedBasic(host, response, request)
      : this.#challengedBearer(host, response, { request, parameters: challenge.parameters });
  }

  /** Where the credential shown to this host came from; undefined while none was needed, or for anonymous. */
  originFor(host: RegistryHost, request: AuthorizedRequest): CredentialOrigin | undefined {
    return this.#identities.known(host, request)?.candidate?.origin;
  }

  async #challengedBasic(
    host: RegistryHost,
    response: HttpResponse,
    request: ChallengedRequest,
  ): Promise<boolean> {
    if (request.sentAuthorization?.startsWith("Basic ") === true) {
      (await this.#identities.find(host, request)).stale = true;
      return false;
    }
    const credential = (await this.#identities.find(host, request)).candidate?.credential;
    if (credential?.kind !== "basic" || credential.username === "" || credential.password.empty) {
      if (request.anonymous === true) return false;
      throw new ClientError(
        "UNAUTHORIZED",
        `Cannot authenticate to "${host.host}": it wants a user name and password, and there are no basic auth credentials for it`,
        { status: response.status },
      );
    }
    if (response.url.protocol === "http:") this.#warnPlain(host.host, host.host);
    this.#state(host, { kind: "basic" });
    return true;
  }

  async #challengedBearer(
    host: RegistryHost,
    response: HttpResponse,
    { request, parameters }: { request: ChallengedRequest; parameters: Readonly<Record<string, string>> },
  ): Promise<boolean> {
    const options = tokenOptions(parameters);
    const realm = new URL(options.realm);
    const plainHttp = response.url.protocol === "http:";
    if (!realmAllowed(realm, { registry: host.host, plainHttp })) {
      throw new ClientError(
        "REALM_REFUSED",
        `Cannot authenticate to "${host.host}": its token service "${sanitizeUrl(realm)}" is not a safe place to send credentials to`,
      );
    }
    const identity = await this.#identities.find(host, request);
    const turnedDown = request.sentAuthorization !== undefined;
    if (turnedDown && identity.candidate?.credential.kind === "registry-token") {
      identity.stale = true;
      return false;
    }
    if (identity.candidate !== undefined && realm.protocol === "http:") {
      this.#warnPlain(realm.hostname, host.host);
    }
    const state = this.#state(host, { kind: "bearer", realm, service: options.service, plainHttp });
    const key = scopeKey(request);
    setBounded(state.demanded, key, tokenScopes(state.demanded.get(key) ?? [], options.scopes));
    return true;
  }

  async #exchange(exchange: {
    readonly demand: Extract<Demand, { kind: "bearer" }>;
    readonly host: RegistryHost;
    readonly scopes: readonly string[];
    readonly service: string;
    readonly credential: Exclude<Credential, { kind: "registry-token" }> | undefined;
    readonly signal: AbortSignal;
  }): Promise<Token> {
    const { demand, service, ...rest } = exchange;
    const refresh = this.#refresh.get(service);
    const token = await this.#service
      .fetch({ ...demand, ...rest, credential: refresh ?? rest.credential })
      .catch((error: unknown) => {
        const rejected = error instanceof ClientError && [400, 401, 403].includes(error.status ?? 0);
        if (refresh === undefined || !rejected) throw error;
        // Refresh tokens get revoked and run out; the credential they came from may still be good.
        this.#refresh.delete(service);
        return this.#service.fetch({ ...demand, ...rest });
      });
    if (token.refreshToken !== undefined && rest.credential !== undefined) {
      setBounded(this.#refresh, service, { kind: "identity-token", token: token.refreshToken });
    }
    return token;
  }

  #state(host: RegistryHost, demand: Demand): HostState {
    const known = this.#hosts.get(keyOf(host));
    if (known !== undefined) {
      known.demand = demand;
      return known;
    }
    const state: HostState = { demand, demanded: new Map() };
    setBounded(this.#hosts, keyOf(host), state);
    return state;
  }

  #warnPlain(hostname: string, registry: string): void {
    if (matchLocalhost(hostname) || this.#warned.has(registry)) return;
    this.#warned.add(registry);
    this.#options.warn?.(
      `The credential for "${registry}" is sent over plain HTTP, where others can read it`,
    );
  }
}

function keyOf(host: RegistryHost): string {
  return `${host.scheme}://${host.host}`;
}

function scopeKey({ scopes }: AuthorizedRequest): string {
  return scopes.join(" ");
}
