/**
 * Strategic merge patch: a merge patch that knows the types. Lists whose type names a merge key are merged item by
 * item; lists of plain values are merged as sets where the type says so; all others are replaced.
 *
 * | directive | |
 * |---|---|
 * | `"$patch": "replace"` | in an object: the rest of it replaces the old one; in an item: the items beside it replace the old list |
 * | `"$patch": "delete"` | in an object: empties it; in an item: removes the item with this key |
 * | `"$retainKeys": [name…]` | drops all other members |
 * | `"$setElementOrder/list": [key or value…]` | orders what it names; the rest keeps its place as well as can be |
 * | `"$deleteFromPrimitiveList/list": [value…]` | removes values |
 */
import { badRequest, unexplained } from "../objects/status.ts";
import type { Json, JsonObject } from "../objects/object.ts";
import {
  badPatchType,
  DELETE_FROM_LIST,
  isPrefixed,
  listNameIn,
  PATCH,
  RETAIN_KEYS,
  SET_ORDER,
  withoutDirectives,
} from "./directives.ts";
import { goTypeOf, wireTypeOf } from "./go-value.ts";
import { checkDepth, isList, isObject, memberOf, membersOf } from "./json.ts";
import { itemPlace, memberPlace, type Place, rootPlace } from "./place.ts";
import { checkOrder, mergeOrder, mergeScalars, removeScalars } from "./strategic-list.ts";
import { deletedKeys, findByKey, itemsOf } from "./strategic-items.ts";

/**
 * @param schema as in `ApiResource.schema`, such as `io.k8s.api.core.v1.Pod`
 * @throws StatusError in the API server's words; code 500 without a reason where it gives none
 */
export function applyStrategicMergePatch(object: JsonObject, patch: Json, schema: string): JsonObject {
  checkDepth(patch);
  if (!isObject(patch)) {
    throw badRequest(
      `json: cannot unmarshal ${wireTypeOf(patch)} into Go value of type map[string]interface {}`,
    );
  }
  return mergeObjects(object, patch, rootPlace(schema));
}

function mergeObjects(original: JsonObject, patch: JsonObject, place: Place | undefined): JsonObject {
  const directive = memberOf(patch, PATCH);
  if (directive === "replace") return Object.fromEntries(membersOf(patch).filter(([name]) => name !== PATCH));
  if (directive === "delete") return {};
  if (directive !== undefined) throw badPatchType(directive, patch);

  const changes = new Map(membersOf(patch));
  const merged = new Map(membersOf(original));
  retainKeys(merged, changes);
  applyOrders(merged, changes, place);
  for (const [name, value] of changes) {
    if (isPrefixed(name, DELETE_FROM_LIST)) removeFrom(merged, listNameIn(name, DELETE_FROM_LIST), value);
    else mergeMember(merged, [name, value], place);
  }
  return Object.fromEntries(merged);
}

function mergeMember(
  merged: Map<string, Json>,
  [name, value]: readonly [string, Json],
  place: Place | undefined,
): void {
  const old = merged.get(name);
  if (value === null) merged.delete(name);
  else if (isObject(old) && isObject(value)) {
    const field = declared(place, name);
    merged.set(name, strategyOf(field) === "replace" ? value : mergeObjects(old, value, field));
  } else if (isList(old) && isList(value)) merged.set(name, mergeLists(old, value, declared(place, name)));
  else if (typeof value !== "object") merged.set(name, value);
  else {
    const plain = withoutDirectives(value);
    if (plain === undefined) merged.delete(name);
    else merged.set(name, plain);
  }
}

function mergeLists(original: readonly Json[], patch: readonly Json[], place: Place): readonly Json[] {
  if (strategyOf(place) !== "merge") return patch;
  if (original.length === 0 && patch.length === 0) return original;
  const key = place.field?.mergeKey;
  if (kindOf(original, patch) !== "map[string]interface {}") {
    return mergeOrder({ merged: mergeScalars(original, patch), patchOrder: patch, liveOrder: original, key });
  }
  if (key === undefined) throw unexplained(`cannot merge lists without merge key for ${place.schema.name}`);
  const { items, replaces, deletes } = itemsOf(patch as readonly JsonObject[], key);
  const kept = replaces
    ? items
    : (original as readonly JsonObject[]).filter((item) => !deletedKeys(deletes, item, key));
  const changes = replaces ? [] : items;
  const merged = mergeItems(kept, changes, { key, place: itemPlace(place) });
  return mergeOrder({ merged, patchOrder: changes, liveOrder: kept, key });
}

