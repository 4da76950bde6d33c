/** Questions that are the same and come together are asked once. */
export class SingleFlight<Result> {
  readonly #running = new Map<string, Promise<Result>>();

  run(key: string, ask: () => Promise<Result>): Promise<Result> {
    const running = this.#running.get(key);
    if (running !== undefined) return running;
    const fresh = ask().finally(() => this.#running.delete(key));
    this.#running.set(key, fresh);
    return fresh;
  }

  /** Resolves when nothing is under way any more. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#running.values());
  }
}
