/** By arrival, as the kubelet does; or by Pod priority, then small images before large ones. */
export type PullOrder = "arrival" | "priority";

/** What a pull's turn depends on. Each pull has its own object. */
export interface PullRank {
  /** The Pod's. */
  readonly priority: number;
  /** Bytes, where they are known. */
  readonly size: number | undefined;
}

interface Waiting {
  readonly rank: PullRank;
  readonly start: () => void;
}

/** Every fourth turn is that of whoever waits longest, so that nobody is overtaken for ever. */
const TURNS_PER_FAIR_ONE = 4;

const NO_RANK: PullRank = { priority: 0, size: undefined };

/** Lets at most so many pulls run at once; the others wait for their turn. */
export class PullQueue {
  readonly #limit: number;
  readonly #order: PullOrder;
  #running = 0;
  #turns = 0;
  /** In the order of their arrival. */
  readonly #waiting: Waiting[] = [];

  /** @param limit 1 is the kubelet's default, one at a time; `Infinity` never waits. */
  constructor(limit: number, order: PullOrder = "arrival") {
    this.#limit = Math.max(1, limit);
    this.#order = order;
  }

  /** Who waits, the next one first, as long as nobody else comes; every fourth turn may differ. */
  get waiting(): readonly PullRank[] {
    const ranks = this.#waiting.map(({ rank }) => rank);
    return this.#order === "arrival" ? ranks : ranks.toSorted(compareRanks);
  }

  async run<T>(work: () => Promise<T>, signal?: AbortSignal, rank: PullRank = NO_RANK): Promise<T> {
    await this.#enter(signal, rank);
    try {
      return await work();
    } finally {
      const next = this.#takeNext();
      // The place is handed on, never freed in between: a newcomer can't jump the queue.
      if (next === undefined) this.#running--;
      else next.start();
    }
  }

  async #enter(signal: AbortSignal | undefined, rank: PullRank): Promise<void> {
    signal?.throwIfAborted();
    if (this.#running < this.#limit) {
      this.#running++;
      return;
    }
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const waiting: Waiting = { rank, start: resolve };
    const onAbort = (): void => {
      const index = this.#waiting.indexOf(waiting);
      // Whoever was started already has the place, and gives it back at the end of its work.
      if (index < 0) return;
      this.#waiting.splice(index, 1);
      reject(signal?.reason);
    };
    this.#waiting.push(waiting);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      await promise;
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  }

  #takeNext(): Waiting | undefined {
    if (this.#waiting.length === 0) return undefined;
    if (this.#order === "arrival" || ++this.#turns % TURNS_PER_FAIR_ONE === 0) return this.#waiting.shift();
    let best = 0;
    for (const [index, { rank }] of this.#waiting.entries()) {
      if (compareRanks(rank, this.#waiting[best]?.rank ?? NO_RANK) < 0) best = index;
    }
    return this.#waiting.splice(best, 1)[0];
  }
}

/** What isn't known to be small comes after what is. */
function compareRanks(one: PullRank, other: PullRank): number {
  if (one.priority !== other.priority) return other.priority - one.priority;
  const [a, b] = [one.size ?? Infinity, other.size ?? Infinity];
  return a === b ? 0 : a - b;
}
