/** An applied object laid over the stored one. */
import type { Json, JsonObject } from "../objects/object.ts";
import { isList, isObject, membersOf } from "./json.ts";
import { itemPlace, memberPlace, type Place } from "./place.ts";
import { itemsByStep, shapeOf, stepOf } from "./typed-walk.ts";

/** Leaves of the applied object win; nothing is removed. */
export function mergeApplied(
  live: Json | undefined,
  applied: Json | undefined,
  place: Place | undefined,
): Json {
  const newest = applied ?? live ?? null;
  if (live === undefined) return newest;
  const shape = shapeOf(place, newest);
  if (shape === "leaf" || (isBare(live) && isBare(applied))) return applied === undefined ? live : applied;
  return shape === "members" ? mergeMembers(live, applied, place) : mergeItems(live, applied, place as Place);
}

function isBare(value: Json | undefined): boolean {
  if (isList(value)) return value.length === 0;
  return !isObject(value) || membersOf(value).length === 0;
}

function mergeMembers(live: Json, applied: Json | undefined, place: Place | undefined): JsonObject {
  const merged = new Map(isObject(live) ? membersOf(live) : []);
  for (const [name, value] of isObject(applied) ? membersOf(applied) : []) {
    merged.set(name, mergeApplied(merged.get(name), value, memberPlace(place, name)));
  }
  return Object.fromEntries(merged);
}

/**
 * Applied items stand in their order, and stored ones in theirs; where both lists have items in common, those that
 * only one of them has stay between the same neighbours as well as can be.
 */
function mergeItems(live: Json, applied: Json | undefined, place: Place): readonly Json[] {
  const old = itemsByStep(place, live);
  const now = itemsByStep(place, applied);
  const item = itemPlace(place);
  const left = stepsOf(live, place);
  const right = stepsOf(applied, place);
  const shared = right.filter((step) => old.has(step));
  const merged: Json[] = [];
  const taken = new Set<string>();
  const take = (step: string): void => {
    taken.add(step);
    const items = old.get(step) ?? [];
    // Of several with one key, none can be told to be the one that is meant.
    merged.push(mergeApplied(items.length === 1 ? items[0] : undefined, now.get(step)?.[0], item));
    if (step === shared[0]) shared.shift();
  };
  for (let [l, r] = [0, 0]; l < left.length || r < right.length;) {
    const mine = left[l];
    const theirs = right[r];
    if (mine !== undefined && mine === theirs) {
      take(mine);
      l++;
      r++;
    } else if (mine !== undefined && !now.has(mine)) {
      merged.push((live as readonly Json[])[l++] as Json);
    } else if (mine !== undefined && (taken.has(mine) || theirs === undefined || waits(mine, shared))) l++;
    else {
      take(theirs as string);
      r++;
    }
  }
  return merged;
}

/** A shared item whose turn has not come: it will be taken in the applied order. */
function waits(step: string, shared: readonly string[]): boolean {
  return shared.length > 0 && shared[0] !== step;
}

function stepsOf(items: Json | undefined, place: Place): readonly string[] {
  return isList(items) ? items.map((item, at) => stepOf(place, item) ?? `i:${at}`) : [];
}
