import type { ContentSource, Digest, WriteOptions, WriteOutcome } from "../oci/index.ts";

/** Does the transfer that several callers wait for; its signal fires when none of them waits any longer. */
export type SharedTransfer = (options: {
  readonly signal: AbortSignal;
  readonly onProgress: (bytes: number) => void;
  readonly onAwaited: (bytes: number) => void;
}) => Promise<WriteOutcome>;

type Listener = Pick<WriteOptions, "onProgress" | "onAwaited">;

interface Running {
  readonly source: ContentSource;
  readonly outcome: Promise<WriteOutcome>;
  readonly cancel: AbortController;
  readonly listeners: Set<Listener>;
  waiting: number;
}

/**
 * One transfer for all who want the same content at the same time. Somebody who gives up leaves the others alone;
 * when the transfer fails, a waiter that brought another source tries that one.
 */
export class SharedWrites {
  readonly #running = new Map<Digest, Running>();

  async write(
    want: { readonly digest: Digest; readonly source: ContentSource },
    transfer: SharedTransfer,
    options: WriteOptions,
  ): Promise<WriteOutcome> {
    for (;;) {
      options.signal?.throwIfAborted();
      const running = this.#running.get(want.digest);
      if (running === undefined) return this.#wait(this.#begin(want, transfer), options);
      if (running.cancel.signal.aborted) {
        await abortable(settled(running.outcome), options.signal);
        continue;
      }
      try {
        return await this.#wait(running, options);
      } catch (error) {
        if (options.signal?.aborted === true || running.source === want.source) throw error;
      }
    }
  }

  #begin(
    want: { readonly digest: Digest; readonly source: ContentSource },
    transfer: SharedTransfer,
  ): Running {
    const cancel = new AbortController();
    const listeners = new Set<Listener>();
    const outcome = transfer({
      signal: cancel.signal,
      onProgress(bytes) {
        for (const listener of listeners) listener.onProgress?.(bytes);
      },
      onAwaited(bytes) {
        for (const listener of listeners) listener.onAwaited?.(bytes);
      },
    }).finally(() => this.#running.delete(want.digest));
    const running: Running = { source: want.source, outcome, cancel, listeners, waiting: 0 };
    this.#running.set(want.digest, running);
    return running;
  }

  async #wait(running: Running, options: WriteOptions): Promise<WriteOutcome> {
    const { onProgress, onAwaited, signal } = options;
    running.waiting++;
    const listener: Listener = { onProgress, onAwaited };
    running.listeners.add(listener);
    try {
      return await abortable(running.outcome, signal);
    } finally {
      running.waiting--;
      running.listeners.delete(listener);
      if (running.waiting === 0 && signal?.aborted === true) {
        running.cancel.abort(signal.reason);
        // So that whoever aborts and tries again finds the ingest free.
        await settled(running.outcome);
      }
    }
  }
}

/** Settles like `promise`, or rejects with the signal's reason as soon as it is aborted. */
async function abortable<Result>(promise: Promise<Result>, signal: AbortSignal | undefined): Promise<Result> {
  if (signal === undefined) return promise;
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const abort = (): void => aborted.reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

async function settled(promise: Promise<unknown>): Promise<void> {
  await promise.catch(() => undefined);
}
