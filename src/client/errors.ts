import { DrayError } from "../errors.ts";

/**
 * What went wrong between us and a registry. Codes a registry sent are kept in {@link ClientError.registryErrors};
 * `code` is our own verdict.
 */
export type ClientErrorCode =
  | "NAME_UNKNOWN"
  | "MANIFEST_UNKNOWN"
  | "BLOB_UNKNOWN"
  | "UNAUTHORIZED"
  | "DENIED"
  | "TOOMANYREQUESTS"
  | "UNSUPPORTED"
  | "DIGEST_INVALID"
  | "SIZE_INVALID"
  | "MANIFEST_INVALID"
  | "CHALLENGE_INVALID"
  | "REALM_REFUSED"
  | "TOKEN_FAILED"
  | "REDIRECT_REFUSED"
  | "RESPONSE_INVALID"
  | "STATUS_UNEXPECTED"
  | "HOSTS_INVALID"
  | "NETWORK_DNS"
  | "NETWORK_REFUSED"
  | "NETWORK_RESET"
  | "NETWORK_TIMEOUT"
  | "NETWORK_UNREACHABLE"
  | "TLS_UNKNOWN_AUTHORITY"
  | "TLS_NAME_MISMATCH"
  | "TLS_EXPIRED"
  | "TLS_NOT_SPOKEN"
  | "TLS_FAILED"
  | "PROXY_FAILED";

/** One entry of a registry's error body. */
export interface RegistryErrorEntry {
  readonly code: string;
  readonly message: string;
  readonly detail?: unknown;
}

export interface ClientErrorOptions {
  readonly cause?: unknown;
  readonly status?: number | undefined;
  readonly registryErrors?: readonly RegistryErrorEntry[] | undefined;
  /** Milliseconds the server asked to wait. */
  readonly retryAfter?: number | undefined;
}

export class ClientError extends DrayError<ClientErrorCode> {
  readonly status: number | undefined;
  readonly registryErrors: readonly RegistryErrorEntry[];
  readonly retryAfter: number | undefined;

  constructor(code: ClientErrorCode, message: string, options: ClientErrorOptions = {}) {
    super(code, message, options);
    this.status = options.status;
    this.registryErrors = options.registryErrors ?? [];
    this.retryAfter = options.retryAfter;
  }
}
