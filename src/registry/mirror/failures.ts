import type { DistributionErrorCode } from "../../oci/index.ts";
import type { RegistryResponse } from "../request.ts";
import { refuse, refuseAll, type ResponseHeaders } from "../respond.ts";
import type { UpstreamError } from "./upstream.ts";

/** What a caller hears when the upstream could not, or would not, give what they asked for. */
export function refuseFor(error: UpstreamError, callersOwn: boolean): RegistryResponse {
  const { code, message, challenge } = error;
  switch (code) {
    case "NAME_UNKNOWN":
    case "MANIFEST_UNKNOWN":
    case "BLOB_UNKNOWN":
      return refuse(code, message);
    case "UNAUTHORIZED": {
      if (callersOwn) return refuse(code, message, { headers: challengeOf(challenge) });
      // Our own login is at fault, and no other one that the caller could bring would help.
      return refuse("DENIED", message);
    }
    case "DENIED":
      return refuse(code, message);
    case "TOOMANYREQUESTS":
      return refuse(code, message, { headers: comeAgain(error) });
    case "UNSUPPORTED":
      return refuse(code, message, { status: 406 });
    case "UPSTREAM_INVALID":
      return unusable("UNKNOWN", message);
    case "UPSTREAM_UNREACHABLE":
      return refuse("UNAVAILABLE", message, { headers: comeAgain(error) });
  }
}

/** Repositories of a mirror change at the upstream. */
export function refusePush(registry: string): RegistryResponse {
  const message = `This is a mirror of ${JSON.stringify(registry)}; push there`;
  return refuse("UNSUPPORTED", message, { headers: { Allow: "GET, HEAD" } });
}

/** For answers that may be out of date, in the protocol's form. */
export function staleWarning(text: string): ResponseHeaders {
  return {
    Warning: `299 - "${text.replaceAll(/[\\"]/g, (char) => `\\${char}`).replaceAll(/[^ -~]/g, "?")}"`,
  };
}

function challengeOf(challenge: string | undefined): ResponseHeaders {
  return { "WWW-Authenticate": challenge ?? 'Basic realm="upstream"' };
}

function comeAgain({ retryAfter }: UpstreamError): ResponseHeaders {
  return retryAfter === undefined ? {} : { "Retry-After": Math.max(1, Math.ceil(retryAfter / 1_000)) };
}

function unusable(code: DistributionErrorCode, message: string): RegistryResponse {
  return refuseAll(502, [{ code, message }]);
}
