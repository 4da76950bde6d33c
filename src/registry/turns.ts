/**
 * One at a time for each key: first come, first served, and nobody waits for longer than they are patient.
 */
export class Turns {
  readonly #waiting = new Map<string, (() => void)[]>();

  /** Takes the turn for `key`; whoever gets one gives it back. `undefined` when it did not come in time. */
  take(key: string, patience: number): Promise<Disposable | undefined> {
    const turn = { [Symbol.dispose]: (): void => this.#pass(key) };
    const queue = this.#waiting.get(key);
    if (queue === undefined) {
      this.#waiting.set(key, []);
      return Promise.resolve(turn);
    }
    return new Promise((resolve) => {
      const next = (): void => {
        clearTimeout(timer);
        resolve(turn);
      };
      const timer = setTimeout(() => {
        queue.splice(queue.indexOf(next), 1);
        resolve(undefined);
      }, patience);
      queue.push(next);
    });
  }

  #pass(key: string): void {
    const next = this.#waiting.get(key)?.shift();
    if (next === undefined) this.#waiting.delete(key);
    else next();
  }
}
