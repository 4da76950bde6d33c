/**
 * Exchanges a credential for a Bearer token at the service a challenge names.
 *
 * With a credential the OAuth2 form (POST) is tried first and Docker's form (GET) when the service doesn't know it;
 * anonymously only GET. What worked is remembered per realm. Every address, redirects included, must pass
 * realm.ts before anything is sent to it.
 */
import type { Credential } from "../credentials/index.ts";
import { describeErrorBody, readErrorBody } from "./error-body.ts";
import { ClientError, type ClientErrorCode } from "./errors.ts";
import type { RegistryHost } from "./host.ts";
import type { HttpResponse, HttpSend } from "./http.ts";
import { parseRetryAfter } from "./retry.ts";
import { parseTokenResponse, type Token } from "./token-response.ts";
import { sendTokenRequest, type TokenHttpRequest } from "./token-redirects.ts";
import { sanitizeUrl } from "./sanitize-url.ts";

export interface TokenServiceOptions {
  readonly send: HttpSend;
  readonly userAgent: string;
  readonly clientId: string;
  readonly clock: () => number;
  /** Ask for a refresh token, too. */
  readonly offline: boolean;
}

export interface TokenRequest {
  readonly realm: URL;
  /** Empty when the challenge names none. */
  readonly service: string;
  readonly scopes: readonly string[];
  readonly credential: Exclude<Credential, { kind: "registry-token" }> | undefined;
  /** The host that sent the challenge. */
  readonly host: RegistryHost;
  /** That host was spoken to over plain HTTP. */
  readonly plainHttp: boolean;
  readonly signal: AbortSignal;
}

const BODY_LIMIT = 128 * 1024;
/** A service without the OAuth2 form answers one of these; a redirect would lose the form. */
const NO_OAUTH2 = [400, 401, 404, 301, 302, 303];

export class TokenService {
  readonly #options: TokenServiceOptions;
  readonly #getOnly = new Set<string>();

  constructor(options: TokenServiceOptions) {
    this.#options = options;
  }

  /** @throws ClientError `REALM_REFUSED`, `TOKEN_FAILED`, `UNAUTHORIZED`, `DENIED`, `TOOMANYREQUESTS` or a network code */
  async fetch(request: TokenRequest): Promise<Token> {
    const { credential, realm } = request;
    const form = `${credential?.kind} ${realm.href}`;
    if (credential === undefined || this.#getOnly.has(form)) return this.#get(request);
    const response = await this.#send(request, this.#oauth2(request));
    if (isOk(response)) return this.#read(response, realm);
    const final = response.status === 405 && credential.kind === "identity-token";
    if (final || ![...NO_OAUTH2, 405].includes(response.status))
      throw await refusal(response, realm, this.#options.clock());
    await response.discard();
    const token = await this.#get(request);
    this.#getOnly.add(form);
    return token;
  }

  async #get(request: TokenRequest): Promise<Token> {
    const response = await this.#send(request, this.#docker(request));
    if (!isOk(response)) throw await refusal(response, request.realm, this.#options.clock());
    return this.#read(response, request.realm);
  }

  #docker({ realm, service, scopes, credential }: TokenRequest): TokenHttpRequest {
    const url = new URL(realm);
    if (service !== "") url.searchParams.append("service", service);
    for (const scope of scopes) url.searchParams.append("scope", scope);
    if (this.#options.offline) {
      url.searchParams.append("offline_token", "true");
      url.searchParams.append("client_id", this.#options.clientId);
    }
    if (credential === undefined) return { method: "GET", url };
    if (credential.kind === "basic") url.searchParams.append("account", credential.username);
    return { method: "GET", url, authorization: basicAuthorization(credential) };
  }

  #oauth2({ realm, service, scopes, credential }: TokenRequest): TokenHttpRequest {
    const form = new URLSearchParams();
    if (credential?.kind === "basic") {
      form.append("grant_type", "password");
      form.append("username", credential.username);
      form.append("password", credential.password.reveal());
    } else if (credential !== undefined) {
      form.append("grant_type", "refresh_token");
      form.append("refresh_token", credential.token.reveal());
    }
    if (service !== "") form.append("service", service);
    if (scopes.length > 0) form.append("scope", scopes.join(" "));
    form.append("client_id", this.#options.clientId);
    if (this.#options.offline) form.append("access_type", "offline");
    return { method: "POST", url: realm, body: new TextEncoder().encode(form.toString()) };
  }

  #send(request: TokenRequest, http: TokenHttpRequest): Promise<HttpResponse> {
    const { send, userAgent } = this.#options;
    return sendTokenRequest(http, { ...request, send, userAgent });
  }

  async #read(response: HttpResponse, realm: URL): Promise<Token> {
    const shown = sanitizeUrl(realm);
    let body: Uint8Array;
    try {
      body = await response.bytes(BODY_LIMIT);
    } catch (cause) {
      if (!(cause instanceof ClientError) || cause.code !== "SIZE_INVALID") throw cause;
      const why = `its answer is longer than ${BODY_LIMIT} bytes`;
      throw new ClientError("TOKEN_FAILED", `Cannot get a token from "${shown}": ${why}`, { cause });
    }
    return parseTokenResponse(body, { now: this.#options.clock(), realm: shown });
  }
}

/** `Basic …` for a user and password; for a refresh token its text stands as the password of nobody. */
export function basicAuthorization(credential: Exclude<Credential, { kind: "registry-token" }>): string {
  const [user, secret] =
    credential.kind === "basic" ? [credential.username, credential.password] : ["", credential.token];
  return `Basic ${Buffer.from(`${user}:${secret.reveal()}`).toString("base64")}`;
}

function isOk({ status }: HttpResponse): boolean {
  return status >= 200 && status < 300;
}

const CODES: Readonly<Record<number, ClientErrorCode>> = {
  401: "UNAUTHORIZED",
  403: "DENIED",
  429: "TOOMANYREQUESTS",
};

async function refusal(response: HttpResponse, realm: URL, now: number): Promise<ClientError> {
  const body = await readErrorBody(response);
  const said = describeErrorBody(body);
  return new ClientError(
    CODES[response.status] ?? "TOKEN_FAILED",
    `Cannot get a token from "${sanitizeUrl(realm)}": ${response.status}${said === "" ? "" : `, ${said}`}`,
    {
      status: response.status,
      registryErrors: body.errors,
      retryAfter: parseRetryAfter(response.header("retry-after"), now),
    },
  );
}
