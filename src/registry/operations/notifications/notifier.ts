/**
 * Tells others what happens in a registry.
 *
 * ```text
 * exchange ─► events ─► queue on disk ─► Delivery per endpoint ─► POST
 *                                    └─ by one process alone, where several serve one folder
 * ```
 */
import { FileLock } from "../../../internal/file-lock.ts";
import type { Exchange, Observer } from "../exchange.ts";
import { Delivery, type Endpoint } from "./deliver.ts";
import { eventsOf, type EventOptions, type NotificationEvent } from "./event.ts";
import { NotificationQueue, type QueueLimits, type QueueTally } from "./queue.ts";

/** Which events an endpoint is told of. */
export interface EndpointFilter {
  readonly actions: readonly NotificationEvent["action"][] | undefined;
  /** Whether a repository is one of those; all by default. */
  readonly matches: ((repository: string) => boolean) | undefined;
}

export interface NotifierOptions extends EventOptions {
  /** The queue's file. */
  readonly path: string;
  readonly endpoints: readonly (Endpoint & EndpointFilter)[];
  readonly limits?: QueueLimits | undefined;
  readonly fetch?: typeof fetch | undefined;
  readonly clock?: (() => number) | undefined;
  readonly random?: (() => number) | undefined;
  readonly onFailure: (error: unknown) => void;
}

/** Pulls come by the thousand: theirs are queued together, this many milliseconds after the first. */
const GATHER = 50;
/** How often to see whether there is something of another process's, and whether that one is gone. */
const LOOK_EVERY = 5_000;

export class Notifier implements Observer, AsyncDisposable {
  readonly #options: NotifierOptions;
  readonly #queue: NotificationQueue;
  readonly #clock: () => number;
  #endpoints: NotifierOptions["endpoints"] = [];
  #tellsOfPulls = false;
  #stop = new AbortController();
  #lock: FileLock | undefined;
  #gathered: { endpoint: string; event: string }[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Goes up with every event. */
  #news = 0;
  readonly #sleepers = new Set<() => void>();
  #running: Promise<unknown> = Promise.resolve();

  /** @throws DatabaseError when the queue can't be opened */
  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#clock = options.clock ?? Date.now;
    this.#queue = new NotificationQueue(options.path, options.limits);
    this.#begin(options.endpoints);
  }

  /**
   * Tells others from now on. What is queued for one that stays, by its name, goes on; what is queued for one that
   * doesn't waits for its return.
   */
  async setEndpoints(endpoints: NotifierOptions["endpoints"]): Promise<void> {
    const before = this.#running;
    this.#stop.abort();
    this.#stop = new AbortController();
    this.#begin(endpoints, before);
    await before;
  }

  #begin(endpoints: NotifierOptions["endpoints"], before: Promise<unknown> = Promise.resolve()): void {
    const { fetch: send = fetch, random = Math.random, onFailure } = this.#options;
    const { signal } = this.#stop;
    const shared = { queue: this.#queue, fetch: send, clock: this.#clock, random, onFailure };
    this.#endpoints = endpoints;
    this.#tellsOfPulls = endpoints.some(({ actions }) => actions?.includes("pull") ?? true);
    // One after the other: two on their way to one endpoint would send the same events.
    this.#running = before.then(() =>
      Promise.all(endpoints.map((endpoint) => this.#run(new Delivery(endpoint, shared), signal))),
    );
  }

  /** Changes are queued before their answer goes out. */
  onAnswer(exchange: Exchange): void {
    if (isRead(exchange)) return;
    const events = this.#read(exchange);
    if (events.length === 0) return;
    this.#queue.add(events, this.#clock());
    this.#wakeUp();
  }

  onEnd(exchange: Exchange): void {
    if (!this.#tellsOfPulls || !isRead(exchange) || exchange.status >= 300) return;
    // Whoever left in the middle has pulled nothing.
    const length = exchange.answered("content-length");
    if (exchange.request.method === "GET" && length !== undefined && Number(length) > exchange.bytesOut)
      return;
    const events = this.#read(exchange);
    if (events.length === 0) return;
    this.#gathered.push(...events);
    this.#timer ??= setTimeout(() => this.#flush(), GATHER).unref();
  }

  tallies(): readonly QueueTally[] {
    const queued = new Map(this.#queue.tallies().map((tally) => [tally.endpoint, tally]));
    for (const { name } of this.#endpoints) {
      if (!queued.has(name)) {
        queued.set(name, { endpoint: name, queued: 0, oldest: undefined, dead: 0, dropped: 0 });
      }
    }
    return [...queued.values()];
  }

  /** What isn't delivered stays for the next process. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    this.#wakeUp();
    await this.#running;
    this.#flush();
    this.#lock?.release();
    this.#queue[Symbol.dispose]();
  }

  #read(exchange: Exchange): { endpoint: string; event: string }[] {
    const events = eventsOf(exchange, this.#options);
    return events.flatMap((event) => {
      const told = this.#endpoints.filter((endpoint) => isFor(endpoint, event));
      const text = told.length === 0 ? "" : JSON.stringify(event);
      return told.map(({ name }) => ({ endpoint: name, event: text }));
    });
  }

  #flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const events = this.#gathered;
    this.#gathered = [];
    if (events.length === 0) return;
    try {
      this.#queue.add(events, this.#clock());
    } catch (error) {
      this.#options.onFailure(error);
    }
    this.#wakeUp();
  }

  async #run(delivery: Delivery, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const news = this.#news;
      let wait = LOOK_EVERY;
      let wakes = true;
      try {
        if (this.#isOurs()) {
          const next = await delivery.step(signal);
          if (next === 0) continue;
          // A new event is no reason to try an endpoint that asked to be left alone.
          if (next !== "empty") [wait, wakes] = [next, false];
        }
      } catch (error) {
        if (signal.aborted) return;
        this.#options.onFailure(error);
      }
      if (!wakes || news === this.#news) await this.#pause(wait, { wakes, signal });
    }
  }

  /** The kernel gives the lock to the next process when its holder ends, however it ends. */
  #isOurs(): boolean {
    this.#lock ??= FileLock.tryAcquire(`${this.#options.path}.lock`);
    return this.#lock !== undefined;
  }

  #pause(
    milliseconds: number,
    { wakes, signal }: { readonly wakes: boolean; readonly signal: AbortSignal },
  ): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener("abort", end);
        this.#sleepers.delete(end);
        resolve();
      };
      const timer = setTimeout(end, milliseconds).unref();
      signal.addEventListener("abort", end, { once: true });
      if (wakes) this.#sleepers.add(end);
      if (signal.aborted) end();
    });
  }

  #wakeUp(): void {
    this.#news++;
    for (const end of this.#sleepers) end();
  }
}

function isRead({ request }: Exchange): boolean {
  return request.method === "GET" || request.method === "HEAD";
}

function isFor({ actions, matches }: EndpointFilter, { action, target }: NotificationEvent): boolean {
  return (actions?.includes(action) ?? true) && (matches?.(target.repository) ?? true);
}
