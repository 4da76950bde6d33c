import { ClientError, type ClientErrorCode } from "./errors.ts";

const CODES: Readonly<Record<string, ClientErrorCode>> = {
  ENOTFOUND: "NETWORK_DNS",
  EAI_AGAIN: "NETWORK_DNS",
  EAI_FAIL: "NETWORK_DNS",
  EAI_NODATA: "NETWORK_DNS",
  EAI_NONAME: "NETWORK_DNS",
  ECONNREFUSED: "NETWORK_REFUSED",
  ECONNRESET: "NETWORK_RESET",
  ECONNABORTED: "NETWORK_RESET",
  EPIPE: "NETWORK_RESET",
  ERR_STREAM_DESTROYED: "NETWORK_RESET",
  ERR_STREAM_WRITE_AFTER_END: "NETWORK_RESET",
  ETIMEDOUT: "NETWORK_TIMEOUT",
  EHOSTUNREACH: "NETWORK_UNREACHABLE",
  EHOSTDOWN: "NETWORK_UNREACHABLE",
  ENETUNREACH: "NETWORK_UNREACHABLE",
  ENETDOWN: "NETWORK_UNREACHABLE",
  EADDRNOTAVAIL: "NETWORK_UNREACHABLE",
  DEPTH_ZERO_SELF_SIGNED_CERT: "TLS_UNKNOWN_AUTHORITY",
  SELF_SIGNED_CERT_IN_CHAIN: "TLS_UNKNOWN_AUTHORITY",
  UNABLE_TO_GET_ISSUER_CERT: "TLS_UNKNOWN_AUTHORITY",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "TLS_UNKNOWN_AUTHORITY",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "TLS_UNKNOWN_AUTHORITY",
  CERT_UNTRUSTED: "TLS_UNKNOWN_AUTHORITY",
  ERR_TLS_CERT_ALTNAME_INVALID: "TLS_NAME_MISMATCH",
  HOSTNAME_MISMATCH: "TLS_NAME_MISMATCH",
  CERT_HAS_EXPIRED: "TLS_EXPIRED",
  CERT_NOT_YET_VALID: "TLS_EXPIRED",
  // What OpenSSL says when the other side answers a TLS hello in plain text.
  ERR_SSL_WRONG_VERSION_NUMBER: "TLS_NOT_SPOKEN",
  ERR_SSL_HTTP_REQUEST: "TLS_NOT_SPOKEN",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "TLS_NOT_SPOKEN",
};

const WORDS: Readonly<Partial<Record<ClientErrorCode, string>>> = {
  NETWORK_DNS: "no address found for this name",
  NETWORK_REFUSED: "connection refused",
  NETWORK_RESET: "the connection was cut",
  NETWORK_TIMEOUT: "no answer in time",
  NETWORK_UNREACHABLE: "no route to this host",
  TLS_UNKNOWN_AUTHORITY:
    "its certificate is signed by an unknown authority; add the CA to the host's configuration",
  TLS_NAME_MISMATCH: "its certificate is for another name",
  TLS_EXPIRED: "its certificate is not valid at this time",
  TLS_NOT_SPOKEN: "it does not speak TLS",
};

/** Turns what a socket threw into a sentence with a code. `what` is host and port. */
export function networkError(cause: unknown, what: string): ClientError {
  if (cause instanceof ClientError) return cause;
  const code = codeOf(cause);
  const verdict =
    CODES[code] ??
    (/^(?:ERR_SSL|ERR_TLS|ERR_OSSL|CERT_|UNABLE_|CRL_)/.test(code) ? "TLS_FAILED" : "NETWORK_RESET");
  const words = WORDS[verdict] ?? (code === "" ? "the connection failed" : `the handshake failed (${code})`);
  return new ClientError(verdict, `Cannot reach ${JSON.stringify(what)}: ${words}`, { cause });
}

export function connectionCut(what: string): ClientError {
  return new ClientError("NETWORK_RESET", `Cannot reach ${JSON.stringify(what)}: ${WORDS.NETWORK_RESET}`);
}

export function connectionTimeout(what: string): ClientError {
  return new ClientError("NETWORK_TIMEOUT", `Cannot reach ${JSON.stringify(what)}: ${WORDS.NETWORK_TIMEOUT}`);
}

/** Whether a connection that was fine broke: reading on from where it stopped may help. */
export function isInterruption(error: unknown): boolean {
  return error instanceof ClientError && (error.code === "NETWORK_RESET" || error.code === "NETWORK_TIMEOUT");
}

function codeOf(cause: unknown): string {
  if (!(cause instanceof Error)) return "";
  const code = "code" in cause && typeof cause.code === "string" ? cause.code : "";
  if (code !== "" || !(cause instanceof AggregateError)) return code;
  return codeOf(cause.errors[0]);
}
