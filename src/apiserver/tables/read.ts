/** Reading objects whose shape the API has already checked, without stumbling where it has not. */
import type { Json, JsonObject } from "../../kubernetes/index.ts";

export function isObject(value: Json | undefined): boolean {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

export function object(value: Json | undefined): JsonObject {
  return isObject(value) ? (value as JsonObject) : {};
}

export function objects(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.map((one: Json) => object(one)) : [];
}

export function text(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}

export function texts(value: Json | undefined): readonly string[] {
  return Array.isArray(value) ? value.filter((one: Json) => typeof one === "string") : [];
}

export function number(value: Json | undefined): number {
  return typeof value === "number" ? value : 0;
}

/** The words for what is not there. */
export const NONE = "<none>";

export function orNone(value: string): string {
  return value === "" ? NONE : value;
}
