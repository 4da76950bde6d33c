/** What defaulting does to one object: members that say nothing get a value, others are left alone. */
import type { Json, JsonObject } from "../objects/object.ts";
import { isAbsent, isSet, withMembers } from "../objects/fields.ts";

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
