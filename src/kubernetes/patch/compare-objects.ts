/** What changed between two states of an object, as sets of fields. */
import type { Json } from "../objects/object.ts";
import { FieldSetBuilder } from "./field-set.ts";
import { equalJson, isList, isObject, memberOf, membersOf } from "./json.ts";
import { itemPlace, memberPlace, type Place } from "./place.ts";
import { itemsByStep, shapeOf } from "./typed-walk.ts";

export interface Comparison {
  readonly added: FieldSetBuilder;
  readonly removed: FieldSetBuilder;
  readonly modified: FieldSetBuilder;
}

export function compareObjects(before: Json, after: Json, place: Place): Comparison {
  const all: Comparison = {
    added: new FieldSetBuilder(),
    removed: new FieldSetBuilder(),
    modified: new FieldSetBuilder(),
  };
  if (before !== after) walk(all, [before, after], place);
  // The object itself is nobody's.
  for (const set of [all.added, all.removed, all.modified]) set.owned = false;
  return all;
}

type Pair = readonly [before: Json | undefined, after: Json | undefined];

function walk(at: Comparison, [before, after]: Pair, place: Place | undefined): void {
  const shape = shapeOf(place, after ?? before);
  if (shape === "leaf" || (isBare(before) && isBare(after))) {
    if (before === undefined) at.added.owned = true;
    else if (after === undefined) at.removed.owned = true;
    else if (!equalJson(before, after)) at.modified.owned = true;
    return;
  }
  if (shape === "members") walkMembers(at, [before, after], place);
  else walkItems(at, [before, after], place as Place);
  if (before === undefined) at.added.owned = true;
  else if (after === undefined) at.removed.owned = true;
}

/** Nothing to go down to: then whether it is empty, null or absent makes the difference. */
function isBare(value: Json | undefined): boolean {
  if (isList(value)) return value.length === 0;
  return !isObject(value) || membersOf(value).length === 0;
}

function walkMembers(at: Comparison, [before, after]: Pair, place: Place | undefined): void {
  const old = isObject(before) ? before : {};
  const now = isObject(after) ? after : {};
  for (const [name, value] of membersOf(old)) {
    const other = memberOf(now, name);
    if (other !== value) walkStep(at, `f:${name}`, [value, other], memberPlace(place, name));
  }
  for (const [name, value] of membersOf(now)) {
    if (memberOf(old, name) === undefined) {
      walkStep(at, `f:${name}`, [undefined, value], memberPlace(place, name));
    }
  }
}

function walkItems(at: Comparison, [before, after]: Pair, place: Place): void {
  const old = itemsByStep(place, before);
  const now = itemsByStep(place, after);
  for (const step of new Set([...old.keys(), ...now.keys()])) {
    const [left, right] = [old.get(step) ?? [], now.get(step) ?? []];
    const item = itemPlace(place);
    if (left.length < 2 && right.length < 2) walkStep(at, step, [left[0], right[0]], item);
    // Several with one key count as a single leaf.
    else if (left.length > 1 && right.length > 1) {
      if (!equalJson(left, right)) at.modified.child(step).owned = true;
    } else if (left.length > 1) {
      if (right.length > 0) walkStep(at, step, [undefined, right[0]], item);
      at.removed.child(step).owned = true;
    } else {
      if (left.length > 0) walkStep(at, step, [left[0], undefined], item);
      at.added.child(step).owned = true;
    }
  }
}

function walkStep(at: Comparison, step: string, pair: Pair, place: Place | undefined): void {
  const below: Comparison = {
    added: new FieldSetBuilder(),
    removed: new FieldSetBuilder(),
    modified: new FieldSetBuilder(),
  };
  walk(below, pair, place);
  for (const name of ["added", "removed", "modified"] as const) {
    const found = below[name];
    if (!found.owned && found.children.size === 0) continue;
    const child = at[name].children.get(step);
    if (child === undefined) at[name].children.set(step, found);
    else {
      child.owned ||= found.owned;
      for (const [inner, set] of found.children) child.children.set(inner, set);
    }
  }
}
