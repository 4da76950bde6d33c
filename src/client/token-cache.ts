import type { Token } from "./token-response.ts";

interface Flight {
  readonly promise: Promise<Token>;
  readonly controller: AbortController;
  waiting: number;
}

/** Tokens kept at a time; a node that pulls from more repositories than this fetches some again. */
const CAPACITY = 1000;

/**
 * Tokens by what they're for. One fetch is in flight per key and everyone who asks meanwhile waits for it; it's
 * given up when all of them have. A failed fetch leaves nothing behind.
 */
export class TokenCache {
  readonly #clock: () => number;
  readonly #tokens = new Map<string, Token>();
  readonly #flights = new Map<string, Flight>();

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  async get(
    key: string,
    fetch: (signal: AbortSignal) => Promise<Token>,
    signal?: AbortSignal,
  ): Promise<Token> {
    signal?.throwIfAborted();
    const known = this.#tokens.get(key);
    if (known !== undefined && this.#clock() < known.refreshAt) return known;
    const flight = this.#flights.get(key) ?? this.#start(key, fetch);
    flight.waiting++;
    try {
      return await unlessAborted(flight.promise, signal);
    } finally {
      flight.waiting--;
      if (flight.waiting === 0) this.#abandon(key, flight);
    }
  }

  /** Forgets a token a registry turned down. */
  drop(value: string): void {
    for (const [key, token] of this.#tokens) {
      if (token.value.reveal() === value) this.#tokens.delete(key);
    }
  }

  #start(key: string, fetch: (signal: AbortSignal) => Promise<Token>): Flight {
    const controller = new AbortController();
    const promise = fetch(controller.signal).then(
      (token) => {
        this.#land(key, controller);
        this.#tokens.delete(key);
        this.#tokens.set(key, token);
        const [oldest] = this.#tokens.keys();
        if (this.#tokens.size > CAPACITY && oldest !== undefined) this.#tokens.delete(oldest);
        return token;
      },
      (error: unknown) => {
        this.#land(key, controller);
        throw error;
      },
    );
    // Waiters may all have left by the time it fails.
    promise.catch(() => {});
    const flight: Flight = { promise, controller, waiting: 0 };
    this.#flights.set(key, flight);
    return flight;
  }

  #land(key: string, controller: AbortController): void {
    if (this.#flights.get(key)?.controller === controller) this.#flights.delete(key);
  }

  #abandon(key: string, flight: Flight): void {
    this.#land(key, flight.controller);
    flight.controller.abort();
  }
}

function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => reject(signal.reason as Error);
    signal.addEventListener("abort", onAbort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", onAbort));
  });
}
