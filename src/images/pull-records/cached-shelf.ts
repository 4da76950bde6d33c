import type { Listing, RecordShelf } from "./record-shelf.ts";
import { StripedLocks } from "./striped-locks.ts";

export interface CachedShelfOptions<T> {
  /** The most records kept in memory; the one used longest ago goes first. */
  readonly capacity: number;
  readonly keyOf: (record: T) => string;
  /** How many locks there are; as many pulls as may run at once. */
  readonly stripes?: number | undefined;
  /** Told after each change how full the memory is, in whole percent. */
  readonly onUsage?: ((percent: number) => void) | undefined;
}

/**
 * A shelf in memory before another one. While everything that is below is known to be here, the cache is
 * *authoritative*, and what isn't in it needn't be looked for.
 */
export class CachedShelf<T> implements RecordShelf<T> {
  readonly #below: RecordShelf<T>;
  readonly #options: CachedShelfOptions<T>;
  readonly #locks: StripedLocks;
  /** The one used last stands last. */
  readonly #entries = new Map<string, T>();
  #authoritative = false;

  constructor(below: RecordShelf<T>, options: CachedShelfOptions<T>) {
    this.#below = below;
    this.#options = options;
    this.#locks = new StripedLocks(options.stripes ?? 1);
  }

  /** Whether everything below is here. */
  get authoritative(): boolean {
    return this.#authoritative;
  }

  /** The keys in memory, the one used longest ago first. */
  get keys(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /** Puts the cache into a known state, as after a run of its own. */
  restore(records: readonly T[], authoritative: boolean): void {
    this.#entries.clear();
    for (const record of records) this.#add(record);
    this.#authoritative = authoritative;
  }

  async list(): Promise<Listing<T>> {
    if (this.#authoritative) return await this.#below.list();
    return await this.#locks.runAll(async () => {
      const listing = await this.#below.list();
      const complete = listing.error === undefined && listing.records.length < this.#options.capacity;
      if (complete || this.#entries.size === 0) {
        this.restore(listing.records.slice(0, this.#options.capacity), complete);
      }
      return listing;
    });
  }

  async find(key: string): Promise<T | undefined> {
    const cached = this.#use(key);
    if (cached !== undefined) return cached;
    return await this.#locks.run(key, async () => {
      const added = this.#use(key);
      if (added !== undefined || this.#authoritative) return added;
      const record = await this.#below.find(key);
      if (record !== undefined) this.#add(record);
      return record;
    });
  }

  async write(record: T): Promise<void> {
    await this.#locks.run(this.#options.keyOf(record), async () => {
      await this.#below.write(record);
      this.#add(record);
      this.#tellUsage();
    });
  }

  async delete(key: string): Promise<void> {
    await this.#locks.run(key, async () => {
      await this.#below.delete(key);
      this.#entries.delete(key);
      this.#tellUsage();
    });
  }

  #use(key: string): T | undefined {
    const record = this.#entries.get(key);
    if (record === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, record);
    return record;
  }

  #add(record: T): void {
    const key = this.#options.keyOf(record);
    this.#entries.delete(key);
    this.#entries.set(key, record);
    if (this.#entries.size <= this.#options.capacity) return;
    const [oldest] = this.#entries.keys();
    if (oldest !== undefined) this.#entries.delete(oldest);
    this.#authoritative = false;
  }

  #tellUsage(): void {
    this.#options.onUsage?.(Math.floor((this.#entries.size * 100) / this.#options.capacity));
  }
}
