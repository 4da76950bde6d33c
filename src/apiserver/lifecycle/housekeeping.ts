/** All that the server does by itself while it is open. */
import type { ApiContext } from "../verbs/context.ts";
import { expireObjects } from "./event-expiry.ts";
import { GarbageCollector } from "./garbage-collector.ts";
import { NamespaceCleaner } from "./namespace-cleaner.ts";
import { systemVerbs } from "./system-verbs.ts";

export class Housekeeping {
  readonly #closing = new AbortController();
  readonly #collector: GarbageCollector;
  readonly #cleaner: NamespaceCleaner;
  readonly #context: ApiContext;
  readonly #onFailure: (error: unknown) => void;
  #expiring: Promise<void> | undefined;

  constructor(context: ApiContext, onFailure: (error: unknown) => void) {
    const { storage, clock } = context;
    const verbs = systemVerbs(context, this.#closing.signal);
    this.#context = context;
    this.#onFailure = onFailure;
    this.#collector = new GarbageCollector({ storage, verbs, onFailure });
    this.#cleaner = new NamespaceCleaner({ storage, verbs, now: () => clock.now(), onFailure });
  }

  async start(): Promise<void> {
    const { storage, clock } = this.#context;
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
      // Either may have given the other something to do.
    } while (this.#context.storage.revision !== before);
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#collector.close();
    await this.#cleaner.close();
    await this.#expiring;
  }
}
