/** Items of merged lists, told apart by one of their members. */
import { unexplained } from "../objects/status.ts";
import type { Json, JsonObject } from "../objects/object.ts";
import { badPatchType, PATCH } from "./directives.ts";
import { formatGoValue } from "./go-value.ts";
import { memberOf } from "./json.ts";

export interface PatchItems {
  readonly items: readonly JsonObject[];
  /** Whether the items stand for the whole list. */
  readonly replaces: boolean;
  readonly deletes: ReadonlySet<Json>;
}

export function itemsOf(patch: readonly JsonObject[], key: string): PatchItems {
  const items: JsonObject[] = [];
  const deletes = new Set<Json>();
  let replaces = false;
  for (const item of patch) {
    const directive = memberOf(item, PATCH);
    if (directive === undefined) items.push(item);
    else if (directive === "delete") deletes.add(keyOf(item, key));
    else if (directive === "replace") replaces = true;
    else if (directive === "merge") throw unexplained("merging lists cannot yet be specified in the patch");
    else throw badPatchType(directive, item);
  }
  for (const item of items) keyOf(item, key);
  return { items, replaces, deletes };
}

export function deletedKeys(deletes: ReadonlySet<Json>, item: JsonObject, key: string): boolean {
  const name = memberOf(item, key);
  return name !== undefined && deletes.has(name);
}

/** Where each key comes first. */
export function findByKey(items: readonly JsonObject[], key: string): Map<Json, number> {
  const places = new Map<Json, number>();
  for (const [at, item] of items.entries()) {
    const name = memberOf(item, key);
    if (name !== undefined && !places.has(name)) places.set(name, at);
  }
  return places;
}

export function keyOf(item: JsonObject, key: string): Json {
  const name = memberOf(item, key);
  if (name !== undefined) return name;
  throw unexplained(`map: ${formatGoValue(item)} does not contain declared merge key: ${key}`);
}
