/** Answers, with the headers clients look at. */
import { formatYaml } from "../../internal/yaml.ts";
import { failure, type Status, StatusError } from "../../kubernetes/index.ts";
import type { AnswerShape } from "./accept.ts";

export interface JsonAnswer {
  readonly code: number;
  /** JSON. */
  readonly text: string;
  readonly encoding?: AnswerShape["encoding"] | undefined;
  readonly pretty?: boolean | undefined;
  readonly warnings?: Iterable<string> | undefined;
}

export function respondJson(answer: JsonAnswer): Response {
  const headers = new Headers({ "Cache-Control": "no-cache, private" });
  addWarnings(headers, answer.warnings ?? []);
  if (answer.encoding === "yaml") {
    headers.set("Content-Type", "application/yaml");
    return new Response(formatYaml(JSON.parse(answer.text)), { status: answer.code, headers });
  }
  headers.set("Content-Type", "application/json");
  const text = answer.pretty === true ? JSON.stringify(JSON.parse(answer.text), undefined, 2) : answer.text;
  return new Response(`${text}\n`, { status: answer.code, headers });
}

/** A refusal, whatever was thrown; `onFailure` hears of what is nobody's fault but ours. */
export function respondError(
  error: unknown,
  options: {
    readonly warnings?: Iterable<string>;
    readonly pretty?: boolean;
    readonly onFailure?: ((error: unknown) => void) | undefined;
  } = {},
): Response {
  const refusal = error instanceof StatusError ? error : internalError(error, options.onFailure);
  return respondStatus(refusal.status, options);
}

export function respondStatus(
  status: Status,
  options: { readonly warnings?: Iterable<string>; readonly pretty?: boolean; readonly code?: number } = {},
): Response {
  const code = options.code ?? httpCode(status);
  const response = respondJson({ code, text: JSON.stringify(status), ...options });
  const wait = status.details?.retryAfterSeconds;
  if (wait !== undefined && wait > 0) response.headers.set("Retry-After", String(wait));
  if (code === 401) response.headers.set("WWW-Authenticate", 'Bearer realm="kubernetes"');
  return response;
}

export function respondText(code: number, text: string): Response {
  const headers = {
    "Cache-Control": "no-cache, private",
    "Content-Type": "text/plain; charset=utf-8",
    "X-Content-Type-Options": "nosniff",
  };
  return new Response(text, { status: code, headers });
}

/** Of a path that leads nowhere at all. */
export function pageNotFound(): Response {
  return respondText(404, "404 page not found\n");
}

function httpCode(status: Status): number {
  if (status.status === "Success") return 200;
  const { code = 500 } = status;
  // What an admission webhook makes up still has to be a code of HTTP.
  return Number.isInteger(code) && code >= 400 && code <= 599 ? code : 500;
}

function internalError(error: unknown, onFailure: ((error: unknown) => void) | undefined): StatusError {
  onFailure?.(error);
  return failure("InternalError", "Internal error occurred: the server failed; its log says more", {
    causes: [{ message: "the server failed" }],
  });
}

function addWarnings(headers: Headers, warnings: Iterable<string>): void {
  for (const warning of new Set(warnings)) {
    // eslint-disable-next-line no-control-regex -- they would end the header
    const text = warning.replace(/[\u0000-\u001f\u007f]/g, " ").replace(/["\\]/g, "\\$&");
    headers.append("Warning", Buffer.from(`299 - "${text}"`, "utf8").toString("latin1"));
  }
}
