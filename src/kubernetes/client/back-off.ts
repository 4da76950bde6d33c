export interface BackOffSettings {
  /** Milliseconds before the second attempt; 800 by default. */
  readonly initial?: number;
  /** Milliseconds a delay may grow to, before its jitter; 30 s by default. */
  readonly max?: number;
  /** After so many quiet milliseconds the first delay comes again; 2 minutes by default. */
  readonly resetAfter?: number;
}

/** Doubling delays, each stretched at random by up to its own length, so that many clients don't return at once. */
export class WatchBackOff {
  readonly #now: () => number;
  readonly #random: () => number;
  readonly #initial: number;
  readonly #max: number;
  readonly #resetAfter: number;
  #delay = 0;
  #last = Number.NEGATIVE_INFINITY;

  constructor(now: () => number, random: () => number, settings: BackOffSettings = {}) {
    this.#now = now;
    this.#random = random;
    this.#initial = settings.initial ?? 800;
    this.#max = settings.max ?? 30_000;
    this.#resetAfter = settings.resetAfter ?? 120_000;
  }

  /** Counts a failure. @returns milliseconds to wait */
  next(): number {
    const now = this.#now();
    const quiet = now - this.#last > this.#resetAfter;
    this.#delay = quiet ? this.#initial : Math.min(this.#max, this.#delay * 2);
    const delay = Math.round(this.#delay * (1 + this.#random()));
    this.#last = now + delay;
    return delay;
  }
}
