import type { RouteName } from "../../oci/index.ts";
import type { Exchange, Observer } from "./exchange.ts";

/** Upper bounds in seconds; a last bucket takes what is slower. */
export const DURATION_BUCKETS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300,
];

/** What all requests of a route, method and status were together. */
export interface RequestCount {
  readonly route: RouteName | "other";
  readonly method: string;
  readonly status: number;
  readonly count: number;
  /** Bytes. */
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Seconds. */
  readonly duration: number;
  /** How many took at most as long as each bound, and longer than the one before. */
  readonly buckets: readonly number[];
}

export interface UnderWay {
  readonly requests: number;
  /** Requests whose bodies go into blobs. */
  readonly uploads: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Tally extends Mutable<Omit<RequestCount, "buckets">> {
  readonly buckets: number[];
}

const METHODS = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]);

/** Counts requests: a few additions for each, and no text is made before somebody asks. */
export class Statistics implements Observer {
  readonly #tallies = new Map<string, Map<string, Map<number, Tally>>>();
  #requests = 0;
  #uploads = 0;

  get underWay(): UnderWay {
    return { requests: this.#requests, uploads: this.#uploads };
  }

  get counts(): readonly RequestCount[] {
    return [...this.#tallies.values()].flatMap((methods) =>
      [...methods.values()].flatMap((statuses) => [...statuses.values()]),
    );
  }

  onBegin(exchange: Exchange): void {
    this.#requests++;
    if (isUpload(exchange)) this.#uploads++;
  }

  onEnd(exchange: Exchange): void {
    this.#requests--;
    if (isUpload(exchange)) this.#uploads--;
    const tally = this.#find(exchange);
    const seconds = exchange.duration / 1_000;
    tally.count++;
    tally.bytesIn += exchange.bytesIn;
    tally.bytesOut += exchange.bytesOut;
    tally.duration += seconds;
    let bucket = 0;
    while (bucket < DURATION_BUCKETS.length && seconds > (DURATION_BUCKETS[bucket] as number)) bucket++;
    tally.buckets[bucket] = (tally.buckets[bucket] ?? 0) + 1;
  }

  #find({ match, request, status }: Exchange): Tally {
    const route = match?.route ?? "other";
    // Methods are any word a client likes to send.
    const method = METHODS.has(request.method) ? request.method : "other";
    let methods = this.#tallies.get(route);
    if (methods === undefined) this.#tallies.set(route, (methods = new Map()));
    let statuses = methods.get(method);
    if (statuses === undefined) methods.set(method, (statuses = new Map()));
    let tally = statuses.get(status);
    if (tally === undefined) {
      const buckets = Array.from({ length: DURATION_BUCKETS.length + 1 }, () => 0);
      tally = { route, method, status, count: 0, bytesIn: 0, bytesOut: 0, duration: 0, buckets };
      statuses.set(status, tally);
    }
    return tally;
  }
}

function isUpload({ request, match }: Exchange): boolean {
  const { method } = request;
  return method !== "GET" && method !== "HEAD" && (match?.route === "upload" || match?.route === "uploads");
}
