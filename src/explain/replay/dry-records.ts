/** Pull records that are read from elsewhere and written to memory: what a pull would note is forgotten again. */
import type { ImagePulledRecord, ImagePullIntent, PullRecords, RecordShelf } from "../../images/index.ts";

export class DryRecords implements PullRecords {
  readonly intents: RecordShelf<ImagePullIntent>;
  readonly pulled: RecordShelf<ImagePulledRecord>;

  constructor(kept: PullRecords) {
    this.intents = new DryShelf(kept.intents, ({ image }) => image);
    this.pulled = new DryShelf(kept.pulled, ({ imageRef }) => imageRef);
  }
}

class DryShelf<T> implements RecordShelf<T> {
  readonly #kept: RecordShelf<T>;
  readonly #keyOf: (record: T) => string;
  /** Undefined for what was deleted. */
  readonly #changed = new Map<string, T | undefined>();

  constructor(kept: RecordShelf<T>, keyOf: (record: T) => string) {
    this.#kept = kept;
    this.#keyOf = keyOf;
  }

  async list(): ReturnType<RecordShelf<T>["list"]> {
    const { records, ...rest } = await this.#kept.list();
    const others = records.filter((record) => !this.#changed.has(this.#keyOf(record)));
    return {
      ...rest,
      records: [...others, ...[...this.#changed.values()].filter((record) => record !== undefined)],
    };
  }

  async find(key: string): Promise<T | undefined> {
    return this.#changed.has(key) ? this.#changed.get(key) : await this.#kept.find(key);
  }

  write(record: T): Promise<void> {
    this.#changed.set(this.#keyOf(record), record);
    return Promise.resolve();
  }

  delete(key: string): Promise<void> {
    this.#changed.set(key, undefined);
    return Promise.resolve();
  }
}
