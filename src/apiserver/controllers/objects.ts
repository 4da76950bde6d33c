/** What controllers read of objects, which travel as plain JSON. Anything missing or odd reads as absent. */
import type { JsonObject, KubernetesObject, Metadata, OwnerReference } from "../../kubernetes/index.ts";

export function specOf(object: KubernetesObject): JsonObject {
  return member(object, "spec");
}

export function statusOf(object: KubernetesObject): JsonObject {
  return member(object, "status");
}

export function member(object: JsonObject, name: string): JsonObject {
  const value = object[name];
  return isObject(value) ? value : {};
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function numberOf(object: JsonObject, name: string): number | undefined {
  const value = object[name];
  return typeof value === "number" ? value : undefined;
}

export function textOf(object: JsonObject, name: string): string | undefined {
  const value = object[name];
  return typeof value === "string" && value !== "" ? value : undefined;
}

export function listOf(object: JsonObject, name: string): readonly JsonObject[] {
  const value = object[name];
  return Array.isArray(value) ? (value as readonly unknown[]).filter((one) => isObject(one)) : [];
}

export function keyOf(object: KubernetesObject): string {
  return `${object.metadata.namespace ?? ""}/${object.metadata.name ?? ""}`;
}

export function splitKey(key: string): { readonly namespace: string; readonly name: string } {
  const slash = key.indexOf("/");
  return { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

export function nameOf(object: KubernetesObject): string {
  return object.metadata.name ?? "";
}

export function uidOf(object: KubernetesObject): string {
  return object.metadata.uid ?? "";
}

export function isDeleting(object: KubernetesObject): boolean {
  return object.metadata.deletionTimestamp !== undefined;
}

export function controllerOf(object: KubernetesObject): OwnerReference | undefined {
  return object.metadata.ownerReferences?.find(({ controller }) => controller === true);
}

export function isControlledBy(object: KubernetesObject, owner: KubernetesObject): boolean {
  return controllerOf(object)?.uid === uidOf(owner);
}

export function ownerReference(owner: KubernetesObject): OwnerReference {
  return {
    apiVersion: owner.apiVersion,
    kind: owner.kind,
    name: nameOf(owner),
    uid: uidOf(owner),
    controller: true,
    blockOwnerDeletion: true,
  };
}

export function withStatus(object: KubernetesObject, status: JsonObject): KubernetesObject {
  return { ...object, status };
}

/** Milliseconds since the epoch of an RFC 3339 time; `undefined` without one. */
export function timeOf(object: JsonObject | Metadata, name: string): number | undefined {
  const time = Date.parse(textOf(object, name) ?? "");
  return Number.isNaN(time) ? undefined : time;
}

/** The oldest first; those of the same second by name. */
export function byAge(one: KubernetesObject, other: KubernetesObject): number {
  const ages =
    (timeOf(one.metadata, "creationTimestamp") ?? 0) - (timeOf(other.metadata, "creationTimestamp") ?? 0);
  return ages === 0 ? (nameOf(one) < nameOf(other) ? -1 : 1) : ages;
}

/** The same text for equal values, in whatever order their members stand. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    isObject(inner)
      ? Object.fromEntries(
          Object.entries(inner)
            .filter(([, one]) => one !== undefined)
            .toSorted(([a], [b]) => (a < b ? -1 : 1)),
        )
      : inner,
  );
}
