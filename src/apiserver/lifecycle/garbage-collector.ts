/**
 * Deletes what nobody owns any more. An object names its owners by uid; when the last one is gone, so is it.
 *
 *     background   the owner goes at once, what it owned follows
 *     foreground   the owner waits, marked, until what blocks it is gone
 *     orphan       the owner waits until what it owned has forgotten it
 *
 * What is owned is known from memory: from all objects at the start, and from every change since.
 */
import {
  findKind,
  type KubernetesObject,
  type OwnerReference,
  parseApiVersion,
} from "../../kubernetes/index.ts";
import type { ApiStorage, Change, ObjectKey, StoredObject } from "../storage/storage.ts";
import { FOREGROUND, ORPHAN } from "../verbs/graceful-deletion.ts";
import { storageName } from "../verbs/names.ts";
import type { PropagationPolicy } from "../verbs/delete-options.ts";
import { OwnerIndex, placeOf } from "./owner-index.ts";
import type { SystemVerbs } from "./system-verbs.ts";
import { WorkQueue } from "./work-queue.ts";

export interface CollectorOptions {
  readonly storage: ApiStorage;
  readonly verbs: SystemVerbs;
  readonly onFailure: (error: unknown) => void;
}

export class GarbageCollector {
  readonly #storage: ApiStorage;
  readonly #verbs: SystemVerbs;
  readonly #index = new OwnerIndex();
  readonly #queue: WorkQueue<ObjectKey>;
  #unsubscribe: (() => void) | undefined;

  constructor({ storage, verbs, onFailure }: CollectorOptions) {
    this.#storage = storage;
    this.#verbs = verbs;
    this.#queue = new WorkQueue((key) => this.#look(key), onFailure);
  }

