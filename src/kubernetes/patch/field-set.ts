/**
 * Sets of fields, as `managedFields` writes them: a tree whose steps are
 *
 * | step | |
 * |---|---|
 * | `f:name` | a member |
 * | `k:{"name":"web"}` | the item of a list with these keys |
 * | `v:"value"` | the value in a list that is a set |
 * | `i:0` | the item at a place |
 *
 * and in which `.` stands for the place itself, where only some of what is below belongs to the set as well.
 */
import { compareBytes } from "../../internal/go/utf8.ts";
import { encodeJson, type GoJson } from "../../internal/go/json-encode.ts";
import type { Json, JsonObject } from "../objects/object.ts";
import { isObject, membersOf } from "./json.ts";

export interface FieldSet {
  /** Whether the place itself belongs to the set. */
  readonly owned: boolean;
  readonly children: ReadonlyMap<string, FieldSet>;
}

export const NO_FIELDS: FieldSet = { owned: false, children: new Map() };
const LEAF: FieldSet = { owned: true, children: new Map() };

/** One that is being put together. */
export class FieldSetBuilder implements FieldSet {
  owned: boolean = false;
  readonly children: Map<string, FieldSetBuilder> = new Map();

  insert(path: readonly string[], from: number = 0): void {
    const step = path[from];
    if (step === undefined) this.owned = true;
    else this.child(step).insert(path, from + 1);
  }

  child(step: string): FieldSetBuilder {
    const found = this.children.get(step);
    if (found !== undefined) return found;
    const made = new FieldSetBuilder();
    this.children.set(step, made);
    return made;
  }
}

/** @param paths of steps, such as `["f:metadata", "f:name"]` */
export function fieldSetOf(paths: readonly (readonly string[])[]): FieldSet {
  const set = new FieldSetBuilder();
  for (const path of paths) set.insert(path);
  return set;
}

export function isEmptySet(set: FieldSet): boolean {
  if (set.owned) return false;
  for (const child of set.children.values()) if (!isEmptySet(child)) return false;
  return true;
}

export function union(a: FieldSet, b: FieldSet): FieldSet {
  if (b.children.size === 0 && (a.owned || !b.owned)) return a;
  if (a.children.size === 0 && (b.owned || !a.owned)) return b;
  const children = new Map(a.children);
  for (const [step, child] of b.children) {
    const old = children.get(step);
    children.set(step, old === undefined ? child : union(old, child));
  }
  return { owned: a.owned || b.owned, children };
}

/** Fields of `a` that aren't in `b`; what lies below a field of `b` stays. */
export function difference(a: FieldSet, b: FieldSet): FieldSet {
  return combine(a, b, (mine, theirs) => mine && !theirs);
}

/** Like {@link difference}, but all that lies below a field of `b` goes with it. */
export function differenceWithin(a: FieldSet, b: FieldSet): FieldSet {
  if (b.owned) return NO_FIELDS;
  const children = new Map<string, FieldSet>();
  for (const [step, child] of a.children) {
    const other = b.children.get(step);
    const left = other === undefined ? child : differenceWithin(child, other);
    if (!isEmptySet(left)) children.set(step, left);
  }
  return { owned: a.owned, children };
}

export function intersection(a: FieldSet, b: FieldSet): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [step, child] of a.children) {
    const other = b.children.get(step);
    const both = other === undefined ? NO_FIELDS : intersection(child, other);
    if (!isEmptySet(both)) children.set(step, both);
  }
  return { owned: a.owned && b.owned, children };
}

function combine(a: FieldSet, b: FieldSet, keeps: (mine: boolean, theirs: boolean) => boolean): FieldSet {
  const children = new Map<string, FieldSet>();
  for (const [step, child] of a.children) {
    const other = b.children.get(step);
    const left = other === undefined ? child : combine(child, other, keeps);
    if (!isEmptySet(left)) children.set(step, left);
  }
  return { owned: keeps(a.owned, b.owned), children };
}

/** The paths of a set; those of one place before those below it. */
export function* pathsOf(set: FieldSet, above: readonly string[] = []): Generator<readonly string[]> {
  const children = sortedChildren(set);
  for (const [step, child] of children) if (child.owned) yield [...above, step];
  for (const [step, child] of children) yield* pathsOf(child, [...above, step]);
}

/** As in `fieldsV1`. */
export function formatFields(set: FieldSet): JsonObject {
  const members: [string, Json][] = set.owned && set.children.size > 0 ? [[".", {}]] : [];
  for (const [step, child] of sortedChildren(set)) members.push([step, formatFields(child)]);
  return Object.fromEntries(members);
}

/** Undefined for what isn't written as a set of fields. */
export function parseFields(fields: Json | undefined): FieldSet | undefined {
  if (!isObject(fields)) return undefined;
  const children = new Map<string, FieldSet>();
  let owned = false;
  for (const [step, below] of membersOf(fields)) {
    if (step === ".") {
      owned = true;
      continue;
    }
    const key = canonicalStep(step);
    const child = isObject(below) && membersOf(below).length === 0 ? LEAF : parseFields(below);
    if (key === undefined || child === undefined) return undefined;
    children.set(key, child);
  }
  return { owned, children };
}

export function keyStep(keys: readonly (readonly [name: string, value: Json])[]): string {
  const sorted = keys.toSorted(([a], [b]) => compareBytes(a, b));
  return `k:${encodeJson(Object.fromEntries(sorted) as GoJson)}`;
}

export function valueStep(value: Json): string {
  return `v:${encodeJson(value as GoJson)}`;
}

function canonicalStep(step: string): string | undefined {
  if (step.startsWith("f:")) return step;
  if (step.startsWith("i:")) return /^i:\d{1,9}$/.test(step) ? step : undefined;
  if (!step.startsWith("k:") && !step.startsWith("v:")) return undefined;
  const value = parse(step.slice(2));
  if (value === undefined) return undefined;
  if (step.startsWith("v:")) return valueStep(value);
  return isObject(value) ? keyStep(membersOf(value)) : undefined;
}

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return undefined;
  }
}

function sortedChildren(set: FieldSet): (readonly [string, FieldSet])[] {
  return [...set.children].toSorted(([a], [b]) => compareSteps(a, b));
}

const RANKS = "fkvi";

function compareSteps(a: string, b: string): number {
  if (a[0] !== b[0]) return RANKS.indexOf(a[0] ?? "") - RANKS.indexOf(b[0] ?? "");
  if (a[0] === "f") return compareBytes(a, b);
  const [left, right] = [parse(a.slice(2)) ?? null, parse(b.slice(2)) ?? null];
  return isObject(left) && isObject(right)
    ? compareKeys(membersOf(left), membersOf(right))
    : compareValues(left, right);
}

function compareKeys(a: readonly [string, Json][], b: readonly [string, Json][]): number {
  for (const [at, [name, value]] of a.entries()) {
    const other = b[at];
    if (other === undefined) return 1;
    const order = compareBytes(name, other[0]) || compareValues(value, other[1]);
    if (order !== 0) return order;
  }
  return a.length - b.length;
}

function compareValues(a: Json, b: Json): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "number" || typeof b === "number") return typeof a === "number" ? -1 : 1;
  return compareBytes(JSON.stringify(a), JSON.stringify(b));
}
