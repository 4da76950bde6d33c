import { DrayError } from "../../errors.ts";

/** What keeps us from an API server. What a server that was reached refuses is a `StatusError`. */
export type KubernetesClientErrorCode =
  | "CONFIG_INVALID"
  | "CONFIG_UNREADABLE"
  | "HELPER_MISSING"
  | "HELPER_FAILED"
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
  | "RESPONSE_INVALID";

export class KubernetesClientError extends DrayError<KubernetesClientErrorCode> {}

const CODES: Readonly<Record<string, KubernetesClientErrorCode>> = {
  ENOTFOUND: "NETWORK_DNS",
  EAI_AGAIN: "NETWORK_DNS",
  ECONNREFUSED: "NETWORK_REFUSED",
  ETIMEDOUT: "NETWORK_TIMEOUT",
  EHOSTUNREACH: "NETWORK_UNREACHABLE",
  ENETUNREACH: "NETWORK_UNREACHABLE",
  EADDRNOTAVAIL: "NETWORK_UNREACHABLE",
  DEPTH_ZERO_SELF_SIGNED_CERT: "TLS_UNKNOWN_AUTHORITY",
  SELF_SIGNED_CERT_IN_CHAIN: "TLS_UNKNOWN_AUTHORITY",
  UNABLE_TO_GET_ISSUER_CERT: "TLS_UNKNOWN_AUTHORITY",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "TLS_UNKNOWN_AUTHORITY",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "TLS_UNKNOWN_AUTHORITY",
  ERR_TLS_CERT_ALTNAME_INVALID: "TLS_NAME_MISMATCH",
  CERT_HAS_EXPIRED: "TLS_EXPIRED",
  CERT_NOT_YET_VALID: "TLS_EXPIRED",
  ERR_SSL_WRONG_VERSION_NUMBER: "TLS_NOT_SPOKEN",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "TLS_NOT_SPOKEN",
};

const WORDS: Readonly<Partial<Record<KubernetesClientErrorCode, string>>> = {
  NETWORK_DNS: "no address found for this name",
  NETWORK_REFUSED: "connection refused; is the API server running?",
  NETWORK_RESET: "the connection was cut",
  NETWORK_TIMEOUT: "no answer in time",
  NETWORK_UNREACHABLE: "no route to this host",
  TLS_UNKNOWN_AUTHORITY:
    "its certificate is signed by an unknown authority; name the CA with certificate-authority in the kubeconfig",
  TLS_NAME_MISMATCH:
    "its certificate is for another name; tls-server-name in the kubeconfig says which to expect",
  TLS_EXPIRED: "its certificate is not valid at this time",
  TLS_NOT_SPOKEN: "it does not speak TLS",
};

/** Turns what a socket threw into a sentence with a code. `server` is the URL without its path. */
export function networkError(cause: unknown, server: string): KubernetesClientError {
  if (cause instanceof KubernetesClientError) return cause;
  const code = codeOf(cause);
  const tls = /^(?:ERR_SSL|ERR_TLS|ERR_OSSL|CERT_|UNABLE_)/v.test(code);
  const verdict = CODES[code] ?? (tls ? "TLS_FAILED" : "NETWORK_RESET");
  const words = WORDS[verdict] ?? `the handshake failed (${code})`;
  return new KubernetesClientError(verdict, `Cannot reach API server "${server}": ${words}`, { cause });
}

export function timeoutError(server: string): KubernetesClientError {
  const text = `Cannot reach API server "${server}": no answer in time`;
  return new KubernetesClientError("NETWORK_TIMEOUT", text);
}

/** Whether the same request may well succeed a little later. */
export function isNetworkError(error: unknown): boolean {
  return error instanceof KubernetesClientError && error.code.startsWith("NETWORK_");
}

function codeOf(cause: unknown): string {
  if (!(cause instanceof Error)) return "";
  if ("code" in cause && typeof cause.code === "string") return cause.code;
  if (cause instanceof AggregateError) return codeOf(cause.errors[0]);
  return codeOf(cause.cause);
}
