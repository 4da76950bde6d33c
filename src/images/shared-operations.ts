/** One who waits for a shared operation. */
export interface Waiter<Progress> {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: Progress) => void) | undefined;
}

interface Operation<Progress, Result> {
  readonly result: Promise<Result>;
  readonly controller: AbortController;
  readonly waiters: Set<Waiter<Progress>>;
  latest: Progress | undefined;
}

/**
 * Lets identical work in flight happen once. Whoever gives up stops waiting and disturbs nobody; when the last one
 * gives up, the work is cancelled, and a newcomer starts it afresh.
 */
export class SharedOperations<Progress, Result> {
  readonly #operations = new Map<string, Operation<Progress, Result>>();

  /** How many operations are in flight. */
  get size(): number {
    return this.#operations.size;
  }

  /** Joins the operation of this key, or starts it. */
  async run(
    key: string,
    start: (signal: AbortSignal, report: (progress: Progress) => void) => Promise<Result>,
    waiter: Waiter<Progress> = {},
  ): Promise<Result> {
    waiter.signal?.throwIfAborted();
    const operation = this.#operations.get(key) ?? this.#start(key, start);
    operation.waiters.add(waiter);
    if (operation.latest !== undefined) waiter.onProgress?.(operation.latest);
    try {
      return await untilAborted(operation.result, waiter.signal);
    } finally {
      operation.waiters.delete(waiter);
      if (operation.waiters.size === 0) this.#abandon(key, operation);
    }
  }

  #start(
    key: string,
    start: (signal: AbortSignal, report: (progress: Progress) => void) => Promise<Result>,
  ): Operation<Progress, Result> {
    const controller = new AbortController();
    const waiters = new Set<Waiter<Progress>>();
    const report = (progress: Progress): void => {
      operation.latest = progress;
      for (const waiter of waiters) waiter.onProgress?.(progress);
    };
    const result = Promise.resolve().then(() => start(controller.signal, report));
    const operation: Operation<Progress, Result> = { result, controller, waiters, latest: undefined };
    this.#operations.set(key, operation);
    const forget = (): void => {
      if (this.#operations.get(key) === operation) this.#operations.delete(key);
    };
    // Both ends are handled here, so that a failure nobody waits for any more is no unhandled rejection.
    result.then(forget, forget);
    return operation;
  }

  #abandon(key: string, operation: Operation<Progress, Result>): void {
    if (this.#operations.get(key) !== operation) return;
    this.#operations.delete(key);
    operation.controller.abort();
  }
}

async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
