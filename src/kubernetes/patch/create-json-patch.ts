/** What turns one document into another, as a JSON Patch. */
import type { Json, JsonObject } from "../objects/object.ts";
import { checkDepth, equalJson, isList, isObject, memberOf, membersOf } from "./json.ts";
import { formatPointer } from "./json-pointer.ts";
import type { JsonPatchOperation } from "./json-patch.ts";

/** Tables of longer lists would cost more than a few operations too many. */
const MAX_TABLE = 250_000;

/**
 * Names only what changed: members that went, then those that changed or came, in their order; items of lists where
 * they stand, so that a list with one changed item yields operations within that item alone.
 */
export function createJsonPatch(before: Json, after: Json): JsonPatchOperation[] {
  checkDepth(before);
  checkDepth(after);
  return [...compare(before, after, [])];
}

type Path = readonly (string | number)[];

function* compare(before: Json, after: Json, path: Path): Generator<JsonPatchOperation> {
  if (isList(before) && isList(after)) yield* compareLists(before, after, path);
  else if (isObject(before) && isObject(after)) yield* compareObjects(before, after, path);
  else if (before !== after) yield { op: "replace", path: formatPointer(path), value: after };
}

function* compareObjects(before: JsonObject, after: JsonObject, path: Path): Generator<JsonPatchOperation> {
  for (const [name] of membersOf(before)) {
    if (memberOf(after, name) === undefined) yield { op: "remove", path: formatPointer([...path, name]) };
  }
  for (const [name, value] of membersOf(after)) {
    const old = memberOf(before, name);
    if (old === undefined) yield { op: "add", path: formatPointer([...path, name]), value };
    else if (old !== value) yield* compare(old, value, [...path, name]);
  }
}

/** Items that stayed split both lists into gaps; in a gap, items are compared in pairs, and the rest goes or comes. */
function* compareLists(
  before: readonly Json[],
  after: readonly Json[],
  path: Path,
): Generator<JsonPatchOperation> {
  let shift = 0;
  let [oldAt, newAt] = [0, 0];
  for (const [oldEnd, newEnd] of [...stayed(before, after), [before.length, after.length] as const]) {
    const pairs = Math.min(oldEnd - oldAt, newEnd - newAt);
    for (let at = 0; at < pairs; at++) {
      yield* compare(before[oldAt + at] as Json, after[newAt + at] as Json, [...path, oldAt + at + shift]);
    }
    for (let at = oldEnd - 1; at >= oldAt + pairs; at--) {
      yield { op: "remove", path: formatPointer([...path, at + shift]) };
    }
    for (let at = newAt + pairs; at < newEnd; at++) {
      yield { op: "add", path: formatPointer([...path, at]), value: after[at] as Json };
    }
    shift += newEnd - newAt - (oldEnd - oldAt);
    [oldAt, newAt] = [oldEnd + 1, newEnd + 1];
  }
}

/** Pairs of places with equal items, rising on both sides: as many as there can be, in lists of usual lengths. */
function stayed(before: readonly Json[], after: readonly Json[]): (readonly [number, number])[] {
  const shorter = Math.min(before.length, after.length);
  let head = 0;
  while (head < shorter && equalJson(before[head], after[head])) head++;
  let tail = 0;
  while (tail < shorter - head && equalJson(before.at(-1 - tail), after.at(-1 - tail))) tail++;
  const [oldEnd, newEnd] = [before.length - tail, after.length - tail];
  return [
    ...Array.from({ length: head }, (_, at) => [at, at] as const),
    ...longestCommon(before.slice(head, oldEnd), after.slice(head, newEnd)).map(
      ([a, b]) => [a + head, b + head] as const,
    ),
    ...Array.from({ length: tail }, (_, at) => [oldEnd + at, newEnd + at] as const),
  ];
}

function longestCommon(before: readonly Json[], after: readonly Json[]): (readonly [number, number])[] {
  const width = after.length + 1;
  if (before.length * after.length > MAX_TABLE) return [];
  const same = before.map((old) => after.map((one) => equalJson(old, one)));
  // lengths[i * width + j]: of the longest common sequence of what follows i and j.
  const lengths = new Uint32Array((before.length + 1) * width);
  for (let i = before.length - 1; i >= 0; i--) {
    for (let j = after.length - 1; j >= 0; j--) {
      lengths[i * width + j] = same[i]?.[j]
        ? (lengths[(i + 1) * width + j + 1] as number) + 1
        : Math.max(lengths[(i + 1) * width + j] as number, lengths[i * width + j + 1] as number);
    }
  }
  const pairs: [number, number][] = [];
  for (let [i, j] = [0, 0]; i < before.length && j < after.length;) {
    if (same[i]?.[j]) pairs.push([i++, j++]);
    else if ((lengths[(i + 1) * width + j] as number) >= (lengths[i * width + j + 1] as number)) i++;
    else j++;
  }
  return costOf(pairs, before.length, after.length) < costInPairs(same, after.length) ? pairs : [];
}

/** Operations at most, where each item of a gap that has a partner takes one. */
function costOf(pairs: readonly (readonly [number, number])[], oldLength: number, newLength: number): number {
  let cost = 0;
  let [oldAt, newAt] = [0, 0];
  for (const [oldEnd, newEnd] of [...pairs, [oldLength, newLength] as const]) {
    cost += Math.max(oldEnd - oldAt, newEnd - newAt);
    [oldAt, newAt] = [oldEnd + 1, newEnd + 1];
  }
  return cost;
}

function costInPairs(same: readonly (readonly boolean[])[], newLength: number): number {
  const kept = same.filter((row, at) => row[at]).length;
  return Math.max(same.length, newLength) - kept;
}
