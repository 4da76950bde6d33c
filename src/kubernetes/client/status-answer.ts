import type { Status } from "../objects/status.ts";
import type { ApiCall } from "./client.ts";

const REASONS: Readonly<Record<number, string>> = {
  400: "BadRequest",
  401: "Unauthorized",
  403: "Forbidden",
  404: "NotFound",
  405: "MethodNotAllowed",
  406: "NotAcceptable",
  409: "Conflict",
  410: "Gone",
  413: "RequestEntityTooLarge",
  415: "UnsupportedMediaType",
  422: "Invalid",
  429: "TooManyRequests",
  500: "InternalError",
  503: "ServiceUnavailable",
  504: "Timeout",
};

/** Proxies and load balancers answer in their own words; those become the message. */
const LONGEST_MESSAGE = 512;

/** The Status that a refusal carries; made from the answer's code when it carries none. It knows when to come back. */
export function readStatus(response: Response, text: string, call: ApiCall): Status {
  const status = statusIn(response, text, call);
  const header = response.headers.get("retry-after") ?? "";
  if (!/^\d{1,6}$/v.test(header)) return status;
  return { ...status, details: { ...status.details, retryAfterSeconds: Number(header) } };
}

function statusIn(response: Response, text: string, call: ApiCall): Status {
  const parsed = parse(text);
  if (parsed !== undefined) return { ...parsed, code: parsed.code ?? response.status };
  const words =
    response.headers.get("content-type")?.startsWith("text/html") === true
      ? ""
      : text.trim().slice(0, LONGEST_MESSAGE);
  const told = words === "" ? "" : `: ${words}`;
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: `the server answered ${call.method} "${call.path}" with code ${response.status}${told}`,
    reason: REASONS[response.status] ?? (response.status >= 500 ? "InternalError" : "Unknown"),
    code: response.status,
  };
}

function parse(text: string): Status | undefined {
  try {
    const value = JSON.parse(text) as Status | null;
    return value?.kind === "Status" ? value : undefined;
  } catch {
    return undefined;
  }
}
