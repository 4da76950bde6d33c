export interface BackOffOptions {
  /** The first delay in milliseconds; 10 s by default, the kubelet's for images. */
  readonly initial?: number | undefined;
  /** The longest delay in milliseconds; 300 s by default. */
  readonly max?: number | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

interface Entry {
  delay: number;
  readonly updatedAt: number;
}

/**
 * How long each failing thing is left alone: 10, 20, 40, 80, 160, 300, 300 … seconds. A success does not reset it;
 * only a quiet time of twice the longest delay does.
 */
export class BackOff {
  readonly #initial: number;
  readonly #max: number;
  readonly #now: () => number;
  readonly #entries = new Map<string, Entry>();

  constructor(options: BackOffOptions) {
    this.#initial = options.initial ?? 10_000;
    this.#max = options.max ?? 300_000;
    this.#now = options.now;
  }

  /** Advances after a failure at `event`, milliseconds since the epoch. */
  next(key: string, event: number = this.#now()): void {
    const entry = this.#entries.get(key);
    const fresh = entry === undefined || this.#expired(event, entry);
    const delay = fresh ? this.#initial : Math.min(2 * entry.delay, this.#max);
    this.#entries.set(key, { delay, updatedAt: this.#now() });
  }

  /** Whether too little time went by at `event` since the last failure. */
  isWaiting(key: string, event: number = this.#now()): boolean {
    const entry = this.#entries.get(key);
    if (entry === undefined || this.#expired(event, entry)) return false;
    return event - entry.updatedAt < entry.delay;
  }

  /** When the next attempt is due, milliseconds since the epoch; `undefined` when it may start now. */
  waitsUntil(key: string): number | undefined {
    const entry = this.#entries.get(key);
    return entry !== undefined && this.isWaiting(key) ? entry.updatedAt + entry.delay : undefined;
  }

  /** The current delay in milliseconds, 0 without one. */
  get(key: string): number {
    return this.#entries.get(key)?.delay ?? 0;
  }

  reset(key: string): void {
    this.#entries.delete(key);
  }

  /** Forgets what has expired. */
  collect(): void {
    const now = this.#now();
    for (const [key, entry] of this.#entries) if (this.#expired(now, entry)) this.#entries.delete(key);
  }

  #expired(event: number, entry: Entry): boolean {
    return event - entry.updatedAt > 2 * this.#max;
  }
}
