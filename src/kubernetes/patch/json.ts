/**
 * JSON values as patches see them. Member names come from outside: `__proto__` and `constructor` are names like any
 * other here, so members are read through `memberOf` alone and written by definition, never by assignment.
 */
import { badRequest } from "../objects/status.ts";
import type { Json, JsonObject } from "../objects/object.ts";

/** Recursion below goes this deep; no object of the API has a tenth of it. */
const MAX_DEPTH = 1000;

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function isList(value: Json | undefined): value is readonly Json[] {
  return Array.isArray(value);
}

export function memberOf(value: JsonObject, name: string): Json | undefined {
  return Object.hasOwn(value, name) ? value[name] : undefined;
}

export function hasMember(value: JsonObject, name: string): boolean {
  return memberOf(value, name) !== undefined;
}

/** Members that are there; those that are undefined aren't. */
export function membersOf(value: JsonObject): [name: string, value: Json][] {
  return Object.entries(value).filter((member): member is [string, Json] => member[1] !== undefined);
}

/** A copy with the member set; in its old place where it had one. */
export function withMember(value: JsonObject, name: string, member: Json): JsonObject {
  return { ...value, [name]: member };
}

export function withoutMember(value: JsonObject, name: string): JsonObject {
  if (!Object.hasOwn(value, name)) return value;
  const copy: Record<string, Json | undefined> = { ...value };
  Reflect.deleteProperty(copy, name);
  return copy;
}

/** @param b decides how deep this looks: it may be held to a depth while `a` isn't */
export function equalJson(a: Json | undefined, b: Json | undefined): boolean {
  if (a === b) return true;
  if (isList(a)) {
    return isList(b) && a.length === b.length && a.every((item, at) => equalJson(item, b[at]));
  }
  if (!isObject(a) || !isObject(b)) return false;
  let count = 0;
  for (const name of Object.keys(a)) {
    const one = a[name];
    if (one === undefined) continue;
    count++;
    if (!equalJson(one, memberOf(b, name))) return false;
  }
  for (const name of Object.keys(b)) if (b[name] !== undefined) count--;
  return count === 0;
}

export interface Extent {
  /** About the bytes of its JSON. */
  readonly size: number;
  /** Lists and objects within one another. */
  readonly depth: number;
}

/** Measures without recursion, and stops once `limit` bytes are counted. */
export function extentOf(value: Json, limit: number = Number.POSITIVE_INFINITY): Extent {
  let size = 0;
  let deepest = 0;
  const rest: [value: Json, depth: number][] = [[value, 1]];
  for (let next = rest.pop(); next !== undefined && size <= limit; next = rest.pop()) {
    const [one, depth] = next;
    if (typeof one === "string") size += one.length + 2;
    else if (typeof one !== "object" || one === null) size += String(one).length;
    else {
      deepest = Math.max(deepest, depth);
      size += 2;
      if (isList(one)) for (const item of one) rest.push([item, depth + 1]);
      else {
        for (const [name, member] of membersOf(one as JsonObject)) {
          size += name.length + 4;
          rest.push([member, depth + 1]);
        }
      }
    }
  }
  return { size, depth: deepest };
}

/** @throws StatusError (BadRequest) for what is nested too deep to be walked */
export function checkDepth(value: Json): void {
  if (isDeeper(value, MAX_DEPTH)) throw badRequest("exceeded max depth");
}

function isDeeper(value: Json | undefined, limit: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (limit === 0) return true;
  if (isList(value)) return value.some((item) => isDeeper(item, limit - 1));
  const object = value as JsonObject;
  for (const name of Object.keys(object)) if (isDeeper(object[name], limit - 1)) return true;
  return false;
}
