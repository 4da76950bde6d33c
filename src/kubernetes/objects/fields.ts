/**
 * Members of plain JSON objects, read as Go's types would hold them: what is absent, null or of another type is the
 * type's zero value. Types were checked when the object was decoded; nothing here complains.
 */
import type { Json, JsonObject } from "./object.ts";

export function asObject(value: Json | undefined): JsonObject | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as JsonObject)
    : undefined;
}

/** A member that is an object; undefined is a nil pointer. */
export function objectAt(from: JsonObject | undefined, name: string): JsonObject | undefined {
  return asObject(from?.[name]);
}

/** Objects of a list. */
export function objectsAt(from: JsonObject | undefined, name: string): readonly JsonObject[] {
  return listAt(from, name).map((item) => asObject(item) ?? {});
}

export function listAt(from: JsonObject | undefined, name: string): readonly Json[] {
  const value = from?.[name];
  return Array.isArray(value) ? (value as readonly Json[]) : [];
}

export function textsAt(from: JsonObject | undefined, name: string): readonly string[] {
  return listAt(from, name).map((item) => (typeof item === "string" ? item : ""));
}

export function textAt(from: JsonObject | undefined, name: string): string {
  const value = from?.[name];
  return typeof value === "string" ? value : "";
}

/** A text, a number or a flag as text; nothing of anything else. */
export function scalarText(value: Json | undefined): string {
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean"
    ? String(value)
    : "";
}

/** Undefined where it's absent, as of a pointer. */
export function numberAt(from: JsonObject | undefined, name: string): number | undefined {
  const value = from?.[name];
  return typeof value === "number" ? value : undefined;
}

export function flagAt(from: JsonObject | undefined, name: string): boolean {
  return from?.[name] === true;
}

/** A map's entries in the order of their keys, which is how maps are gone through where order shows. */
export function entriesAt(from: JsonObject | undefined, name: string): readonly (readonly [string, Json])[] {
  const map = objectAt(from, name);
  if (map === undefined) return [];
  return Object.entries(map)
    .filter((entry): entry is [string, Json] => entry[1] !== undefined)
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

export function isAbsent(value: Json | undefined): value is null | undefined {
  return value === undefined || value === null;
}

/** Whether something is said: neither absent nor, as a text, empty. */
export function isSet(value: Json | undefined): boolean {
  return !isAbsent(value) && value !== "";
}

/** A copy with members replaced, or the very object where nothing is another. */
export function withMembers<T extends JsonObject>(
  object: T,
  members: { readonly [name: string]: Json | undefined },
): T {
  const changed = Object.entries(members).filter(([name, value]) => object[name] !== value);
  if (changed.length === 0) return object;
  const copy: Record<string, Json | undefined> = { ...object };
  for (const [name, value] of changed) {
    if (value === undefined) delete copy[name];
    else copy[name] = value;
  }
  return copy as T;
}

/** A list's objects, each through `change`; absent lists stay absent. */
export function mapObjects(
  from: JsonObject,
  name: string,
  change: (item: JsonObject) => JsonObject,
): Json | undefined {
  const list = from[name];
  if (!Array.isArray(list)) return list;
  const items = list as readonly Json[];
  const changed = items.map((item) => {
    const object = asObject(item);
    return object === undefined ? item : change(object);
  });
  return changed.every((item, index) => item === items[index]) ? list : changed;
}

/** A member that is an object, through `change`; one that is absent stays absent. */
export function mapObject(
  from: JsonObject,
  name: string,
  change: (member: JsonObject) => JsonObject,
): Json | undefined {
  const member = objectAt(from, name);
  return member === undefined ? from[name] : change(member);
}

/** A map's value; what every object has from its prototype is not in it. */
export function ownValue(map: JsonObject | undefined, key: string): Json | undefined {
  return map !== undefined && Object.hasOwn(map, key) ? map[key] : undefined;
}

/** Whether two values are the same JSON; the order of members doesn't count, an absent one is as undefined. */
export function sameJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    if (!Array.isArray(a) || !Array.isArray(b) || a.length !== b.length) return false;
    const others = b as readonly Json[];
    return (a as readonly Json[]).every((item, index) => sameJson(item, others[index]));
  }
  const left = a as JsonObject;
  const right = b as JsonObject;
  const names = new Set([...Object.keys(left), ...Object.keys(right)]);
  return [...names].every((name) => sameJson(ownValue(left, name), ownValue(right, name)));
}
