import { setTimeout as wait } from "node:timers/promises";

import type { ClientError } from "./errors.ts";
import { isInterruption } from "./network-error.ts";

export interface RetryOptions {
  /** Requests to one host for one call; 5 by default. */
  readonly attempts?: number | undefined;
  /** Milliseconds before the second attempt, doubled for each further one; 500 by default. */
  readonly delay?: number | undefined;
  /** Milliseconds a computed delay may grow to; 30 s by default. */
  readonly maxDelay?: number | undefined;
  /** Milliseconds of `Retry-After` that are waited; a longer one fails at once. 60 s by default. */
  readonly maxRetryAfter?: number | undefined;
}

/** Waits, and rejects with the signal's reason when that comes first. */
export type Sleep = (milliseconds: number, signal?: AbortSignal) => Promise<void>;

export const sleepOnTimer: Sleep = async (milliseconds, signal) => {
  try {
    await wait(milliseconds, undefined, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
};

const RETRIED_STATUSES: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);

/** Whether the same request may well succeed a little later. */
export function isTransient(error: ClientError): boolean {
  if (error.status !== undefined) return RETRIED_STATUSES.has(error.status);
  return isInterruption(error) || (error.code === "NETWORK_DNS" && hasCode(error.cause, "EAI_AGAIN"));
}

export class RetryPolicy {
  readonly attempts: number;
  readonly maxRetryAfter: number;
  readonly #delay: number;
  readonly #maxDelay: number;
  readonly #random: () => number;

  constructor(options: RetryOptions, random: () => number) {
    this.attempts = Math.max(1, options.attempts ?? 5);
    this.maxRetryAfter = options.maxRetryAfter ?? 60_000;
    this.#delay = options.delay ?? 500;
    this.#maxDelay = options.maxDelay ?? 30_000;
    this.#random = random;
  }

  /** Milliseconds to wait after the `attempt`th failure: full jitter, so that many nodes don't return at once. */
  delayAfter(attempt: number): number {
    return Math.round(this.#random() * Math.min(this.#maxDelay, this.#delay * 2 ** (attempt - 1)));
  }
}

/** Milliseconds that a `Retry-After` header asks for: seconds, or a date. */
export function parseRetryAfter(value: string | undefined, now: number): number | undefined {
  const text = value?.trim() ?? "";
  if (/^[0-9]{1,10}$/.test(text)) return Number(text) * 1000;
  // Date.parse takes almost anything; an HTTP date begins with a day's name and ends in GMT.
  if (!/^(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? .*[0-9](?: GMT)?$/.test(text)) return undefined;
  const time = Date.parse(text.endsWith("GMT") ? text : `${text} GMT`);
  return Number.isNaN(time) ? undefined : Math.max(0, time - now);
}

function hasCode(cause: unknown, code: string): boolean {
  return cause instanceof Error && "code" in cause && cause.code === code;
}
