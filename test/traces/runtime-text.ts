/**
 * What a container runtime says of a failed pull, reduced to facts: the recorded words are containerd's, ours are our
 * own, and both must tell the same.
 */
import { DrayError } from "../../src/errors.ts";

const FACTS: readonly (readonly [fact: string, words: RegExp])[] = [
  ["html instead of a manifest", /text\/html|\bHTML\b/i],
  ["no such platform", /no match for platform|platform/],
  ["schema 1", /schema 1|schemaVersion 1/i],
  ["wrong digest", /unexpected commit digest|digest/],
  ["forbidden", /\b403\b/],
  ["unauthorized", /\b401\b|pull access denied|insufficient_scope|authorization failed/],
  ["too many requests", /\b429\b/],
  ["server error", /\b50\d\b/],
  ["connection refused", /connection refused|ECONNREFUSED|refused/],
  ["no such host", /no such host|ENOTFOUND/],
  ["not found", /not found/],
];

const CODES: Readonly<Record<string, string>> = {
  MANIFEST_UNKNOWN: "not found",
  NAME_UNKNOWN: "not found",
  UNAUTHORIZED: "unauthorized",
  DENIED: "forbidden",
  TOOMANYREQUESTS: "too many requests",
  NETWORK_REFUSED: "connection refused",
  NETWORK_DNS: "no such host",
  DIGEST_INVALID: "wrong digest",
  PLATFORM_UNKNOWN: "no such platform",
};

/** The facts of an error of ours. Several attempts of one pull tell one fact each, equal words once. */
export function factsOfError(error: unknown): string {
  const causes =
    error instanceof Error && error.cause instanceof AggregateError ? error.cause.errors : [error];
  const told = new Map(causes.map((cause: unknown) => [textOf(cause), factOfError(cause)]));
  return facts([...told.values()]);
}

function factOfError(error: unknown): string {
  const code = error instanceof DrayError ? CODES[error.code as string] : undefined;
  return code ?? factOfText(textOf(error));
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
  // Names of images and digests in it say nothing of what went wrong.
  const words = text.replaceAll(/"[^"]*"/g, "").replaceAll(/\S*sha256:[0-9a-f]{64}\S*/g, "");
  return FACTS.find(([, pattern]) => pattern.test(words))?.[0] ?? `something else: ${text}`;
}

function facts(list: readonly string[]): string {
  return `‹${list.join("; ")}›`;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
