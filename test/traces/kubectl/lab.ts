/**
 * The rest of the cluster: the kubelet, the controllers, and whoever ran commands that weren't recorded. What they
 * did is known from the recorded answers alone, so it is written straight into the server's storage.
 */
import type { ApiStorage, ObjectKey, StoredObject } from "../../../src/apiserver/storage/storage.ts";
import { findKind, type KubernetesObject, parseApiVersion } from "../../../src/kubernetes/index.ts";
import { differences, isRecord, type Json, type JsonObject, member } from "./json.ts";
import { keyOf } from "./known-objects.ts";
import { normalise } from "./normalise.ts";

/** What of an object the server doesn't decide, whoever asks. */
const OTHERS_PART: readonly string[] = ["status"];

export class Lab {
  readonly #storage: ApiStorage;
  readonly #translate: (object: JsonObject) => JsonObject;
  /** What the recording last said of each object. */
  readonly #recorded = new Map<string, JsonObject>();
  /** Objects that were taken over because the recording itself jumped, or never showed their making. */
  readonly adopted: string[] = [];

  /** @param translate gives recorded identities those that the server gave the same objects */
  constructor(storage: ApiStorage, translate: (object: JsonObject) => JsonObject) {
    this.#storage = storage;
    this.#translate = translate;
  }

  /** Takes note of what an answer said, without doing anything. */
  remember(object: JsonObject): void {
    this.#recorded.set(keyOf(object), object);
  }

  /**
   * Before a question is asked whose recorded answer shows this object: does what others did to it meanwhile. The
   * server keeps what it made itself, so that a difference there shows in the comparison.
   */
  async bringTo(object: JsonObject): Promise<void> {
    const key = storageKey(object);
    if (key === undefined) return;
    const last = this.#recorded.get(keyOf(object));
    this.remember(object);
    const there = await this.#storage.find(key);
    const jumped = last === undefined || differences(serversPart(last), serversPart(object)).length > 0;
    if (there === undefined || jumped) {
      if (there === undefined || !isNearly(there.object, object)) this.adopted.push(keyOf(object));
      const adopted = withIdentity(this.#translate(object), there?.object);
      await this.#bringOwners(adopted);
      await this.#write(key, there?.revision ?? 0, adopted);
      return;
    }
    await this.#bringOthersPart(key, there, object);
  }

  /** What others wrote meanwhile to an object that the server is about to change: its status, no more. */
  async bringStatus(object: JsonObject): Promise<void> {
    const key = storageKey(object);
    const there = key === undefined ? undefined : await this.#storage.find(key);
    if (key === undefined || there === undefined) return;
    await this.#bringOthersPart(key, there, object);
  }

  /** Ends an object as the kubelet does once its containers have ended. */
  async remove(object: JsonObject): Promise<void> {
    const key = storageKey(object);
    const there = key === undefined ? undefined : await this.#storage.find(key);
    if (key !== undefined && there !== undefined) {
      await this.#storage.write({ key, expected: there.revision });
    }
    this.#recorded.delete(keyOf(object));
  }

  /** Ends everything of a kind and place that a complete recorded list doesn't have. */
  async retain(resource: string, namespace: string | undefined, names: ReadonlySet<string>): Promise<void> {
    const { items } = await this.#storage.list({ resource, namespace });
    for (const { key, revision, object } of items) {
      if (names.has(`${key.namespace}/${key.name}`)) continue;
      this.#recorded.delete(keyOf(object));
      await this.#storage.write({ key, expected: revision });
    }
  }

  /** Owners that no answer shows exist all the same: without them, what they own would be garbage. */
  async #bringOwners({ metadata }: KubernetesObject): Promise<void> {
    for (const { apiVersion, kind, name, uid } of metadata.ownerReferences ?? []) {
      const namespace = metadata.namespace ?? "";
      const owner = { apiVersion, kind, metadata: { namespace, name, uid }, spec: {} };
      const key = storageKey(owner);
      if (key === undefined || (await this.#storage.find(key)) !== undefined) continue;
      await this.#write(key, 0, owner);
    }
  }

  async #bringOthersPart(key: ObjectKey, there: StoredObject, object: JsonObject): Promise<void> {
    const changed: Record<string, Json | undefined> = { ...there.object };
    for (const part of OTHERS_PART) {
      if (object[part] === undefined) delete changed[part];
      else changed[part] = object[part];
    }
    if (JSON.stringify(changed) !== JSON.stringify(there.object)) {
      await this.#write(key, there.revision, changed as KubernetesObject);
    }
  }

  async #write(key: ObjectKey, expected: number, object: KubernetesObject): Promise<void> {
    await this.#storage.write({ key, expected, object });
  }
}

/** Everything but what others write, and what goes with time. */
function serversPart(object: JsonObject): Json | undefined {
  const { status: _, ...rest } = object;
  return normalise(rest);
}

function isNearly(one: JsonObject, other: JsonObject): boolean {
  return differences(serversPart(one), serversPart(other)).length === 0;
}

/** The recorded object; with the identity that the server gave it, where it made it. */
function withIdentity(object: JsonObject, there: KubernetesObject | undefined): KubernetesObject {
  const { resourceVersion: _, ...metadata } = object["metadata"] as JsonObject;
  const managedFields = there?.metadata.managedFields;
  return {
    ...object,
    metadata: {
      ...metadata,
      ...(there?.metadata.uid !== undefined && { uid: there.metadata.uid }),
      ...(managedFields !== undefined && { managedFields }),
    },
  } as KubernetesObject;
}

export function storageKey(object: JsonObject): ObjectKey | undefined {
  const { apiVersion, kind } = object;
  if (typeof apiVersion !== "string" || typeof kind !== "string" || !isRecord(object["metadata"]))
    return undefined;
  const resource = findKind({ ...parseApiVersion(apiVersion), kind });
  if (resource === undefined || !resource.stored) return undefined;
  const name = member(object, "metadata", "name");
  const namespace = member(object, "metadata", "namespace");
  return {
    resource: resource.group === "" ? resource.resource : `${resource.resource}.${resource.group}`,
    namespace: typeof namespace === "string" ? namespace : "",
    name: typeof name === "string" ? name : "",
  };
}
