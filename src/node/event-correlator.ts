/**
 * What becomes of an event before the API hears of it, as with every Kubernetes component:
 *
 * ```text
 * event ─► too many that differ in words alone? one for all of them ─► said before? counted ─► too many of its object and type? held back
 * ```
 *
 * Held back are events, not counts: the next one that goes out shows how often it was.
 */
export interface EventObject {
  readonly kind: "Pod" | "Node";
  /** Empty for a Node. */
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

export interface EventText {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
  /** `spec.containers{web}`; absent for events of an object as a whole. */
  readonly fieldPath?: string | undefined;
}

/** An event, however often it came. */
export interface CountedEvent extends EventText {
  readonly count: number;
  /** Milliseconds since the epoch. */
  readonly first: number;
  readonly last: number;
}

export interface CorrelatedEvent extends CountedEvent {
  /** Equal for what is one object of the API. */
  readonly key: string;
  /** Not to be written. */
  readonly held: boolean;
}

/** Objects and texts that are remembered; those used longest ago are forgotten. */
const CAPACITY = 4096;
/** From so many different texts of one reason on, within so many milliseconds, they become one event. */
const SIMILAR = 10;
const SIMILAR_WITHIN = 600_000;
/** Events of one object and type at once, and the milliseconds that bring another one. */
const BURST = 25;
const REFILL = 300_000;

interface Similar {
  readonly messages: Set<string>;
  last: number;
}

export class EventCorrelator {
  readonly #now: () => number;
  readonly #similar = new Recent<Similar>();
  readonly #counts = new Recent<{ readonly count: number; readonly first: number }>();
  readonly #tokens = new Recent<{ readonly left: number; readonly at: number }>();

  /** @param options.now milliseconds since the epoch */
  constructor(options: { readonly now: () => number }) {
    this.#now = options.now;
  }

  correlate(object: EventObject, text: EventText): CorrelatedEvent {
    const now = this.#now();
    const whose = [object.kind, object.namespace, object.name, object.uid];
    const { type, reason } = text;
    const together = JSON.stringify([...whose, type, reason]);
    const combined = this.#joinSimilar(together, text.message, now);
    const message = combined ? `(combined from similar events): ${text.message}` : text.message;
    const { fieldPath } = text;
    const key = combined ? together : JSON.stringify([...whose, type, reason, message, fieldPath]);
    const before = this.#counts.get(key);
    const count = (before?.count ?? 0) + 1;
    const first = before?.first ?? now;
    this.#counts.set(key, { count, first });
    const held = !this.#take(JSON.stringify([...whose, type]), now);
    return {
      type,
      reason,
      message,
      ...(fieldPath !== undefined && { fieldPath }),
      count,
      first,
      last: now,
      key,
      held,
    };
  }

  #joinSimilar(key: string, message: string, now: number): boolean {
    const known = this.#similar.get(key);
    const similar =
      known !== undefined && now - known.last <= SIMILAR_WITHIN
        ? known
        : { messages: new Set<string>(), last: now };
    similar.messages.add(message);
    similar.last = now;
    this.#similar.set(key, similar);
    if (similar.messages.size < SIMILAR) return false;
    const [oldest] = similar.messages;
    if (oldest !== undefined) similar.messages.delete(oldest);
    return true;
  }

  #take(whose: string, now: number): boolean {
    const { left, at } = this.#tokens.get(whose) ?? { left: BURST, at: now };
    const available = Math.min(BURST, left + Math.max(0, now - at) / REFILL);
    const allowed = available >= 1;
    this.#tokens.set(whose, { left: allowed ? available - 1 : available, at: now });
    return allowed;
  }
}

class Recent<T> {
  readonly #values = new Map<string, T>();

  get(key: string): T | undefined {
    const value = this.#values.get(key);
    if (value !== undefined) this.set(key, value);
    return value;
  }

  set(key: string, value: T): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    const [oldest] = this.#values.keys();
    if (this.#values.size > CAPACITY && oldest !== undefined) this.#values.delete(oldest);
  }
}