  async start(): Promise<void> {
    this.#unsubscribe = this.#storage.subscribe((changes) => {
      for (const change of changes) this.#notice(change);
    });
    for (const resource of this.#storage.count().keys()) {
      const { items } = await this.#storage.list({ resource });
      for (const one of items) {
        // Most objects own nothing and are owned by nobody, which their text shows without being parsed.
        if (!/"ownerReferences"|"deletionTimestamp"/.test(one.text)) continue;
        this.#notice({ type: "ADDED", stored: one });
      }
    }
  }

  idle(): Promise<void> {
    return this.#queue.idle();
  }

  async close(): Promise<void> {
    this.#unsubscribe?.();
    await this.#queue.close();
  }

  #notice({ type, stored, previous }: Change): void {
    const { key } = stored;
    const { uid = "", ownerReferences = [], deletionTimestamp } = stored.object.metadata;
    const before = previous?.object.metadata.ownerReferences ?? [];
    if (type === "DELETED") {
      this.#index.remove(key, before);
      for (const dependent of this.#index.dependentsOf(uid)) this.#add(dependent);
      // Owners that waited for this one may go on.
      for (const owner of before) this.#addOwner(owner, key.namespace);
      return;
    }
    this.#index.remove(key, before);
    this.#index.set(key, ownerReferences);
    if (ownerReferences.length > 0 || deletionTimestamp !== undefined) this.#add(key);
    if (deletionTimestamp === undefined) return;
    for (const dependent of this.#index.dependentsOf(uid)) this.#add(dependent);
  }

  #add(key: ObjectKey): void {
    this.#queue.add(placeOf(key), key);
  }

  #addOwner(owner: OwnerReference, namespace: string): void {
    const key = ownerKey(owner, namespace);
    if (key !== undefined) this.#add(key);
  }

  async #look(key: ObjectKey): Promise<void> {
    const stored = await this.#storage.find(key);
    if (stored === undefined) return;
    const { deletionTimestamp, finalizers = [] } = stored.object.metadata;
    if (deletionTimestamp !== undefined && finalizers.includes(ORPHAN)) await this.#orphan(stored);
    else if (deletionTimestamp !== undefined && finalizers.includes(FOREGROUND))
      await this.#waitForDependents(stored);
    await this.#judge(stored);
  }

  /** Whether anybody who is named as its owner is still there. */
  async #judge(stored: StoredObject): Promise<void> {
    const { ownerReferences = [], deletionTimestamp } = stored.object.metadata;
    if (ownerReferences.length === 0) return;
    const sorted: Record<"solid" | "waiting" | "dangling", OwnerReference[]> = {
      solid: [],
      waiting: [],
      dangling: [],
    };
    for (const owner of ownerReferences) sorted[await this.#stateOf(owner, stored.key.namespace)].push(owner);
    const { solid, waiting, dangling } = sorted;
    if (solid.length > 0) {
      if (dangling.length + waiting.length > 0) await this.#forget(stored.key, [...dangling, ...waiting]);
      return;
    }
    if (deletionTimestamp !== undefined) return;
    const owns = this.#index.dependentsOf(stored.object.metadata.uid ?? "").length > 0;
    await this.#delete(stored, waiting.length > 0 && owns ? "Foreground" : undefined);
  }

  async #stateOf(owner: OwnerReference, namespace: string): Promise<"solid" | "waiting" | "dangling"> {
    const key = ownerKey(owner, namespace);
    // Of a kind we don't keep: it isn't ours to say that it is gone.
    if (key === undefined) return "solid";
    const metadata = (await this.#storage.find(key))?.object.metadata;
    if (metadata?.uid !== owner.uid) return "dangling";
    const ending =
      metadata.deletionTimestamp !== undefined && metadata.finalizers?.includes(FOREGROUND) === true;
    return ending ? "waiting" : "solid";
  }

  async #orphan(owner: StoredObject): Promise<void> {
    const uid = owner.object.metadata.uid ?? "";
    for (const key of this.#index.dependentsOf(uid)) await this.#forget(key, [{ uid }]);
    await this.#verbs.removeFinalizer(owner.key, ORPHAN);
  }

  async #waitForDependents(owner: StoredObject): Promise<void> {
    const uid = owner.object.metadata.uid ?? "";
    for (const key of this.#index.dependentsOf(uid)) {
      const dependent = await this.#storage.find(key);
      const references = dependent?.object.metadata.ownerReferences ?? [];
      if (references.some((one) => one.uid === uid && one.blockOwnerDeletion === true)) return;
    }
    await this.#verbs.removeFinalizer(owner.key, FOREGROUND);
  }

  async #forget(key: ObjectKey, owners: readonly { readonly uid: string }[]): Promise<void> {
    await this.#verbs.change(key, (object) => {
      const before = object.metadata.ownerReferences ?? [];
      const after = before.filter((one) => !owners.some((owner) => owner.uid === one.uid));
      return after.length === before.length ? object : withOwners(object, after);
    });
  }

  async #delete({ key, object }: StoredObject, policy: PropagationPolicy | undefined): Promise<void> {
    const { uid, finalizers = [] } = object.metadata;
    const kept = finalizers.includes(ORPHAN)
      ? "Orphan"
      : finalizers.includes(FOREGROUND)
        ? "Foreground"
        : "Background";
    await this.#verbs.delete(key, { uid, propagationPolicy: policy ?? kept, dryRun: false });
  }
}

function ownerKey(owner: OwnerReference, namespace: string): ObjectKey | undefined {
  const resource = findKind({ ...parseApiVersion(owner.apiVersion), kind: owner.kind });
  if (resource === undefined || !resource.stored) return undefined;
  return {
    resource: storageName(resource),
    namespace: resource.namespaced ? namespace : "",
    name: owner.name,
  };
}

function withOwners(object: KubernetesObject, owners: readonly OwnerReference[]): KubernetesObject {
  const { ownerReferences: _before, ...metadata } = object.metadata;
  return { ...object, metadata: { ...metadata, ...(owners.length > 0 && { ownerReferences: owners }) } };
}
