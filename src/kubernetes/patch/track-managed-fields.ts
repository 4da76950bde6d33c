/** Ownership of fields after anything but an apply: creates, updates and patches. */
import type { KubernetesObject } from "../objects/object.ts";
import { emptyObject } from "./empty-object.ts";
import { isEmptySet, union } from "./field-set.ts";
import { equalJson } from "./json.ts";
import {
  formatTime,
  isReset,
  type Managed,
  managedFieldsOf,
  type Manager,
  managerKey,
  parseManaged,
  settle,
  withManaged,
  withoutManaged,
} from "./managed-fields.ts";
import { changeBetween, handOver, ignoredFields, ownable } from "./ownership.ts";
import { type Place, rootPlace } from "./place.ts";

export interface ManagedFieldsOptions {
  /** As in `ApiResource.schema`. */
  readonly schema: string;
  /** `fieldManager` of the request, or what its `User-Agent` begins with. */
  readonly manager: string;
  /** Empty or absent for the object itself. */
  readonly subresource?: string;
  readonly now: Date;
}

/**
 * @param live undefined for a create
 * @param next what is to be stored, defaults filled in; before admission
 * @returns `next` with `metadata.managedFields`; nothing is tracked for objects that are stored without any
 */
export function trackManagedFields(
  live: KubernetesObject | undefined,
  next: KubernetesObject,
  options: ManagedFieldsOptions,
): KubernetesObject {
  const managed = managedBefore(live, next, options.subresource ?? "");
  const after = withoutManaged(next);
  if (live !== undefined && managed.size === 0) return after;
  const place = rootPlace(options.schema);
  const before = live === undefined ? emptyObject(place.schema) : withoutManaged(live);
  return withManaged(after, moveFields(managed, { before, after, place }, options));
}

/** As after an update that makes `after` of `before`. */
export function moveFields(
  managed: Managed,
  objects: { readonly before: object; readonly after: KubernetesObject; readonly place: Place },
  options: ManagedFieldsOptions,
): Managed {
  const subresource = options.subresource ?? "";
  const manager: Manager = {
    name: options.manager === "" ? "unknown" : options.manager,
    operation: "Update",
    apiVersion: objects.after.apiVersion,
    subresource,
  };
  const change = changeBetween(objects.before as KubernetesObject, objects.after, {
    place: objects.place,
    ignored: ignoredFields(subresource),
  });
  const left = handOver(managed, change, "");
  const fields = ownable(change.changed);
  if (!isEmptySet(fields)) {
    const key = managerKey(manager);
    const own = left.get(key)?.fields;
    left.set(key, {
      ...manager,
      fields: own === undefined ? fields : union(own, fields),
      time: formatTime(options.now),
    });
  }
  return settle(left);
}

/** What clients send counts, where it can be read: that is how ownership is edited by hand. */
function managedBefore(
  live: KubernetesObject | undefined,
  next: KubernetesObject,
  subresource: string,
): Managed {
  const stored = (): Managed => parseManaged(managedFieldsOf(live)) ?? new Map();
  const sent = managedFieldsOf(next);
  if (subresource !== "" || equalJson(sent, managedFieldsOf(live))) return stored();
  if (isReset(sent)) return new Map();
  const managed = parseManaged(sent);
  return managed === undefined || managed.size === 0 ? stored() : managed;
}

/**
 * What would change nothing but the times of `managedFields` is no change: then the stored object itself is returned,
 * for callers to see that there's nothing to store.
 */
export function ignoreTimestampsAlone(live: KubernetesObject, next: KubernetesObject): KubernetesObject {
  const old = parseManaged(managedFieldsOf(live));
  const now = parseManaged(managedFieldsOf(next));
  if (old === undefined || now === undefined || old.size !== now.size) return next;
  if (!equalJson(withoutManaged(live), withoutManaged(next))) return next;
  const timeless = (managed: Managed): Managed =>
    new Map(
      [...managed].map(([key, { name, operation, apiVersion, subresource, fields }]) => [
        key,
        { name, operation, apiVersion, subresource, fields },
      ]),
    );
  const same = equalJson(
    managedFieldsOf(withManaged(live, timeless(old))),
    managedFieldsOf(withManaged(next, timeless(now))),
  );
  return same ? live : next;
}
