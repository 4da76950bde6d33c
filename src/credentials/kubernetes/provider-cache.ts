import { type BinaryKey, cacheKey, GLOBAL_BASE, registryOf } from "./cache-key.ts";
import type { DockerDocument } from "./docker-document.ts";

interface Entry {
  readonly document: DockerDocument;
  readonly expires: number;
}

/** 15 minutes, after which what nobody asked for is thrown out too. */
const PURGE_INTERVAL = 15 * 60 * 1000;

/** What one exec provider answered, while it may be used. Times in milliseconds. */
export class ProviderCache {
  readonly #entries = new Map<BinaryKey, Entry>();
  readonly #now: () => number;
  #lastPurge: number;

  constructor(options: { readonly now: () => number }) {
    this.#now = options.now;
    this.#lastPurge = options.now();
  }

  /** Every key, also of what has expired and wasn't asked for since. */
  get keys(): readonly BinaryKey[] {
    return [...this.#entries.keys()];
  }

  set(key: BinaryKey, document: DockerDocument, expires: number): void {
    this.#entries.set(key, { document, expires });
  }

  /**
   * What is kept for the image, its registry, or everything, in this order.
   *
   * @throws GoError for an image too long to be a key
   */
  find(image: string, account: BinaryKey): DockerDocument | undefined {
    const now = this.#now();
    if (now > this.#lastPurge + PURGE_INTERVAL) {
      for (const key of this.#entries.keys()) this.#live(key, now);
      this.#lastPurge = now;
    }
    for (const base of [image, registryOf(image), GLOBAL_BASE]) {
      const entry = this.#live(cacheKey(base, account), now);
      if (entry !== undefined) return entry.document;
    }
    return undefined;
  }

  #live(key: BinaryKey, now: number): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || now <= entry.expires) return entry;
    this.#entries.delete(key);
    return undefined;
  }
}
