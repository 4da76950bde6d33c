import type { KubernetesObject } from "../objects/object.ts";
import { WatchBackOff } from "./back-off.ts";
import { type Change, ObjectCache, type ObjectIndex } from "./object-cache.ts";
import { isExpired } from "./refusal.ts";
import type { ResourceClient } from "./resource-client.ts";
import type { WatchEvent } from "./watch.ts";

export interface InformerOptions<T extends KubernetesObject> {
  /** All by default. */
  readonly namespace?: string | undefined;
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
  /** Further ways to find objects, by name. */
  readonly indexes?: Readonly<Record<string, ObjectIndex<T>>> | undefined;
  /** Objects to a chunk of a list; 500 by default. */
  readonly limit?: number | undefined;
  readonly idleTimeout?: number | undefined;
  /** Told of every failure; the informer goes on. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/**
 * A copy of a resource that follows the server: one list, then its changes, and again from a list when the server has
 * forgotten where we stood. Listeners hear every difference between what they knew and what is, in order, once.
 *
 * ```ts
 * const pods = new Informer(client.resource(PODS), { indexes: { node: (pod) => [nodeOf(pod)] } });
 * pods.subscribe((change) => queue.add(change.object));
 * void pods.run(signal);
 * await pods.synced(signal);
 * pods.get("web", "default");
 * ```
 */
export class Informer<T extends KubernetesObject = KubernetesObject> {
  readonly cache: ObjectCache<T>;
  readonly #from: ResourceClient<T>;
  readonly #options: InformerOptions<T>;
  readonly #listeners = new Set<(change: Change<T>) => void>();
  readonly #synced = Promise.withResolvers<void>();
  #hasSynced = false;
  #version: bigint | undefined;

  constructor(from: ResourceClient<T>, options: InformerOptions<T> = {}) {
    this.#from = from;
    this.#options = options;
    this.cache = new ObjectCache(options.indexes);
  }

  get(name: string, namespace = ""): T | undefined {
    return this.cache.get(name, namespace);
  }

  /** In no order; of all namespaces by default. */
  list(namespace?: string): readonly T[] {
    return this.cache.list(namespace);
  }

  /** Those that an index has under this value. */
  by(index: string, value: string): readonly T[] {
    return this.cache.by(index, value);
  }

  /**
   * Whether what was written with this version has been seen here, or what came after it: the cache of who just wrote
   * lags behind, and acting on it would do the same again.
   */
  reached(resourceVersion: string): boolean {
    return this.#version !== undefined && this.#version >= parseVersion(resourceVersion);
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /** Resolves when the first list has been taken in; rejects with the signal's reason when that comes first. */
  async synced(signal?: AbortSignal): Promise<void> {
    if (signal === undefined) return await this.#synced.promise;
    signal.throwIfAborted();
    const { promise, reject } = Promise.withResolvers<never>();
    const stop = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", stop, { once: true });
    try {
      await Promise.race([this.#synced.promise, promise]);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  /** What is there already is told at once, as added. @returns how to stop listening */
  subscribe(listener: (change: Change<T>) => void): () => void {
    for (const object of this.cache.list()) this.#tellOne(listener, { type: "added", object });
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** Goes on until the signal is aborted, and then resolves. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.#from.client;
    const backOff = new WatchBackOff(() => clock.now(), random);
    while (!signal.aborted) {
      try {
        await this.#follow(await this.#list(signal), signal);
      } catch (error) {
        if (signal.aborted) return;
        // Being too late is part of life, and the remedy is known; a server that says so each time is not.
        if (!isExpired(error)) this.#options.onError?.(error);
        await clock.wait(backOff.next(), signal).catch(() => {});
      }
    }
  }

  /** @returns the version to watch from */
  async #list(signal: AbortSignal): Promise<string> {
    const { namespace = "", labelSelector, fieldSelector, limit } = this.#options;
    const list = await this.#from.listAll({ namespace, labelSelector, fieldSelector, limit, signal });
    const changes = this.cache.replace(list.items);
    this.#version = parseVersion(list.resourceVersion);
    for (const change of changes) this.#tell(change);
    if (!this.#hasSynced) {
      this.#hasSynced = true;
      this.#synced.resolve();
    }
    return list.resourceVersion;
  }

  async #follow(resourceVersion: string, signal: AbortSignal): Promise<void> {
    const { namespace = "", labelSelector, fieldSelector, idleTimeout, onError } = this.#options;
    const selection = { namespace, labelSelector, fieldSelector, idleTimeout, onInterrupt: onError };
    for await (const event of this.#from.watch({ ...selection, resourceVersion, signal })) {
      const change = this.#take(event);
      this.#version = parseVersion(event.object.metadata.resourceVersion ?? "");
      if (change !== undefined) this.#tell(change);
    }
  }

  #take({ type, object }: WatchEvent<T>): Change<T> | undefined {
    if (type === "BOOKMARK") return undefined;
    return type === "DELETED" ? this.cache.remove(object) : this.cache.put(object);
  }

  #tell(change: Change<T>): void {
    for (const listener of this.#listeners) this.#tellOne(listener, change);
  }

  /** One listener's fault must not keep a change from the others, nor stop the watch. */
  #tellOne(listener: (change: Change<T>) => void, change: Change<T>): void {
    try {
      listener(change);
    } catch (error) {
      this.#options.onError?.(error);
    }
  }
}

/** Versions of one resource can be compared; what isn't a number is older than anything. */
function parseVersion(version: string): bigint {
  return /^[0-9]+$/v.test(version) ? BigInt(version) : 0n;
}
