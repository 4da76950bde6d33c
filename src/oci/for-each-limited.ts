import { type SignalOptions } from "./content.ts";

export interface LimitOptions extends SignalOptions {
  readonly concurrency: number;
}

/**
 * Does something with every item, a few at a time, beginning in order. The first failure stops what is under way,
 * through the signal that `act` is given, and is thrown when all of it has ended.
 */
export async function forEachLimited<T>(
  items: readonly T[],
  options: LimitOptions,
  act: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const signal = options.signal === undefined ? stop.signal : AbortSignal.any([options.signal, stop.signal]);
  const queue = items[Symbol.iterator]();
  let failure: { readonly error: unknown } | undefined;
  const work = async (): Promise<void> => {
    for (const item of queue) {
      try {
        signal.throwIfAborted();
        await act(item, signal);
      } catch (error) {
        failure ??= { error };
        stop.abort(error);
        return;
      }
    }
  };
  const workers = Math.min(Math.max(1, options.concurrency), items.length);
  await Promise.all(Array.from({ length: workers }, work));
  if (failure !== undefined) throw failure.error;
}
