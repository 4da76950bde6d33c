/**
 * The head of an HTTP/1.1 response, read strictly: what a careless parser would forgive (folded lines, blanks
 * before the colon, control characters, two lengths) is how responses are smuggled past one another.
 */
import { ClientError } from "./errors.ts";

/** Some registries put long signed URLs and many cookies into one answer. */
export const HEAD_LIMIT: number = 64 * 1024;

export interface ResponseHead {
  readonly status: number;
  /** Whether the other side speaks HTTP/1.1 rather than 1.0. */
  readonly persistent: boolean;
  /** Lower-case names; every field line on its own. */
  readonly fields: ReadonlyMap<string, readonly string[]>;
}

/** How the end of a body is known. */
export type BodyKind =
  | { readonly kind: "length"; readonly length: number }
  | { readonly kind: "chunked" | "close" };

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-9][0-9]{2})(?: (.*))?$/;
const FIELD = /^([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(.*?)[ \t]*$/;
// oxlint-disable-next-line no-control-regex -- control characters are exactly what must not pass
const FORBIDDEN = /[\x00-\x08\x0a-\x1f\x7f]/;

/**
 * Reads the lines before the empty one.
 *
 * @throws ClientError `RESPONSE_INVALID`
 */
export function parseResponseHead(text: string): ResponseHead {
  const lines = text.split("\r\n");
  const start = STATUS_LINE.exec(lines[0] ?? "");
  if (start === null) throw invalid(`it begins with ${quote(lines[0] ?? "")}`);
  const fields = new Map<string, string[]>();
  for (let index = 1; index < lines.length; index++) {
    const line = lines[index] ?? "";
    const match = FIELD.exec(line);
    if (match === null || FORBIDDEN.test(match[2] ?? "")) throw invalid(`bad header line ${quote(line)}`);
    const name = (match[1] ?? "").toLowerCase();
    const values = fields.get(name);
    if (values === undefined) fields.set(name, [match[2] ?? ""]);
    else values.push(match[2] ?? "");
  }
  return { status: Number(start[2]), persistent: keepsAlive(start[1] === "1", fields), fields };
}

/**
 * Decides how the body of this answer ends.
 *
 * @throws ClientError `RESPONSE_INVALID` when the head contradicts itself
 */
export function bodyKind(method: string, head: ResponseHead): BodyKind {
  const { status, fields } = head;
  const codings = fields.get("transfer-encoding");
  const lengths = fields.get("content-length");
  if (codings !== undefined && lengths !== undefined)
    throw invalid("it has both a length and a transfer coding");
  if (method === "HEAD" || status === 204 || status === 304) return { kind: "length", length: 0 };
  if (codings !== undefined) {
    if (codings.join(",").trim().toLowerCase() === "chunked") return { kind: "chunked" };
    throw invalid(`transfer coding ${quote(codings.join(", "))} is not known`);
  }
  if (lengths === undefined) return { kind: "close" };
  const [first = "", ...others] = lengths.flatMap((line) => line.split(",")).map((value) => value.trim());
  if (others.some((other) => other !== first)) throw invalid("it has two lengths");
  if (!/^[0-9]{1,15}$/.test(first)) throw invalid(`bad length ${quote(first)}`);
  return { kind: "length", length: Number(first) };
}

function keepsAlive(modern: boolean, fields: ReadonlyMap<string, readonly string[]>): boolean {
  const connection = (fields.get("connection") ?? []).join(",").toLowerCase();
  if (/(?:^|,)\s*close\s*(?:,|$)/.test(connection)) return false;
  return modern || /(?:^|,)\s*keep-alive\s*(?:,|$)/.test(connection);
}

export function invalid(what: string): ClientError {
  return new ClientError("RESPONSE_INVALID", `Cannot read the answer: not valid HTTP, ${what}`);
}

function quote(text: string): string {
  return JSON.stringify(text.length <= 80 ? text : `${text.slice(0, 77)}...`);
}
