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
  readonly #deliveries: readonly Delivery[];
  readonly #stop = new AbortController();
  readonly #clock: () => number;
  readonly #tellsOfPulls: boolean;
  #lock: FileLock | undefined;
  #gathered: { endpoint: string; event: string }[] = [];
  #timer: NodeJS.Timeout | undefined;
  /** Goes up with every event. */
  #news = 0;
  readonly #sleepers = new Set<() => void>();
  readonly #running: Promise<unknown>;

  /** @throws DatabaseError when the queue can't be opened */
  constructor(options: NotifierOptions) {
    this.#options = options;
    this.#clock = options.clock ?? Date.now;
    this.#tellsOfPulls = options.endpoints.some(({ actions }) => actions?.includes("pull") ?? true);
    this.#queue = new NotificationQueue(options.path, options.limits);
    const shared = {
      queue: this.#queue,
      fetch: options.fetch ?? fetch,
      clock: this.#clock,
      random: options.random ?? Math.random,
      onFailure: options.onFailure,
    };
    this.#deliveries = options.endpoints.map((endpoint) => new Delivery(endpoint, shared));
    this.#running = Promise.all(this.#deliveries.map((delivery) => this.#run(delivery)));
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
    for (const { name } of this.#options.endpoints) {
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
      const told = this.#options.endpoints.filter((endpoint) => isFor(endpoint, event));
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

  async #run(delivery: Delivery): Promise<void> {
    const { signal } = this.#stop;
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
      if (!wakes || news === this.#news) await this.#pause(wait, wakes);
    }
  }

  /** The kernel gives the lock to the next process when its holder ends, however it ends. */
  #isOurs(): boolean {
    this.#lock ??= FileLock.tryAcquire(`${this.#options.path}.lock`);
    return this.#lock !== undefined;
  }

  #pause(milliseconds: number, wakes: boolean): Promise<void> {
    const { signal } = this.#stop;
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
