/**
 * Which events are worth writing, and as what: the thinning that every Kubernetes component does before it speaks.
 *
 * ```text
 * aggregate   the tenth different message of one source, object and reason within ten minutes, and all after it,
 *             become one event, "(combined from similar events): …"
 * count       an event that was there before is counted, not repeated: its count, last time and message change
 * limit       of one source about one object, 25 events of a type at once, then one in five minutes; counting goes on
 * ```
 */
import { LruMap } from "./lru-map.ts";

export interface EventObject {
  readonly kind: string;
  readonly apiVersion: string;
  readonly name: string;
  readonly namespace?: string | undefined;
  readonly uid?: string | undefined;
  /** `spec.containers{web}` */
  readonly fieldPath?: string | undefined;
}

export interface EventSource {
  readonly component: string;
  readonly host?: string | undefined;
}

export interface EventText {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
}

export interface Occurrence extends EventText {
  readonly object: EventObject;
  readonly source: EventSource;
}

/** What to do about an occurrence. */
export interface CorrelatedEvent {
  /** Held back by the limit: nothing is to be written. */
  readonly skip: boolean;
  /** Where it is counted; hand it to `written()`. */
  readonly key: string;
  /** How often it came, this time included. More than 1 means that an event of that name is there to be changed. */
  readonly count: number;
  readonly message: string;
  /** The name under which it was written before; absent for a new one. */
  readonly name: string | undefined;
  /** Milliseconds since the epoch. */
  readonly first: number;
  readonly last: number;
}

const CACHE_SIZE = 4096;
const SIMILAR_EVENTS = 10;
const SIMILAR_MS = 600_000;
const BURST = 25;
const REFILL_MS = 300_000;

interface Similar {
  readonly messages: Set<string>;
  readonly last: number;
}

interface Counted {
  readonly name: string | undefined;
  readonly count: number;
  readonly first: number;
}

interface Bucket {
  /** Milliseconds saved up. */
  credit: number;
  at: number;
}

/** Its memory is bounded: what was least recently of use is forgotten, and then starts anew. */
export class EventCorrelator {
  readonly #now: () => number;
  readonly #similar = new LruMap<string, Similar>(CACHE_SIZE);
  readonly #counted = new LruMap<string, Counted>(CACHE_SIZE);
  readonly #buckets = new LruMap<string, Bucket>(CACHE_SIZE);

  constructor(now: () => number) {
    this.#now = now;
  }

  correlate(occurrence: Occurrence): CorrelatedEvent {
    const now = this.#now();
    const { key, message } = this.#aggregate(occurrence, now);
    const known = this.#counted.get(key);
    const count = (known?.count ?? 0) + 1;
    const first = known?.first ?? now;
    this.#counted.set(key, { name: known?.name, count, first });
    const skip = !this.#takeToken(joinKey([sourceKey(occurrence), occurrence.type]), now);
    return { skip, key, count, message, name: known?.name, first, last: now };
  }

  /** Remembers what an event is called that was written, and its count there. */
  written(
    key: string,
    event: { readonly name: string; readonly count: number; readonly first: number },
  ): void {
    this.#counted.set(key, { name: event.name, count: event.count, first: event.first });
  }

  #aggregate(occurrence: Occurrence, now: number): { readonly key: string; readonly message: string } {
    const { message, object } = occurrence;
    const own = joinKey([
      sourceKey(occurrence),
      object.fieldPath,
      occurrence.type,
      occurrence.reason,
      message,
    ]);
    const group = joinKey([sourceKey(occurrence), occurrence.type, occurrence.reason]);
    const known = this.#similar.get(group);
    const messages =
      known === undefined || now - known.last > SIMILAR_MS ? new Set<string>() : known.messages;
    messages.add(own);
    this.#similar.set(group, { messages, last: now });
    if (messages.size < SIMILAR_EVENTS) return { key: own, message };
    // Keeps the group at its limit, so that its memory is bounded and it stays combined.
    const [oldest] = messages;
    if (oldest !== undefined) messages.delete(oldest);
    return { key: group, message: `(combined from similar events): ${message}` };
  }

  #takeToken(key: string, now: number): boolean {
    const bucket = this.#buckets.get(key) ?? { credit: BURST * REFILL_MS, at: now };
    this.#buckets.set(key, bucket);
    bucket.credit = Math.min(BURST * REFILL_MS, bucket.credit + Math.max(0, now - bucket.at));
    bucket.at = now;
    if (bucket.credit < REFILL_MS) return false;
    bucket.credit -= REFILL_MS;
    return true;
  }
}

function sourceKey({ source, object }: Occurrence): string {
  const { kind, namespace, name, uid, apiVersion } = object;
  return joinKey([source.component, source.host, kind, namespace, name, uid, apiVersion]);
}

/** Nothing in names, reasons or messages can be mistaken for the end of a part. */
function joinKey(parts: readonly (string | undefined)[]): string {
  return JSON.stringify(parts.map((part) => part ?? ""));
}
