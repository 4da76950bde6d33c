import type { CredentialOrigin, CredentialSource } from "../credentials/index.ts";
import type { RegistryHost } from "./host.ts";
import type { HttpResponse, HttpSend } from "./http.ts";

export interface AuthorizerOptions {
  readonly credentials: CredentialSource;
  /** Sends exactly one request; used for the token service. */
  readonly send: HttpSend;
  readonly userAgent: string;
  /** `client_id` of token requests; `dray` by default. */
  readonly clientId?: string | undefined;
  /** Milliseconds since the epoch; the system's clock by default. */
  readonly clock?: (() => number) | undefined;
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

/** One per client: remembers what each contacted host asked for, and the tokens it was given. */
export class Authorizer {
  constructor(options: AuthorizerOptions) {
    void options;
  }

  /** The `Authorization` value for this request; may fetch a token when a Bearer challenge of this host is known. */
  async authorize(host: RegistryHost, request: AuthorizedRequest): Promise<string | undefined> {
    void host;
    void request;
    return undefined;
  }

  /** Learns from a 401, or a 403 that names missing scopes. True: repeat the request once with `authorize()`. */
  async challenged(
    host: RegistryHost,
    response: HttpResponse,
    request: ChallengedRequest,
  ): Promise<boolean> {
    void host;
    void response;
    void request;
    return false;
  }

  /** Where the credential shown to this host came from. */
  originFor(host: RegistryHost, request: AuthorizedRequest): CredentialOrigin | undefined {
    void host;
    void request;
    return undefined;
  }
}
