/** What server-side apply reads from the types: which values are one leaf, and what tells items of a list apart. */
import type { Json } from "../objects/object.ts";
import { keyStep, valueStep } from "./field-set.ts";
import { isList, isObject, memberOf } from "./json.ts";
import { itemPlace, memberPlace, type Place } from "./place.ts";

export type Shape =
  /** Taken or left as a whole. */
  "leaf" | "members" | "items";

/** @param value decides where the type leaves it open */
export function shapeOf(place: Place | undefined, value: Json | undefined): Shape {
  if (place === undefined) return isObject(value) ? "members" : "leaf";
  const { field, schema } = place;
  if (schema.kind === "list") return (field?.listType ?? "atomic") === "atomic" ? "leaf" : "items";
  const hasMembers = schema.kind === "struct" || schema.kind === "map";
  return hasMembers && (field?.mapType ?? schema.mapType) === "granular" ? "members" : "leaf";
}

/** The step to an item; undefined where it lacks a key that has no default. */
export function stepOf(list: Place, item: Json): string | undefined {
  if (list.field?.listType === "set") return valueStep(item);
  if (!isObject(item)) return undefined;
  const keys: [string, Json][] = [];
  for (const name of list.field?.listMapKeys ?? []) {
    const value = memberOf(item, name) ?? memberPlace(itemPlace(list), name)?.field?.default;
    if (value === undefined) return undefined;
    keys.push([name, value]);
  }
  return keyStep(keys);
}

/** Items by their steps, in order; a step's first item stands for it. */
export function itemsByStep(list: Place, items: Json | undefined): ReadonlyMap<string, Json[]> {
  const found = new Map<string, Json[]>();
  if (!isList(items)) return found;
  for (const [at, item] of items.entries()) {
    const step = stepOf(list, item) ?? `i:${at}`;
    const same = found.get(step);
    if (same === undefined) found.set(step, [item]);
    else same.push(item);
  }
  return found;
}
