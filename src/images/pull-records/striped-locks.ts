/** So many locks at most, however many pulls may run at once. */
const MOST = 31;

/** A fixed number of locks shared by all keys: enough to keep apart what usually comes together. */
export class StripedLocks {
  readonly #stripes: Promise<void>[];

  constructor(count: number) {
    this.#stripes = Array.from({ length: Math.min(Math.max(1, count), MOST) }, () => Promise.resolve());
  }

  /** Runs `work` while nobody else holds the key's stripe. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    return this.#enter(fnv1(key) % this.#stripes.length, work);
  }

  /** Runs `work` while nobody else holds any stripe. */
  runAll<T>(work: () => Promise<T>): Promise<T> {
    // From the first to the last, as everybody does, so two of these can't hold one another up.
    const step = (stripe: number): Promise<T> =>
      stripe === this.#stripes.length ? work() : this.#enter(stripe, () => step(stripe + 1));
    return step(0);
  }

  #enter<T>(stripe: number, work: () => Promise<T>): Promise<T> {
    const result = (this.#stripes[stripe] ?? Promise.resolve()).then(work);
    this.#stripes[stripe] = result.then(
      () => {},
      () => {},
    );
    return result;
  }
}

/** FNV-1, 32 bits: multiply first, then mix in the byte. */
export function fnv1(text: string): number {
  let hash = 0x811c9dc5;
  for (const byte of Buffer.from(text)) hash = (Math.imul(hash, 0x01000193) ^ byte) >>> 0;
  return hash;
}
