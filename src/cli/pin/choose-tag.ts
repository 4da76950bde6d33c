/** Which newer tag may stand for a tag: `1.27.1-alpine` may become `1.27.4-alpine`, never `1.27.4`. */

/** How far a tag may move: not at all, or in its last, its last two, or all its numbers. */
export const TAG_RULES = ["digest", "patch", "minor", "major"] as const;

export type TagRule = (typeof TAG_RULES)[number];

interface Version {
  readonly prefix: string;
  readonly numbers: readonly number[];
  readonly suffix: string;
}

const VERSION = /^(v?)(\d{1,9}(?:\.\d{1,9}){0,2})((?:[-+_.][\w.-]*)?)$/;

/**
 * The newest of the tags that the rule lets the present one become; the present one where none is newer, or where it
 * is no version.
 */
export function chooseTag(present: string, tags: Iterable<string>, rule: TagRule): string {
  const from = parse(present);
  if (from === undefined || rule === "digest") return present;
  let [best, bestTag] = [from, present];
  for (const tag of tags) {
    const version = parse(tag);
    if (version === undefined || !isSameShape(version, from) || !mayBecome(version, from, rule)) continue;
    if (compare(version, best) > 0) [best, bestTag] = [version, tag];
  }
  return bestTag;
}

function parse(tag: string): Version | undefined {
  const [, prefix, numbers, suffix] = VERSION.exec(tag) ?? [];
  if (prefix === undefined || numbers === undefined || suffix === undefined) return undefined;
  return { prefix, numbers: numbers.split(".").map(Number), suffix };
}

/** As many numbers, and the same words around them: those name another variant, or a version before its release. */
function isSameShape(one: Version, other: Version): boolean {
  return (
    one.prefix === other.prefix && one.suffix === other.suffix && one.numbers.length === other.numbers.length
  );
}

function mayBecome(version: Version, from: Version, rule: TagRule): boolean {
  const fixed = rule === "major" ? 0 : rule === "minor" ? 1 : 2;
  return from.numbers.slice(0, fixed).every((number, index) => number === version.numbers[index]);
}

function compare(one: Version, other: Version): number {
  for (const [index, number] of one.numbers.entries()) {
    const difference = number - (other.numbers[index] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
