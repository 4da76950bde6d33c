import { ClientError } from "../../client/index.ts";
import { UpstreamError, type UpstreamErrorCode } from "../../registry/index.ts";

const NOT_THERE: ReadonlySet<string> = new Set(["NAME_UNKNOWN", "MANIFEST_UNKNOWN", "BLOB_UNKNOWN"]);
const UNUSABLE: ReadonlySet<string> = new Set([
  "DIGEST_INVALID",
  "SIZE_INVALID",
  "MANIFEST_INVALID",
  "CHALLENGE_INVALID",
  "REALM_REFUSED",
  "REDIRECT_REFUSED",
  "RESPONSE_INVALID",
  "HOSTS_INVALID",
]);

/** What a registry's client says, in the words of the mirror that asked; all else stays what it is. */
export function toUpstreamError(error: unknown, challenge?: string): unknown {
  if (!(error instanceof ClientError)) return error;
  const code = codeOf(error);
  return new UpstreamError(code, error.message, {
    cause: error,
    retryAfter: error.retryAfter ?? (isDefect(error) ? 0 : undefined),
    ...(code === "UNAUTHORIZED" && { challenge }),
  });
}

/** It failed at this very question; that is no reason to leave it alone with others. */
function isDefect({ status }: ClientError): boolean {
  return status !== undefined && status >= 500 && ![502, 503, 504].includes(status);
}

function codeOf({ code, status }: ClientError): UpstreamErrorCode {
  if (NOT_THERE.has(code)) return code as UpstreamErrorCode;
  if (code === "UNAUTHORIZED" || code === "DENIED" || code === "TOOMANYREQUESTS") return code;
  if (code === "TOKEN_FAILED") {
    if (status === 429) return "TOOMANYREQUESTS";
    return status !== undefined && status < 500 ? "UNAUTHORIZED" : "UPSTREAM_UNREACHABLE";
  }
  if (code === "UNSUPPORTED") return "UNSUPPORTED";
  if (UNUSABLE.has(code)) return "UPSTREAM_INVALID";
  // An odd status below 500 is an answer; names, networks, TLS, proxies and servers that fail are none.
  return status !== undefined && status < 500 ? "UPSTREAM_INVALID" : "UPSTREAM_UNREACHABLE";
}
