import { setTimeout as waitOnTimer } from "node:timers/promises";

import type { ContentStream, ImageSource } from "../oci/index.ts";

export interface ByteRateOptions {
  /** Bytes a second, of all streams together. */
  readonly bytesPerSecond: number;
  /** Milliseconds, of a clock that doesn't jump if there is one. */
  readonly now: () => number;
  readonly wait?: ((milliseconds: number, signal: AbortSignal) => Promise<void>) | undefined;
}

/** The part of a second that may flow at once; about twenty short rests a second, however small the chunks are. */
const BURST = 0.05;

/**
 * A cap on how fast content comes in. Streams run freely until the allowance is used up, then all of them rest on one
 * timer; the sockets behind them feel it as backpressure. A chunk too many is owed, and rested off.
 */
export class ByteRate {
  readonly #rate: number;
  readonly #now: () => number;
  readonly #wait: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  readonly #burst: number;
  #allowance: number;
  #at: number;
  #rest: Rest | undefined;

  constructor(options: ByteRateOptions) {
    const { bytesPerSecond, now, wait } = options;
    if (!(bytesPerSecond > 0)) throw new RangeError(`a rate of ${bytesPerSecond} bytes a second`);
    this.#rate = bytesPerSecond / 1000;
    this.#now = now;
    this.#wait = wait ?? ((milliseconds, signal) => waitOnTimer(milliseconds, undefined, { signal }));
    this.#burst = bytesPerSecond * BURST;
    this.#allowance = this.#burst;
    this.#at = now();
  }

  /** Counts bytes that came; a promise when their reader has to rest before the next ones. */
  take(bytes: number, signal?: AbortSignal): Promise<void> | undefined {
    this.#refill();
    this.#allowance -= bytes;
    return this.#allowance >= 0 ? undefined : this.#restOff(signal);
  }

  /** The same images, read no faster than all who share this rate may. */
  limit(source: ImageSource): ImageSource {
    return {
      resolve: (reference, options) => source.resolve(reference, options),
      open: async (descriptor, options) =>
        this.#limitStream(await source.open(descriptor, options), options?.signal),
    };
  }

  #limitStream(stream: ContentStream, signal: AbortSignal | undefined): ContentStream {
    return {
      pump: (consume) =>
        stream.pump((chunk) => {
          const rest = this.take(chunk.length, signal);
          const consumed = consume(chunk);
          if (rest === undefined) return consumed;
          return consumed === undefined ? rest : Promise.all([consumed, rest]).then(() => {});
        }),
      close: () => stream.close(),
    };
  }

  #refill(): void {
    const now = this.#now();
    this.#allowance = Math.min(this.#burst, this.#allowance + Math.max(0, now - this.#at) * this.#rate);
    this.#at = now;
  }

  async #restOff(signal: AbortSignal | undefined): Promise<void> {
    while (this.#allowance < 0) {
      const rest = (this.#rest ??= this.#begin());
      rest.sharers++;
      try {
        await untilAborted(rest.over, signal);
      } finally {
        // The timer of the last one to give up must not keep a process waiting.
        if (--rest.sharers === 0 && this.#rest === rest) {
          this.#rest = undefined;
          rest.stop.abort();
        }
      }
      this.#refill();
    }
  }

  #begin(): Rest {
    const stop = new AbortController();
    const milliseconds = Math.max(1, Math.ceil((this.#burst / 2 - this.#allowance) / this.#rate));
    const over = this.#wait(milliseconds, stop.signal).catch((error: unknown) => {
      if (!stop.signal.aborted) throw error;
    });
    const rest: Rest = { over, stop, sharers: 0 };
    const end = (): void => {
      if (this.#rest === rest) this.#rest = undefined;
    };
    over.then(end, end);
    return rest;
  }
}

interface Rest {
  readonly over: Promise<void>;
  readonly stop: AbortController;
  sharers: number;
}

async function untilAborted(promise: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return await promise;
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
