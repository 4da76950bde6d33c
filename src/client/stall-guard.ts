import type { ContentSource, ContentStream, ImageSource } from "../oci/index.ts";
import { ClientError } from "./errors.ts";

/** Milliseconds a pull may wait for a registry that sends nothing. */
export const STALL_TIMEOUT = 60_000;

/** A registry that was asked, and sent nothing for too long. */
export class StallError extends ClientError {
  constructor(action: string, timeout: number) {
    const seconds = timeout >= 1000 ? `${Math.round(timeout / 1000)} s` : `${timeout} ms`;
    super("NETWORK_TIMEOUT", `Cannot ${action}: no byte came for ${seconds}`);
  }
}

export interface StallGuardOptions {
  /** Milliseconds without a byte; one minute by default. Infinity waits for ever. */
  readonly timeout?: number | undefined;
  /** What is given up, for the message: `pull "busybox"`. */
  readonly action: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Bounds how long a whole pull waits without any byte, whatever it waits for and however often single requests begin
 * again: names being resolved, answers, tokens, bodies. Time in which nobody waits for the registry, as when the disk
 * is slow or another process brings the same layer, doesn't count.
 *
 * ```ts
 * using guard = new StallGuard({ action: 'pull "busybox"', signal });
 * await copy(guard.watch(source), "latest", { to: store, signal: guard.signal });
 * ```
 */
export class StallGuard implements Disposable {
  /** Fires as the caller's does, or with a {@link StallError}. */
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #timeout: number;
  readonly #action: string;
  /** Requests that wait for the registry. */
  #waiting = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor({ timeout = STALL_TIMEOUT, action, signal }: StallGuardOptions) {
    const { signal: own } = this.#controller;
    this.#timeout = timeout;
    this.#action = action;
    this.signal = signal === undefined ? own : AbortSignal.any([signal, own]);
  }

  /** The same source; what is read of it counts. */
  watch(source: ImageSource): ImageSource {
    return {
      ...this.watchContent(source),
      resolve: (reference, options) => this.#whileWaiting(() => source.resolve(reference, options)),
    };
  }

  watchContent(source: ContentSource): ContentSource {
    return {
      open: async (descriptor, options) => {
        const stream = await this.#whileWaiting(() => source.open(descriptor, options));
        return { pump: (consume) => this.#pump(stream, consume), close: () => stream.close() };
      },
    };
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#waiting = 0;
  }

  #pump(stream: ContentStream, consume: Parameters<ContentStream["pump"]>[0]): Promise<void> {
    return this.#whileWaiting(() =>
      stream.pump((chunk) => {
        this.#moved();
        const pending = consume(chunk);
        if (pending === undefined) return undefined;
        this.#rest();
        return pending.finally(() => this.#wait());
      }),
    );
  }

  async #whileWaiting<T>(work: () => Promise<T>): Promise<T> {
    this.#wait();
    try {
      return await work();
    } finally {
      this.#rest();
    }
  }

  #wait(): void {
    this.#waiting++;
    this.#moved();
  }

  /** What one request got is news of the registry for all of them. */
  #rest(): void {
    this.#waiting = Math.max(0, this.#waiting - 1);
    if (this.#waiting > 0) return this.#moved();
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #moved(): void {
    if (this.#timer !== undefined) this.#timer.refresh();
    // Node's timers know no longer time than this.
    else if (this.#timeout < 2 ** 31) this.#timer = setTimeout(() => this.#giveUp(), this.#timeout);
  }

  #giveUp(): void {
    this.#timer = undefined;
    if (this.#waiting > 0) this.#controller.abort(new StallError(this.#action, this.#timeout));
  }
}
