/**
 * Empties namespaces that are ending, and then lets them go. What has a grace period is waited for: each of its
 * changes brings the cleaner back.
 */
import { API_RESOURCES, type JsonObject } from "../../kubernetes/index.ts";
import type { ApiStorage, Change, ObjectKey, StoredObject } from "../storage/storage.ts";
import { namespaceFinalizers } from "../verbs/graceful-deletion.ts";
import { storageName } from "../verbs/names.ts";
import { withDeletionConditions } from "./namespace-conditions.ts";
import type { SystemVerbs } from "./system-verbs.ts";
import { WorkQueue } from "./work-queue.ts";

export interface NamespaceCleanerOptions {
  readonly storage: ApiStorage;
  readonly verbs: SystemVerbs;
  readonly now: () => number;
  readonly onFailure: (error: unknown) => void;
}

const FINALIZER = "kubernetes";
const RESOURCES: readonly string[] = [
  ...new Set(API_RESOURCES.filter((one) => one.stored && one.namespaced).map((one) => storageName(one))),
];

export class NamespaceCleaner {
  readonly #options: NamespaceCleanerOptions;
  readonly #queue: WorkQueue<string>;
  /** Namespaces that are on their way out. */
  readonly #ending = new Set<string>();
  #unsubscribe: (() => void) | undefined;

  constructor(options: NamespaceCleanerOptions) {
    this.#options = options;
    this.#queue = new WorkQueue((name) => this.#clean(name), options.onFailure);
  }

  async start(): Promise<void> {
    const { storage } = this.#options;
    this.#unsubscribe = storage.subscribe((changes) => {
      for (const change of changes) this.#notice(change);
    });
    const { items } = await storage.list({ resource: "namespaces" });
    for (const stored of items) this.#notice({ type: "ADDED", stored });
  }

  idle(): Promise<void> {
    return this.#queue.idle();
  }

  async close(): Promise<void> {
    this.#unsubscribe?.();
    await this.#queue.close();
  }

  #notice({ type, stored }: Change): void {
    const { resource, namespace, name } = stored.key;
    if (resource === "namespaces") {
      if (type === "DELETED" || stored.object.metadata.deletionTimestamp === undefined) {
        this.#ending.delete(name);
        return;
      }
      this.#ending.add(name);
      if (namespaceFinalizers(stored.object).includes(FINALIZER)) this.#queue.add(name, name);
    } else if (this.#ending.has(namespace) && type === "DELETED") this.#queue.add(namespace, namespace);
  }

  async #clean(name: string): Promise<void> {
    const { storage, verbs } = this.#options;
    const key: ObjectKey = { resource: "namespaces", namespace: "", name };
    const namespace = await storage.find(key);
    if (namespace?.object.metadata.deletionTimestamp === undefined) return;
    if (!namespaceFinalizers(namespace.object).includes(FINALIZER)) return;
    const left = await this.#empty(name);
    await verbs.change(key, (object) => withDeletionConditions(object, left, this.#options.now()));
    if (left.length > 0) return;
    await verbs.change(key, (object) => {
      const finalizers = namespaceFinalizers(object).filter((one) => one !== FINALIZER);
      const { finalizers: _before, ...spec } = (object["spec"] ?? {}) as JsonObject;
      return { ...object, spec: { ...spec, ...(finalizers.length > 0 && { finalizers }) } };
    });
  }

  /** Asks everything to go; what stays for now. */
  async #empty(namespace: string): Promise<readonly StoredObject[]> {
    const { storage, verbs } = this.#options;
    const options = { propagationPolicy: "Background", dryRun: false } as const;
    for (const resource of RESOURCES) {
      const { items } = await storage.list({ resource, namespace });
      const fresh = items.filter((one) => one.object.metadata.deletionTimestamp === undefined);
      await Promise.all(fresh.map((one) => verbs.delete(one.key, options)));
    }
    const left = await Promise.all(RESOURCES.map((resource) => storage.list({ resource, namespace })));
    return left.flatMap((one) => one.items);
  }
}
