import { type Digest, type DigestOptions } from "../oci/index.ts";
import { InvalidReferenceError } from "./errors.ts";
import { parseAny } from "./forms.ts";
import { formatReference } from "./format.ts";
import { type Reference } from "./reference.ts";

/**
 * Puts the names of one image in the order they are shown in: those that say most first, and bytewise among
 * equals. Names come out canonical, image ids as digests, and what can't be read as it is, at the end.
 */
export function sortReferences(texts: readonly string[], options: DigestOptions = {}): string[] {
  const entries = texts.map((text) => rank(text, options));
  entries.sort((a, b) => a.rank - b.rank || compareBytes(a.text, b.text));
  return entries.map((entry) => entry.text);
}

function rank(text: string, options: DigestOptions): { readonly rank: number; readonly text: string } {
  let found: Reference | Digest;
  try {
    found = parseAny(text, options);
  } catch (error) {
    if (error instanceof InvalidReferenceError) return { rank: 5, text };
    throw error;
  }
  if (typeof found === "string") return { rank: 4, text: found };
  const { tag, digest } = found;
  const rank = tag === undefined ? (digest === undefined ? 3 : 2) : digest === undefined ? 1 : 0;
  return { rank, text: formatReference(found) };
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}
