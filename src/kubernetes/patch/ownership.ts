/** How ownership moves when an object changes. */
import type { Json } from "../objects/object.ts";
import { compareObjects } from "./compare-objects.ts";
import {
  difference,
  differenceWithin,
  type FieldSet,
  fieldSetOf,
  intersection,
  isEmptySet,
  union,
} from "./field-set.ts";
import type { Managed, ManagedEntry } from "./managed-fields.ts";
import type { Place } from "./place.ts";

/** What says which object this is, and what the API server alone sets: nobody's. */
const UNOWNED = fieldSetOf([
  ["f:apiVersion"],
  ["f:kind"],
  ["f:metadata"],
  ...[
    "name",
    "namespace",
    "creationTimestamp",
    "selfLink",
    "uid",
    "clusterName",
    "generation",
    "managedFields",
    "resourceVersion",
  ].map((name) => ["f:metadata", `f:${name}`]),
]);

/** What a request to a subresource, or to the object itself, can't change and therefore can't own. */
export function ignoredFields(subresource: string): FieldSet {
  if (subresource === "status") {
    return fieldSetOf([
      ["f:spec"],
      ["f:metadata", "f:deletionTimestamp"],
      ["f:metadata", "f:ownerReferences"],
    ]);
  }
  return fieldSetOf(subresource === "" ? [["f:status"]] : []);
}

export function ownable(fields: FieldSet): FieldSet {
  return difference(fields, UNOWNED);
}

export interface Change {
  readonly changed: FieldSet;
  readonly removed: FieldSet;
}

export function changeBetween(before: Json, after: Json, at: { place: Place; ignored: FieldSet }): Change {
  const { added, modified, removed } = compareObjects(before, after, at.place);
  return {
    changed: differenceWithin(union(added, modified), at.ignored),
    removed: differenceWithin(removed, at.ignored),
  };
}

/** Fields that others own and that this change sets to something else. */
export function conflictsOf(managed: Managed, change: Change, self: string): ReadonlyMap<string, FieldSet> {
  const conflicts = new Map<string, FieldSet>();
  for (const [key, entry] of managed) {
    if (key === self) continue;
    const fields = intersection(entry.fields, change.changed);
    if (!isEmptySet(fields)) conflicts.set(key, fields);
  }
  return conflicts;
}

/** Takes what changed from those who had it, and what went from all; `self` keeps what it set. */
export function handOver(managed: Managed, change: Change, self: string): Map<string, ManagedEntry> {
  const left = new Map<string, ManagedEntry>();
  for (const [key, entry] of managed) {
    const lost = key === self ? change.removed : union(change.changed, change.removed);
    const fields = difference(entry.fields, lost);
    if (!isEmptySet(fields)) left.set(key, { ...entry, fields });
  }
  return left;
}
