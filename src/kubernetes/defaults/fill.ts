/** What defaulting does to one object: members that say nothing get a value, others are left alone. */
import type { Json, JsonObject } from "../objects/object.ts";
import { isAbsent, isSet, objectAt, withMembers } from "../objects/fields.ts";
import { canonicalQuantity } from "../objects/quantity.ts";

/** For texts: an empty one is as good as none. */
export function fillEmpty(
  object: JsonObject,
  defaults: { readonly [name: string]: Json | undefined },
): JsonObject {
  return fillWhere(object, defaults, (value) => !isSet(value));
}

/** For numbers that have no meaning at zero. */
export function fillZero(object: JsonObject, defaults: { readonly [name: string]: number }): JsonObject {
  return fillWhere(object, defaults, (value) => isAbsent(value) || value === 0);
}

/** For what Go holds by pointer: only what is not there. */
export function fillAbsent(
  object: JsonObject,
  defaults: { readonly [name: string]: Json | undefined },
): JsonObject {
  return fillWhere(object, defaults, isAbsent);
}

function fillWhere(
  object: JsonObject,
  defaults: { readonly [name: string]: Json | undefined },
  lacks: (value: Json | undefined) => boolean,
): JsonObject {
  const missing = Object.entries(defaults).filter(([name]) => lacks(object[name]));
  return withMembers(object, Object.fromEntries(missing));
}

/** Leaves out the texts, lists and maps that are empty, which the API never gives back. */
export function dropEmpty(object: JsonObject, names: readonly string[]): JsonObject {
  const empty = names.filter((name) => name in object && isEmpty(object[name]));
  return withMembers(object, Object.fromEntries(empty.map((name) => [name, undefined])));
}

/** Leaves out what is false or zero, where that is as good as nothing said. */
export function dropZero(object: JsonObject, names: readonly string[]): JsonObject {
  const zero = names.filter((name) => name in object && [false, 0, null].includes(object[name] as null));
  return withMembers(object, Object.fromEntries(zero.map((name) => [name, undefined])));
}

/** A map of amounts in the form the API gives back. */
export function canonicalAmounts(object: JsonObject, name: string): Json | undefined {
  const amounts = objectAt(object, name);
  if (amounts === undefined) return object[name];
  return withMembers(
    amounts,
    Object.fromEntries(Object.entries(amounts).map(([key, value]) => [key, canonicalAmount(value)])),
  );
}

/** Amounts may be written as numbers. */
export function canonicalAmount(value: Json | undefined): Json | undefined {
  if (typeof value === "number") return canonicalQuantity(String(value));
  return typeof value === "string" ? canonicalQuantity(value) : value;
}

function isEmpty(value: Json | undefined): boolean {
  if (isAbsent(value) || value === "") return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}
