/**
 * Shell patterns over image names, with the rules of Go's `path.Match`:
 *
 * ```text
 * *         any characters but "/"        [a-z]   one character of the class
 * ?         one character but "/"         [^a-z]  one character outside it
 * \c        the character c               others  themselves
 * ```
 */
import { type Digest } from "../oci/index.ts";
import { InvalidReferenceError, quote } from "./errors.ts";
import { familiarName, familiarString } from "./format.ts";
import { type Reference } from "./reference.ts";

type Item = string | { readonly negated: boolean; readonly ranges: readonly (readonly [number, number])[] };

/** Items that stand side by side, after a star or at the very beginning. */
interface Chunk {
  readonly star: boolean;
  readonly items: Item[];
}

const ANY: Item = { negated: true, ranges: [[0x2f, 0x2f]] };

/**
 * Whether `pattern` matches the familiar form of a reference, with tag and digest or without. All of it must match.
 *
 * @throws InvalidReferenceError `BAD_PATTERN`
 */
export function familiarMatch(pattern: string, reference: Reference | Digest): boolean {
  const chunks = compile(pattern);
  if (typeof reference === "string") return matches(chunks, reference);
  return matches(chunks, familiarString(reference)) || matches(chunks, familiarName(reference));
}

function compile(pattern: string): Chunk[] {
  const characters = Array.from(pattern);
  let chunk: Chunk = { star: false, items: [] };
  const chunks = [chunk];
  for (let at = 0; at < characters.length; at++) {
    const character = characters[at] ?? "";
    if (character === "*") {
      if (chunk.star && chunk.items.length === 0) continue;
      chunk = { star: true, items: [] };
      chunks.push(chunk);
    } else if (character === "?") {
      chunk.items.push(ANY);
    } else if (character === "[") {
      const end = readClass(characters, at + 1, chunk.items);
      if (end === undefined) throw badPattern(pattern, "a [ has no well-formed class after it");
      at = end;
    } else if (character === "\\") {
      const escaped = characters[++at];
      if (escaped === undefined) throw badPattern(pattern, "it ends in the middle of an escape");
      chunk.items.push(escaped);
    } else {
      chunk.items.push(character);
    }
  }
  return chunks;
}

/** Reads a class behind its bracket; answers where its closing bracket stands. */
function readClass(characters: readonly string[], from: number, items: Item[]): number | undefined {
  const negated = characters[from] === "^";
  let at = negated ? from + 1 : from;
  const ranges: [number, number][] = [];
  while (ranges.length === 0 || characters[at] !== "]") {
    const low = readBound(characters, at);
    if (low === undefined) return undefined;
    at = low.next;
    let high = low;
    if (characters[at] === "-") {
      const bound = readBound(characters, at + 1);
      if (bound === undefined) return undefined;
      high = bound;
      at = bound.next;
    }
    ranges.push([low.code, high.code]);
  }
  items.push({ negated, ranges });
  return at;
}

/** One character of a class, escaped or not. Something must follow it, if only the closing bracket. */
function readBound(
  characters: readonly string[],
  at: number,
): { readonly code: number; readonly next: number } | undefined {
  const first = characters[at];
  if (first === undefined || first === "-" || first === "]") return undefined;
  const position = first === "\\" ? at + 1 : at;
  const code = characters[position]?.codePointAt(0);
  if (code === undefined || position + 1 >= characters.length) return undefined;
  return { code, next: position + 1 };
}

/**
 * Takes each chunk where it fits first, since a later star can reach whatever an earlier one left. Only the last
 * chunk is moved on until it ends with the name. A negated class may take a slash that a star can't; Go doesn't look
 * back then, and neither does this.
 */
function matches(chunks: readonly Chunk[], name: string): boolean {
  let from = 0;
  for (const [index, { star, items }] of chunks.entries()) {
    const last = index === chunks.length - 1;
    if (last && star && items.length === 0) return !name.includes("/", from);
    for (;;) {
      if (matchesAt(items, name, from) && (!last || from + items.length === name.length)) break;
      if (!star || from >= name.length || name[from] === "/") return false;
      from++;
    }
    from += items.length;
  }
  return from === name.length;
}

/** References are ASCII, so a character of theirs is one code unit. */
function matchesAt(items: readonly Item[], name: string, from: number): boolean {
  if (from + items.length > name.length) return false;
  return items.every((item, index) => {
    if (typeof item === "string") return name[from + index] === item;
    const code = name.charCodeAt(from + index);
    return item.ranges.some(([low, high]) => low <= code && code <= high) !== item.negated;
  });
}

function badPattern(pattern: string, why: string): InvalidReferenceError {
  return new InvalidReferenceError("BAD_PATTERN", `Cannot use pattern ${quote(pattern)}: ${why}`);
}
