/** Words of strategic merge patches that stand among the members. */
import { badRequest, type StatusError, unexplained } from "../objects/status.ts";
import type { Json, JsonObject } from "../objects/object.ts";
import { formatGoValue } from "./go-value.ts";
import { isList, isObject, memberOf, membersOf } from "./json.ts";

export const PATCH = "$patch";
export const RETAIN_KEYS = "$retainKeys";
export const SET_ORDER = "$setElementOrder";
export const DELETE_FROM_LIST = "$deleteFromPrimitiveList";

const MALFORMED: Readonly<Record<string, string>> = {
  [SET_ORDER]: "invalid patch format of setElementOrder list",
  [DELETE_FROM_LIST]: "invalid patch format of primitive list",
};

export function isPrefixed(name: string, directive: string): boolean {
  return name.startsWith(directive);
}

/** `$setElementOrder/containers` is about `containers`. */
export function listNameIn(name: string, directive: string): string {
  if (!name.startsWith(`${directive}/`)) throw badRequest(MALFORMED[directive] ?? "");
  return name.slice(directive.length + 1);
}

export function badPatchType(directive: Json, around: JsonObject): StatusError {
  return unexplained(`unknown patch type: ${formatGoValue(directive)} in map: ${formatGoValue(around)}`);
}

/**
 * What is new is taken as it is, but for nulls, which have nothing to delete, and directives, which have nothing to
 * direct; undefined where all of it asks to be deleted.
 */
export function withoutDirectives(value: Json): Json | undefined {
  if (isList(value)) {
    return value.map((item) => withoutDirectives(item)).filter((item) => item !== undefined);
  }
  if (!isObject(value)) return value;
  if (memberOf(value, PATCH) === "delete") return undefined;
  const members = membersOf(value)
    .filter(([name, member]) => member !== null && !isDirective(name))
    .map(([name, member]) => [name, withoutDirectives(member)] as const)
    .filter((member): member is [string, Json] => member[1] !== undefined);
  return Object.fromEntries(members);
}

function isDirective(name: string): boolean {
  if (name === PATCH || name === RETAIN_KEYS) return true;
  return name.startsWith(SET_ORDER) || name.startsWith(DELETE_FROM_LIST);
}
