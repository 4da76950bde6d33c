/** An object without some of its fields. */
import type { Json } from "../objects/object.ts";
import { type FieldSet, isEmptySet } from "./field-set.ts";
import { isList, isObject, membersOf } from "./json.ts";
import { itemPlace, memberPlace, type Place } from "./place.ts";
import { shapeOf, stepOf } from "./typed-walk.ts";

/** Lists and objects that have nothing left become null; leaves are removed as a whole or not at all. */
export function removeFields(value: Json, fields: FieldSet, place: Place | undefined): Json {
  const shape = shapeOf(place, value);
  if (shape === "members" && isObject(value)) {
    const left = membersOf(value).flatMap(([name, member]): [string, Json][] => {
      const below = fields.children.get(`f:${name}`);
      const kept = keep(member, below, memberPlace(place, name));
      return kept === undefined ? [] : [[name, kept]];
    });
    return left.length === 0 ? null : Object.fromEntries(left);
  }
  if (shape === "items" && isList(value) && place !== undefined) {
    const left = value.flatMap((item) => {
      const below = fields.children.get(stepOf(place, item) ?? "");
      const kept = keep(item, below, itemPlace(place));
      return kept === undefined ? [] : [kept];
    });
    return left.length === 0 ? null : left;
  }
  return value;
}

function keep(value: Json, below: FieldSet | undefined, place: Place | undefined): Json | undefined {
  if (below === undefined || (!below.owned && isEmptySet(below))) return value;
  return below.owned ? undefined : removeFields(value, below, place);
}

/** Adds the declared fields on the way to a field of the set, which sets commonly leave out. */
export function withNamedFields(set: FieldSet, place: Place | undefined): FieldSet {
  if (set.children.size === 0) return set;
  const children = new Map<string, FieldSet>();
  for (const [step, child] of set.children) {
    const below = step.startsWith("f:") ? memberPlace(place, step.slice(2)) : itemPlace(place);
    const inner = withNamedFields(child, below);
    const named = below?.field !== undefined && inner.children.size > 0;
    children.set(step, named && !inner.owned ? { owned: true, children: inner.children } : inner);
  }
  return { owned: set.owned, children };
}