function mergeItems(
  original: readonly JsonObject[],
  patch: readonly JsonObject[],
  list: { readonly key: string; readonly place: Place | undefined },
): readonly JsonObject[] {
  const merged = [...original];
  const places = findByKey(merged, list.key);
  for (const item of patch) {
    const name = memberOf(item, list.key) as Json;
    const at = places.get(name);
    if (at !== undefined) merged[at] = mergeObjects(merged[at] as JsonObject, item, list.place);
    else {
      places.set(name, merged.length);
      merged.push(withoutDirectives(item) as JsonObject);
    }
  }
  return merged;
}

/** Lists that the patch puts in order: merged here, and then gone from what is left to merge. */
function applyOrders(merged: Map<string, Json>, changes: Map<string, Json>, place: Place | undefined): void {
  for (const [directive, order] of Array.from(changes)) {
    if (!isPrefixed(directive, SET_ORDER)) continue;
    changes.delete(directive);
    if (!isList(order)) throw unexplained(`expected a []interface {}, but received a ${goTypeOf(order)}`);
    const name = listNameIn(directive, SET_ORDER);
    const old = listIn(merged, name);
    const patch = listIn(changes, name);
    const field = declared(place, name);
    const key = field.field?.mergeKey;
    if (patch !== undefined) checkOrder(patch, order, key);
    if (old === undefined && patch === undefined) continue;
    changes.delete(name);
    kindOf(old ?? [], patch ?? []);
    const list =
      patch === undefined
        ? (old ?? [])
        : old === undefined
          ? (withoutDirectives(patch) as readonly Json[])
          : mergeLists(old, patch, field);
    merged.set(name, mergeOrder({ merged: list, patchOrder: order, liveOrder: old ?? [], key }));
  }
}

function listIn(members: ReadonlyMap<string, Json>, name: string): readonly Json[] | undefined {
  const value = members.get(name);
  if (value === undefined || isList(value)) return value;
  throw unexplained(`expected a []interface {}, but received a ${goTypeOf(value)}`);
}

function removeFrom(merged: Map<string, Json>, name: string, values: Json): void {
  if (values === null) {
    merged.delete(name);
    return;
  }
  const old = merged.get(name);
  if (isList(old) && isList(values)) merged.set(name, removeScalars(old, values));
}

function retainKeys(merged: Map<string, Json>, changes: Map<string, Json>): void {
  const retained = changes.get(RETAIN_KEYS);
  if (retained === undefined) return;
  changes.delete(RETAIN_KEYS);
  if (!isList(retained)) throw badRequest("invalid patch format of retainKeys");
  const names = new Set(retained);
  for (const [name, value] of changes) {
    const counts = value !== null && !isPrefixed(name, DELETE_FROM_LIST) && !isPrefixed(name, SET_ORDER);
    if (counts && !names.has(name)) throw badRequest("invalid patch format of retainKeys");
  }
  for (const name of Array.from(merged.keys())) if (!names.has(name)) merged.delete(name);
}

function declared(place: Place | undefined, name: string): Place {
  const found = memberPlace(place, name);
  if (found !== undefined) return found;
  const struct = place?.schema.name.slice(place.schema.name.lastIndexOf(".") + 1) ?? "";
  throw unexplained(`unable to find api field in struct ${struct} for the json field "${name}"`);
}

/** Besides `retainKeys`, which clients heed when they make a patch. */
function strategyOf(place: Place): string {
  return place.field?.patchStrategies.find((one) => one !== "retainKeys") ?? "";
}

/** The type that all elements have. */
function kindOf(...lists: readonly (readonly Json[])[]): string {
  const types = new Set(lists.flat().map((item) => goTypeOf(item)));
  const [type] = types;
  if (type === undefined) throw unexplained("no elements in any of the given slices");
  if (type === "[]interface {}") throw badRequest("lists of lists are not supported");
  if (types.size > 1) throw unexplained("list element types are not identical");
  return type;
}
