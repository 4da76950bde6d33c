import { setTimeout as sleep } from "node:timers/promises";

export interface PaceOptions {
  /** Milliseconds of work after which there is a pause; 10 by default. */
  readonly workTime?: number | undefined;
  /** Milliseconds of pause, which belong to requests; 20 by default. */
  readonly pauseTime?: number | undefined;
  /** Milliseconds after which there has been enough of it for now; no limit by default. */
  readonly timeLimit?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Milliseconds of a clock that never goes back. */
  readonly stopwatch?: (() => number) | undefined;
  readonly wait?: ((milliseconds: number, signal: AbortSignal | undefined) => Promise<void>) | undefined;
}

/** Work in small steps, so that whoever else is there is hardly kept waiting. */
export class Pace {
  readonly #options: PaceOptions;
  readonly #stopwatch: () => number;
  readonly #began: number;
  #resumed: number;

  constructor(options: PaceOptions) {
    this.#options = options;
    this.#stopwatch = options.stopwatch ?? ((): number => performance.now());
    this.#began = this.#stopwatch();
    this.#resumed = this.#began;
  }

  get isOver(): boolean {
    return this.#stopwatch() - this.#began >= (this.#options.timeLimit ?? Infinity);
  }

  /** Called between two steps. */
  async step(): Promise<void> {
    const { signal, workTime = 10, pauseTime = 20, wait = rest } = this.#options;
    signal?.throwIfAborted();
    if (this.#stopwatch() - this.#resumed < workTime) return;
    await wait(pauseTime, signal);
    this.#resumed = this.#stopwatch();
  }
}

async function rest(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  await sleep(milliseconds, undefined, { signal });
}
