/** Things to look at, one after the other, each once however often it was named; until there is nothing left. */
export class WorkQueue<Item> {
  readonly #waiting = new Map<string, Item>();
  readonly #work: (item: Item) => Promise<void>;
  readonly #onFailure: (error: unknown) => void;
  #running: Promise<void> | undefined;
  #closed = false;

  constructor(work: (item: Item) => Promise<void>, onFailure: (error: unknown) => void) {
    this.#work = work;
    this.#onFailure = onFailure;
  }

  /** @param key equal keys are one thing */
  add(key: string, item: Item): void {
    if (this.#closed) return;
    // Again at the end, so that what came since is seen.
    this.#waiting.delete(key);
    this.#waiting.set(key, item);
    this.#running ??= this.#run();
  }

  /** Resolves when nothing is left to do. */
  async idle(): Promise<void> {
    while (this.#running !== undefined) await this.#running;
  }

  /** Finishes what it is at, and forgets the rest. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#waiting.clear();
    await this.idle();
  }

  async #run(): Promise<void> {
    // Whoever adds isn't kept waiting.
    await Promise.resolve();
    for (const [key, item] of this.#waiting) {
      this.#waiting.delete(key);
      try {
        await this.#work(item);
      } catch (error) {
        this.#onFailure(error);
      }
    }
    this.#running = undefined;
  }
}
