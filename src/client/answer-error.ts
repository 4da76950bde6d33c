import { type ClientErrorCode, ClientError } from "./errors.ts";
import { describeErrorBody, readErrorBody, type ErrorBody } from "./error-body.ts";
import type { HttpResponse } from "./http.ts";
import { formatRateLimit, parseRateLimit } from "./rate-limit.ts";
import { parseRetryAfter } from "./retry.ts";
import { sanitizeUrl } from "./sanitize-url.ts";

export interface AnswerContext {
  readonly method: string;
  /** What was attempted, as the message's beginning: `read manifest "v1" of "docker.io/library/busybox"`. */
  readonly action: string;
  /** What a 404 without a better word means. */
  readonly missing: ClientErrorCode;
  /** Milliseconds since the epoch. */
  readonly now: number;
}

/** Codes of a registry that are also ours, whatever status they came with. */
const KEPT: ReadonlySet<string> = new Set<ClientErrorCode>([
  "NAME_UNKNOWN",
  "MANIFEST_UNKNOWN",
  "BLOB_UNKNOWN",
  "TOOMANYREQUESTS",
  "UNSUPPORTED",
  "DIGEST_INVALID",
  "SIZE_INVALID",
  "MANIFEST_INVALID",
]);

/** Reads the rest of an answer that isn't the one hoped for, and says so in one sentence with a code. */
export async function answerError(response: HttpResponse, context: AnswerContext): Promise<ClientError> {
  const body = await readErrorBody(response);
  await response.discard();
  const { status } = response;
  const html = isHtml(response) && body.errors.length === 0;
  const retryAfter = parseRetryAfter(response.header("retry-after"), context.now);
  const said = describeErrorBody(body);
  const limit = parseRateLimit(response);
  const parts = [
    `${context.method} ${sanitizeUrl(response.url)} answered ${status}`,
    ...(said === "" ? missingWords(status, context.missing) : [said]),
    ...(limit === undefined || status !== 429 ? [] : [formatRateLimit(limit)]),
    ...advice(status, retryAfter),
  ];
  return new ClientError(
    codeOf(status, body, { ...context, html }),
    `Cannot ${context.action}: ${parts.join(", ")}`,
    { status, registryErrors: body.errors, retryAfter },
  );
}

export function isHtml(response: Pick<HttpResponse, "header">): boolean {
  return /^(?:text\/html|application\/xhtml\+xml)\b/i.test(response.header("content-type") ?? "");
}

function codeOf(
  status: number,
  body: ErrorBody,
  context: AnswerContext & { html: boolean },
): ClientErrorCode {
  if (status === 401) return "UNAUTHORIZED";
  if (status === 403) return "DENIED";
  if (status === 429) return "TOOMANYREQUESTS";
  const kept = body.errors.find(({ code }) => KEPT.has(code));
  if (kept !== undefined && status < 500) return kept.code as ClientErrorCode;
  if (context.html && status < 500) return "RESPONSE_INVALID";
  if (status === 404) return context.missing;
  if (status === 405) return "UNSUPPORTED";
  return "STATUS_UNEXPECTED";
}

/** What a 404 means, where the answer has no words of its own: that to a HEAD never has. */
function missingWords(status: number, missing: ClientErrorCode): string[] {
  if (status !== 404) return [];
  if (missing === "MANIFEST_UNKNOWN") return ["no such tag or manifest there"];
  if (missing === "NAME_UNKNOWN") return ["no such repository there"];
  return missing === "BLOB_UNKNOWN" ? ["no such content there"] : [];
}

function advice(status: number, retryAfter: number | undefined): string[] {
  if (status === 401) return ["log in, or check that the repository exists"];
  if (retryAfter === undefined || (status !== 429 && status !== 503)) return [];
  return [`try again in ${Math.ceil(retryAfter / 1000)} s`];
}
