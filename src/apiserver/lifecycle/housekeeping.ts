/** All that the server does by itself while it is open. */
import type { ApiContext } from "../verbs/context.ts";
import { expireObjects } from "./event-expiry.ts";
import { DEFAULT_ACCOUNT } from "./furnish.ts";
import { GarbageCollector } from "./garbage-collector.ts";
import { NamespaceCleaner } from "./namespace-cleaner.ts";
import { systemVerbs } from "./system-verbs.ts";
import { WorkQueue } from "./work-queue.ts";

export class Housekeeping {
  readonly #closing = new AbortController();
  readonly #collector: GarbageCollector;
  readonly #cleaner: NamespaceCleaner;
  readonly #context: ApiContext;
  readonly #onFailure: (error: unknown) => void;
  readonly #furnisher: WorkQueue<string>;
  #unsubscribe: (() => void) | undefined;
  #expiring: Promise<void> | undefined;

  constructor(context: ApiContext, onFailure: (error: unknown) => void) {
    const { storage, clock } = context;
    const verbs = systemVerbs(context, this.#closing.signal);
    this.#context = context;
    this.#onFailure = onFailure;
    this.#collector = new GarbageCollector({ storage, verbs, onFailure });
    this.#furnisher = new WorkQueue((name) => this.#furnish(name), onFailure);
    this.#cleaner = new NamespaceCleaner({ storage, verbs, now: () => clock.now(), onFailure });
  }

  async start(): Promise<void> {
    const { storage, clock } = this.#context;
    this.#unsubscribe = storage.subscribe((changes) => {
      for (const { type, stored } of changes) {
        const { resource, namespace, name } = stored.key;
        const lost = type === "DELETED" && resource === "serviceaccounts" && name === DEFAULT_ACCOUNT;
        if (lost) this.#furnisher.add(namespace, namespace);
      }
    });
    await this.#collector.start();
    await this.#cleaner.start();
    this.#expiring = expireObjects(storage, clock, this.#closing.signal).catch(this.#onFailure);
  }

  /** Resolves when there is nothing left to tidy up. */
  async idle(): Promise<void> {
    let before: number;
    do {
      before = this.#context.storage.revision;
      await this.#collector.idle();
      await this.#cleaner.idle();
      await this.#furnisher.idle();
      // Either may have given the other something to do.
    } while (this.#context.storage.revision !== before);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    this.#unsubscribe?.();
    await this.#furnisher.close();
    await this.#collector.close();
    await this.#cleaner.close();
    await this.#expiring;
  }

  /** A namespace that goes on gets its account back. */
  async #furnish(name: string): Promise<void> {
    const { storage, furnishNamespace } = this.#context;
    const namespace = await storage.find({ resource: "namespaces", namespace: "", name });
    if (namespace === undefined || namespace.object.metadata.deletionTimestamp !== undefined) return;
    await furnishNamespace(name);
  }
}
