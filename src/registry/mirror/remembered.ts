/** What was learned lately, each for its own time and all within a bound. */
export class Remembered<Value> {
  readonly #entries = new Map<string, { readonly value: Value; readonly until: number }>();
  readonly #clock: () => number;
  readonly #capacity: number;

  constructor(clock: () => number, capacity: number) {
    this.#clock = clock;
    this.#capacity = capacity;
  }

  find(key: string): Value | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    if (entry.until > this.#clock()) return entry.value;
    this.#entries.delete(key);
    return undefined;
  }

  /** For `time` milliseconds. */
  set(key: string, value: Value, time: number): void {
    this.#entries.delete(key);
    if (time <= 0) return;
    this.#entries.set(key, { value, until: this.#clock() + time });
    const [oldest] = this.#entries.keys();
    if (this.#entries.size > this.#capacity && oldest !== undefined) this.#entries.delete(oldest);
  }

  delete(key: string): void {
    this.#entries.delete(key);
  }
}
