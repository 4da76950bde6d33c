/** Reading plain JSON that nobody has checked. */
import type { JsonObject } from "../kubernetes/index.ts";

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The object at a member, or below several; an empty one where there is none. */
export function objectAt(value: unknown, ...path: readonly string[]): JsonObject {
  let found: unknown = value;
  for (const member of path) found = isObject(found) ? found[member] : undefined;
  return isObject(found) ? found : {};
}

export function objectsAt(value: unknown, ...path: readonly string[]): readonly JsonObject[] {
  const last = path.at(-1) ?? "";
  const list = objectAt(value, ...path.slice(0, -1))[last];
  return Array.isArray(list) ? list.filter(isObject) : [];
}

/** The text at a member; empty where there is none. */
export function textAt(value: unknown, ...path: readonly string[]): string {
  const text = objectAt(value, ...path.slice(0, -1))[path.at(-1) ?? ""];
  return typeof text === "string" ? text : "";
}

export function numberAt(value: unknown, member: string): number | undefined {
  const number = objectAt(value)[member];
  return typeof number === "number" ? number : undefined;
}
