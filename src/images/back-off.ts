/**
 * How long each failing thing is left alone: 10, 20, 40, 80, 160, 300, 300 … seconds for images. A success does not
 * reset it; only a quiet time does, twice the longest delay unless another rule is given.
 *
 * All times are milliseconds; moments since the epoch.
 */
export interface BackOffOptions {
  /** The first delay; 10 s by default. */
  readonly initial?: number | undefined;
  /** The longest delay; 300 s by default. */
  readonly max?: number | undefined;
  readonly now: () => number;
  /** Replaces the rule by which an entry is forgotten. */
  readonly hasExpired?: ((event: number, updatedAt: number, max: number) => boolean) | undefined;
  /** Adds up to this part of the delay at random; 0 by default. */
  readonly jitter?: number | undefined;
  /** From 0 up to, without, 1. Read only with a jitter. */
  readonly random?: (() => number) | undefined;
}

interface Entry {
  readonly delay: number;
  readonly updatedAt: number;
}

/** What a back-off says about a key at a moment. */
export interface BackOffState {
  readonly waiting: boolean;
  /** The current delay, 0 without one. */
  readonly delay: number;
  /** When the last failure was counted. */
  readonly updatedAt: number | undefined;
  /** When the next attempt is due. */
  readonly until: number | undefined;
}

export class BackOff {
  readonly #initial: number;
  readonly #max: number;
  readonly #now: () => number;
  readonly #hasExpired: (event: number, updatedAt: number, max: number) => boolean;
  readonly #jitter: number;
  readonly #random: () => number;
  readonly #entries = new Map<string, Entry>();

  constructor(options: BackOffOptions) {
    this.#initial = options.initial ?? 10_000;
    this.#max = options.max ?? 300_000;
    this.#now = options.now;
    this.#hasExpired = options.hasExpired ?? ((event, updatedAt, max) => event - updatedAt > 2 * max);
    this.#jitter = options.jitter ?? 0;
    this.#random = options.random ?? (() => 0);
  }

  /** Advances after a failure at `event`. */
  next(key: string, event: number = this.#now()): void {
    const entry = this.#find(key, event);
    const delay =
      entry === undefined
        ? this.#initial + this.#jitterOf(this.#initial)
        : Math.min(2 * entry.delay + this.#jitterOf(entry.delay), this.#max);
    this.#entries.set(key, { delay, updatedAt: this.#now() });
  }

  /** Whether at `event` too little time had gone by since the last failure. */
  isWaiting(key: string, event: number = this.#now()): boolean {
    const entry = this.#find(key, event);
    return entry !== undefined && event - entry.updatedAt < entry.delay;
  }

  /** Whether too little time has gone by since `event`, a moment that need not be a failure's. */
  isWaitingSince(key: string, event: number): boolean {
    const entry = this.#find(key, event);
    return entry !== undefined && this.#now() - event < entry.delay;
  }

  /** The same answer with its reasons. */
  inspect(key: string, event: number = this.#now()): BackOffState {
    const entry = this.#entries.get(key);
    const waiting = this.isWaiting(key, event);
    return {
      waiting,
      delay: entry?.delay ?? 0,
      updatedAt: entry?.updatedAt,
      until: waiting && entry !== undefined ? entry.updatedAt + entry.delay : undefined,
    };
  }

  /** When the next attempt is due; `undefined` when it may start now. */
  waitsUntil(key: string): number | undefined {
    return this.inspect(key).until;
  }

  /** The current delay, 0 without one. */
  get(key: string): number {
    return this.#entries.get(key)?.delay ?? 0;
  }

  has(key: string): boolean {
    return this.#entries.has(key);
  }

  reset(key: string): void {
    this.#entries.delete(key);
  }

  /** Forgets what has expired. */
  collect(): void {
    const now = this.#now();
    for (const [key, entry] of this.#entries) {
      if (this.#hasExpired(now, entry.updatedAt, this.#max)) this.#entries.delete(key);
    }
  }

  #find(key: string, event: number): Entry | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined || this.#hasExpired(event, entry.updatedAt, this.#max)) return undefined;
    return entry;
  }

  #jitterOf(delay: number): number {
    return this.#jitter === 0 ? 0 : this.#random() * this.#jitter * delay;
  }
}
