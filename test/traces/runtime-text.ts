/**
 * What a container runtime says of a failed pull, reduced to facts: the recorded words are containerd's, ours are our
 * own, and both must tell the same.
 */
import { ClientError } from "../../src/client/index.ts";
import { DrayError } from "../../src/errors.ts";

const FACTS: readonly (readonly [fact: string, words: RegExp])[] = [
  ["no such platform", /no match for platform/],
  ["schema 1", /schema 1|schemaVersion 1/i],
  ["wrong digest", /unexpected commit digest/],
  [
    "unauthorized",
    /: 401\b|pull access denied|insufficient_scope|authorization failed|no basic auth credentials/,
  ],
  ["forbidden", /: 403\b/],
  ["too many requests", /: 429\b/],
  ["connection refused", /connection refused/],
  ["connection broken", /\bEOF\b|connection reset|broken pipe/],
  ["timeout", /i\/o timeout|deadline exceeded|Client\.Timeout|TLS handshake timeout/],
  ["unreachable", /no route to host|network is unreachable/],
  ["no such host", /no such host/],
  ["not found", /: 404\b|not found/],
];

const CODES: Readonly<Record<string, string>> = {
  MANIFEST_UNKNOWN: "not found",
  NAME_UNKNOWN: "not found",
  BLOB_UNKNOWN: "not found",
  UNAUTHORIZED: "unauthorized",
  DENIED: "forbidden",
  TOOMANYREQUESTS: "too many requests",
  NETWORK_REFUSED: "connection refused",
  NETWORK_RESET: "connection broken",
  NETWORK_DNS: "no such host",
  NETWORK_TIMEOUT: "timeout",
  NETWORK_UNREACHABLE: "unreachable",
  DIGEST_INVALID: "wrong digest",
  PLATFORM_UNKNOWN: "no such platform",
};

const HTML = "html instead of a manifest";

/** The facts of an error of ours, part by part where its message tells of several attempts. */
export function factsOfError(error: unknown): string {
  const several = error instanceof Error && error.cause instanceof AggregateError;
  if (!several) return facts([factOfError(error)]);
  const parts = new Map(
    (error.cause as AggregateError).errors.map((cause: unknown) => [textOf(cause), factOfError(cause)]),
  );
  const whole = parts.get(error.message);
  return whole === undefined ? facts(tellApart(error.message, parts)) : facts([whole]);
}

/** `[one, other]`, of which either may have commas of its own. */
function tellApart(message: string, parts: ReadonlyMap<string, string>): readonly string[] {
  const found: string[] = [];
  let rest = /^\[(.*)\]$/s.exec(message)?.[1] ?? message;
  while (rest !== "") {
    const part = [...parts].find(([text]) => rest.startsWith(text));
    if (part === undefined) return [...found, `something else: ${rest}`];
    found.push(part[1]);
    rest = rest.slice(part[0].length).replace(/^, /, "");
  }
  return found;
}

function factOfError(error: unknown): string {
  const text = textOf(error);
  if (/\bHTML\b/.test(text)) return HTML;
  if (/schema 1|schemaVersion 1/i.test(text)) return "schema 1";
  const { code = "" } = error instanceof DrayError ? error : {};
  const { status } = error instanceof ClientError ? error : {};
  if (status === 401) return "unauthorized";
  return CODES[code] ?? (status === undefined ? `something else: ${text}` : `status ${status}`);
}

/** The facts of containerd's words; `undefined` for a text that isn't a runtime's. */
export function factsOfRecordedText(text: string): string | undefined {
  const starts = /(?:rpc error: code = \w+ desc = |failed to pull and unpack image )/;
  if (!starts.test(text)) return undefined;
  if (!text.startsWith("[")) return facts([factOfText(text)]);
  const parts = text.slice(1, -1).split(/, (?=rpc error: code = |failed to pull and unpack image )/);
  return facts(parts.map(factOfText));
}

function factOfText(text: string): string {
  if (text.includes("(text/html)")) return HTML;
  // Names of images, digests and addresses say nothing of what went wrong, but the colon after them matters.
  const words = text.replaceAll(/"[^"]*"/g, "").replaceAll(/\S*[/@]\S*/g, ":");
  const known = FACTS.find(([, pattern]) => pattern.test(words))?.[0];
  const status = /: (\d{3}) [A-Z]/.exec(words)?.[1];
  return known ?? (status === undefined ? `something else: ${text}` : `status ${status}`);
}

function facts(list: readonly string[]): string {
  return `‹${list.join("; ")}›`;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
