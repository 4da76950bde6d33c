import {
  conflict,
  findResource,
  type ApiResource,
  type KubernetesObject,
  type Subject,
} from "../../kubernetes/index.ts";
import type { ObjectKey, ResourceName } from "../storage/storage.ts";
import type { ApiCall } from "./context.ts";

/** Under which name objects of a resource are kept. Both kinds of Event are the same things. */
export function storageName(resource: Pick<ApiResource, "resource" | "group">): ResourceName {
  if (resource.group === "" || resource.group === "events.k8s.io") return resource.resource;
  return `${resource.resource}.${resource.group}`;
}

/** The resource whose objects are kept under a name, in the version they are kept in. */
export function storedResource(name: ResourceName): ApiResource | undefined {
  const dot = name.indexOf(".");
  const [resource, group] = dot === -1 ? [name, ""] : [name.slice(0, dot), name.slice(dot + 1)];
  return findResource({ resource, group, version: "v1" });
}

export function keyOf(call: Pick<ApiCall, "resource" | "namespace" | "name">): ObjectKey {
  return { resource: storageName(call.resource), namespace: call.namespace, name: call.name };
}

/** As it is named when it isn't there, or may not be touched. */
export function resourceSubject(call: Pick<ApiCall, "resource" | "name">, name: string = call.name): Subject {
  return { group: call.resource.group, kind: call.resource.resource, name };
}

/** As it is named when it is invalid. */
export function kindSubject(resource: ApiResource, object: KubernetesObject): Subject {
  return { group: resource.group, kind: resource.kind, name: object.metadata.name ?? "" };
}

/** Names from before anyone called them otherwise, which Kubernetes still keeps them under. */
const OLD_NAMES: Readonly<Record<string, string>> = {
  nodes: "minions",
  replicationcontrollers: "controllers",
};

/** What is said to who sends an object whole that isn't the one that is kept; clients know the words of the storage. */
export function otherUid(
  call: Pick<ApiCall, "resource" | "namespace" | "name">,
  given: string,
  stored: string | undefined,
): Error {
  const { resource } = call.resource;
  const parts = [OLD_NAMES[resource] ?? resource, call.namespace, call.name].filter((part) => part !== "");
  const failed = `Precondition failed: UID in precondition: ${given}, UID in object meta: ${stored ?? ""}`;
  const key = `/registry/${parts.join("/")}`;
  return conflict(
    resourceSubject(call),
    `StorageError: invalid object, Code: 4, Key: ${key}, ResourceVersion: 0, AdditionalErrorMsg: ${failed}`,
  );
}

/** Events are told for an hour after they were written last. */
const EVENT_LIFETIME = 60 * 60 * 1000;

export function expiryOf(key: ObjectKey, now: number): { readonly expires?: number } {
  return key.resource === "events" ? { expires: now + EVENT_LIFETIME } : {};
}

const ALPHABET = "bcdfghjklmnpqrstvwxz2456789";
/** A label's longest value: generated names can stand in one. */
const MAX_NAME = 63;
const SUFFIX = 5;

/** What a client wants to have a name made from, and five letters that don't spell words. */
export function generateName(base: string, random: () => number): string {
  let suffix = "";
  for (let at = 0; at < SUFFIX; at += 1) suffix += ALPHABET[Math.floor(random() * ALPHABET.length)];
  return `${base.slice(0, MAX_NAME - SUFFIX)}${suffix}`;
}
