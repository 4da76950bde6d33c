export interface TokenBucketOptions {
  /** Tokens that come back each second. */
  readonly rate: number;
  /** The most there can be, and how many there are at first. */
  readonly burst: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/** Admits bursts and, in the long run, a rate. It never makes anyone wait. */
export class TokenBucket {
  readonly #rate: number;
  readonly #burst: number;
  readonly #now: () => number;
  #tokens: number;
  #at: number;

  constructor(options: TokenBucketOptions) {
    this.#rate = options.rate;
    this.#burst = options.burst;
    this.#now = options.now;
    this.#tokens = options.burst;
    this.#at = options.now();
  }

  /** Whether there was a token to take. */
  take(): boolean {
    const now = this.#now();
    this.#tokens = Math.min(this.#burst, this.#tokens + (Math.max(0, now - this.#at) / 1000) * this.#rate);
    this.#at = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
