import type { JsonObject } from "../kubernetes/index.ts";

/** Reading JSON that nobody checked: what isn't as it should be is taken for absent. */
export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function objectsOf(value: unknown): readonly JsonObject[] {
  return Array.isArray(value) && value.every(isObject) ? value : [];
}

/** Empty where there is no text. */
export function textOf(value: unknown): string {
  return typeof value === "string" ? value : "";
}
