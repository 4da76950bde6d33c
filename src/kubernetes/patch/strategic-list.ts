/** The order of merged lists, and lists of plain values. */
import { unexplained } from "../objects/status.ts";
import type { Json } from "../objects/object.ts";
import { PATCH, SET_ORDER } from "./directives.ts";
import { formatGoValue } from "./go-value.ts";
import { equalJson, isObject, memberOf } from "./json.ts";
import { keyOf } from "./strategic-items.ts";

export function mergeScalars(original: readonly Json[], patch: readonly Json[]): readonly Json[] {
  return [...new Set([...original, ...patch])];
}

export function removeScalars(original: readonly Json[], values: readonly Json[]): readonly Json[] {
  const gone = new Set(values);
  return original.filter((value) => !gone.has(value));
}

export interface Order {
  readonly merged: readonly Json[];
  /** What the patch says comes first of two; items or, of lists without a merge key, values. */
  readonly patchOrder: readonly Json[];
  readonly liveOrder: readonly Json[];
  readonly key: string | undefined;
}

/**
 * What the patch names stands in the patch's order, what it doesn't name in the live list's. An item of the second
 * kind goes before the next of the first if it stood there before; otherwise as late as may be.
 */
export function mergeOrder({ merged, patchOrder, liveOrder, key }: Order): readonly Json[] {
  const wanted = placesOf(patchOrder, key);
  const live = placesOf(liveOrder, key);
  const { named, others } = splitBy(merged, wanted, key);
  sortBy(named, wanted, key);
  sortBy(others, live, key);
  const result: Json[] = [];
  for (let [i, j] = [0, 0]; i < others.length || j < named.length;) {
    const other = others[i];
    const next = named[j];
    if (other === undefined) result.push(named[j++] as Json);
    else if (next === undefined) result.push(others[i++] as Json);
    else {
      const before = (live.get(nameOf(other, key)) ?? Infinity) < (live.get(nameOf(next, key)) ?? -1);
      result.push((before ? others[i++] : named[j++]) as Json);
    }
  }
  return result;
}

function splitBy(
  items: readonly Json[],
  places: ReadonlyMap<Json, number>,
  key: string | undefined,
): { readonly named: Json[]; readonly others: Json[] } {
  const named: Json[] = [];
  const others: Json[] = [];
  for (const item of items) (places.has(nameOf(item, key)) ? named : others).push(item);
  return { named, others };
}

/** A patch may not bring its items in another order than it asks for. */
export function checkOrder(patch: readonly Json[], order: readonly Json[], key: string | undefined): void {
  if (patch.length === 0 || order.length === 0) return;
  const items = patch.filter((item) => !isObject(item) || memberOf(item, PATCH) !== "delete");
  let found = 0;
  for (const name of order) {
    const item = items[found];
    if (item !== undefined && equalJson(nameOf(item, key), nameOf(name, key))) found++;
  }
  if (found < items.length) {
    const texts = `${formatGoValue(patch)}\n doesn't match ${SET_ORDER} list:\n${formatGoValue(order)}`;
    throw unexplained(`The order in patch list:\n${texts}\n`);
  }
}

function placesOf(items: readonly Json[], key: string | undefined): ReadonlyMap<Json, number> {
  const places = new Map<Json, number>();
  for (const [at, item] of items.entries()) {
    const name = nameOf(item, key);
    if (!places.has(name)) places.set(name, at);
  }
  return places;
}

function sortBy(items: Json[], places: ReadonlyMap<Json, number>, key: string | undefined): void {
  const end = places.size;
  items.sort((a, b) => (places.get(nameOf(a, key)) ?? end) - (places.get(nameOf(b, key)) ?? end));
}

function nameOf(item: Json, key: string | undefined): Json {
  return key !== undefined && isObject(item) ? keyOf(item, key) : item;
}
