import type { Secret } from "../../../internal/secret.ts";
import { RegistryError } from "../../errors.ts";
import { ENVELOPE_TYPE, formatEnvelope } from "./event.ts";
import type { NotificationQueue, QueuedEvent } from "./queue.ts";

/** Somebody who is told. */
export interface Endpoint {
  /** Under which its events are queued. */
  readonly name: string;
  readonly url: string;
  /** Such as `Authorization`. */
  readonly headers: readonly (readonly [string, Secret])[];
  /** How long an answer may take, in milliseconds. */
  readonly timeout: number;
  /** Events in one request at most. */
  readonly batch: number;
  /** After how many attempts an event is given up. */
  readonly attempts: number;
  /** Milliseconds before the second attempt, and the most between any two. */
  readonly backOff: { readonly first: number; readonly most: number };
}

export interface DeliveryOptions {
  readonly queue: NotificationQueue;
  readonly fetch: typeof fetch;
  /** Milliseconds since the epoch. */
  readonly clock: () => number;
  /** From 0 to 1, so that many senders don't come back at the same moment. */
  readonly random: () => number;
  /** Told of an endpoint that begins to fail, and of events that are given up. */
  readonly onFailure: (error: unknown) => void;
}

/** How an attempt went. */
type Outcome =
  | { readonly kind: "taken" }
  | { readonly kind: "failed"; readonly why: string; readonly retryAfter?: number | undefined }
  /** This event, and no other, is what it won't take. */
  | { readonly kind: "refused"; readonly why: string };

/** Statuses that say that the content of a request will never do. */
const HOPELESS = new Set([400, 413, 415, 422]);

/** The way to one endpoint: in order, one request at a time, slower and slower while it fails. */
export class Delivery {
  readonly endpoint: Endpoint;
  readonly #options: DeliveryOptions;
  #failures = 0;

  constructor(endpoint: Endpoint, options: DeliveryOptions) {
    this.endpoint = endpoint;
    this.#options = options;
  }

  /** Attempts in a row that failed. */
  get failures(): number {
    return this.#failures;
  }

  /** Sends what is due. Resolves with the milliseconds to wait before the next call; 0 when there is more. */
  async step(signal: AbortSignal): Promise<number | "empty"> {
    const { queue } = this.#options;
    // After a failure one event alone, so that a bad one is told from a bad endpoint.
    const events = queue.peek(this.endpoint.name, this.#failures > 0 ? 1 : this.endpoint.batch);
    if (events.length === 0) return "empty";
    const outcome = await this.#send(events, signal);
    signal.throwIfAborted();
    if (outcome.kind === "taken") {
      this.#failures = 0;
      queue.delivered(events.map(({ id }) => id));
      return 0;
    }
    return this.#fail(events, outcome);
  }

  #fail(events: readonly QueuedEvent[], outcome: Exclude<Outcome, { readonly kind: "taken" }>): number {
    const { queue, clock, random } = this.#options;
    const { attempts, backOff } = this.endpoint;
    const [first] = events;
    const alone = events.length === 1;
    queue.failed(events.map(({ id }) => id));
    const spent = first !== undefined && first.attempts + 1 >= attempts;
    if (alone && first !== undefined && (spent || outcome.kind === "refused")) {
      queue.bury([first.id], outcome.why, clock());
      this.#tell(`gave up event ${first.id} after ${first.attempts + 1} attempts: ${outcome.why}`);
      if (outcome.kind === "refused") {
        this.#failures = 0;
        return 0;
      }
    } else if (this.#failures === 0 && outcome.kind === "failed") this.#tell(outcome.why);
    this.#failures++;
    if (outcome.kind === "refused") return 0;
    const wait = Math.min(backOff.most, backOff.first * 2 ** Math.min(30, this.#failures - 1));
    const spread = wait * (0.8 + 0.4 * random());
    return Math.max(spread, Math.min(outcome.retryAfter ?? 0, backOff.most));
  }

  async #send(events: readonly QueuedEvent[], signal: AbortSignal): Promise<Outcome> {
    const { url, headers, timeout } = this.endpoint;
    try {
      const response = await this.#options.fetch(url, {
        method: "POST",
        headers: {
          ...Object.fromEntries(headers.map(([name, value]) => [name, value.reveal()])),
          "Content-Type": ENVELOPE_TYPE,
        },
        body: formatEnvelope(events.map(({ event }) => event)),
        // Where to is the configuration's word, not the receiver's.
        redirect: "manual",
        signal: AbortSignal.any([signal, AbortSignal.timeout(timeout)]),
      });
      await response.body?.cancel();
      const { status } = response;
      if (status >= 200 && status < 300) return { kind: "taken" };
      const why = `it answered ${status}`;
      if (HOPELESS.has(status)) return { kind: "refused", why };
      return { kind: "failed", why, retryAfter: this.#readRetryAfter(response.headers.get("retry-after")) };
    } catch (error) {
      signal.throwIfAborted();
      return { kind: "failed", why: describe(error, timeout) };
    }
  }

  #readRetryAfter(header: string | null): number | undefined {
    if (header === null) return undefined;
    if (/^\d{1,6}$/.test(header)) return Number(header) * 1_000;
    const time = Date.parse(header);
    return Number.isNaN(time) ? undefined : Math.max(0, time - this.#options.clock());
  }

  #tell(why: string): void {
    const { name } = this.endpoint;
    const message = `Cannot notify endpoint ${JSON.stringify(name)}: ${why}`;
    this.#options.onFailure(new RegistryError("NOTIFICATION_FAILED", message));
  }
}

/** `fetch` says only that it failed; why is in the causes. Never the URL, which may hold a secret. */
function describe(error: unknown, timeout: number): string {
  if (error instanceof Error && error.name === "TimeoutError") return `no answer within ${timeout} ms`;
  const cause = error instanceof Error ? error.cause : undefined;
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : undefined;
  return code === undefined ? "it cannot be reached" : `it cannot be reached (${code})`;
}
