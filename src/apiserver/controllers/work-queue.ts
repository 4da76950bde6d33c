import type { Clock } from "../../kubernetes/index.ts";
import { isRefusal } from "../../kubernetes/index.ts";

export interface WorkQueueOptions {
  readonly clock: Clock;
  /**
   * Brings the world to what the object of this key asks for. May be called at any time, any number of times.
   *
   * @returns milliseconds after which to look again, if time alone can change something
   */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<number | undefined>;
  readonly onError?: ((error: unknown) => void) | undefined;
}

const WORKERS = 4;
const FIRST_DELAY = 10;
const MAX_DELAY = 60_000;

/**
 * Keys whose objects want attention. A key is worked on by one at a time, however often it is added meanwhile; what
 * fails comes again, later and later.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #waiting = new Set<string>();
  readonly #busy = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #alarms = new Map<string, { readonly at: number; readonly cancel: AbortController }>();
  #signal: AbortSignal | undefined;
  #idle: (() => void) | undefined;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  add(key: string): void {
    this.#waiting.add(key);
    this.#pump();
  }

  /** An earlier alarm for the same key stands. */
  addAfter(key: string, milliseconds: number): void {
    const at = this.#options.clock.now() + milliseconds;
    const known = this.#alarms.get(key);
    if (known !== undefined && known.at <= at) return;
    known?.cancel.abort();
    const cancel = new AbortController();
    this.#alarms.set(key, { at, cancel });
    const ring = (): void => {
      if (cancel.signal.aborted) return;
      this.#alarms.delete(key);
      this.add(key);
    };
    this.#options.clock.wait(milliseconds, cancel.signal).then(ring, () => {});
  }

  /** Works until the signal is aborted, finishes what is under way, and resolves. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    const { promise, resolve } = Promise.withResolvers<void>();
    const stop = (): void => {
      for (const { cancel } of this.#alarms.values()) cancel.abort();
      this.#alarms.clear();
      if (this.#busy.size === 0) resolve();
      else this.#idle = resolve;
    };
    if (signal.aborted) stop();
    else signal.addEventListener("abort", stop, { once: true });
    this.#pump();
    await promise;
  }

  #pump(): void {
    if (this.#signal === undefined || this.#signal.aborted) return;
    for (const key of this.#waiting) {
      if (this.#busy.size >= WORKERS) return;
      if (this.#busy.has(key)) continue;
      this.#waiting.delete(key);
      this.#busy.add(key);
      void this.#work(key, this.#signal);
    }
  }

  async #work(key: string, signal: AbortSignal): Promise<void> {
    // Not in the caller's turn: whoever added the key may have more to say.
    await Promise.resolve();
    try {
      const again = await this.#options.reconcile(key, signal);
      this.#failures.delete(key);
      if (again !== undefined && !signal.aborted) this.addAfter(key, again);
    } catch (error) {
      if (!signal.aborted) this.#fail(key, error);
    }
    this.#busy.delete(key);
    if (signal.aborted && this.#busy.size === 0) this.#idle?.();
    this.#pump();
  }

  #fail(key: string, error: unknown): void {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    // That somebody else was quicker, or deleted it, is no news: what changed comes by, and we look again.
    if (!isRefusal(error, 409) && !isRefusal(error, 404)) this.#options.onError?.(error);
    this.addAfter(key, Math.min(MAX_DELAY, FIRST_DELAY * 2 ** (failures - 1)));
  }
}
