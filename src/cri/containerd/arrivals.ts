/**
 * Content on its way into containerd's store, for who reads its file while it grows.
 *
 * ```text
 * begin ─► grow ─► grow ─► … ─► end: containerd has verified it
 *             └────────────────► fail
 * ```
 */

export class Arrival {
  readonly #whole = Promise.withResolvers<void>();
  #bytes = 0;
  #failed = false;
  #onGrowth: (bytes: number) => void = () => {};

  constructor() {
    // Nobody may be waiting.
    this.#whole.promise.catch(() => {});
  }

  /** How many bytes its file has. Fewer than before when it begins again, with another file. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether it will not come any more, at least not like this. */
  get failed(): boolean {
    return this.#failed;
  }

  /** Resolves when the content is complete, verified and visible; rejects when its write failed. */
  get whole(): Promise<void> {
    return this.#whole.promise;
  }

  /** For one reader: told of what there is now, and whenever that changes. */
  watch(onGrowth: (bytes: number) => void): Disposable {
    this.#onGrowth = onGrowth;
    onGrowth(this.#bytes);
    return {
      [Symbol.dispose]: () => {
        this.#onGrowth = () => {};
      },
    };
  }

  grow(bytes: number): void {
    this.#bytes = bytes;
    this.#onGrowth(bytes);
  }

  end(): void {
    this.#whole.resolve();
  }

  fail(error: unknown): void {
    this.#failed = true;
    this.#whole.reject(error);
  }
}

/** All that are under way, by digest. */
export class Arrivals {
  readonly #underWay = new Map<string, Arrival>();
  readonly #waiting = new Set<{ readonly digest: string; readonly resolve: (arrival: Arrival) => void }>();

  /** Runs one write, which calls `grow` with what containerd has, for the first time when its file is there. */
  async track<T>(digest: string, write: (grow: (bytes: number) => void) => Promise<T>): Promise<T> {
    const arrival = new Arrival();
    try {
      const result = await write((bytes) => {
        arrival.grow(bytes);
        if (this.#underWay.get(digest) !== arrival) this.#begin(digest, arrival);
      });
      arrival.end();
      return result;
    } catch (error) {
      arrival.fail(error);
      throw error;
    } finally {
      if (this.#underWay.get(digest) === arrival) this.#underWay.delete(digest);
    }
  }

  /** The write of this digest, when it begins; `undefined` when the content is here before. */
  async next(digest: string, here: Promise<unknown>): Promise<Arrival | undefined> {
    const known = this.#underWay.get(digest);
    if (known !== undefined) return known;
    const { promise, resolve } = Promise.withResolvers<Arrival>();
    const waiting = { digest, resolve };
    this.#waiting.add(waiting);
    try {
      return await Promise.race([promise, here.then(() => undefined)]);
    } finally {
      this.#waiting.delete(waiting);
    }
  }

  #begin(digest: string, arrival: Arrival): void {
    this.#underWay.set(digest, arrival);
    for (const waiting of this.#waiting) if (waiting.digest === digest) waiting.resolve(arrival);
  }
}
