/** What an event of a Pod is about, in the API's words. */
export interface PodEventText {
  readonly type: "Normal" | "Warning";
  readonly reason: string;
  readonly message: string;
  /** `spec.containers{web}`; absent for events of the Pod as a whole. */
  readonly fieldPath?: string | undefined;
}

/** An event, however often it came. */
export interface PodEvent extends PodEventText {
  readonly count: number;
  /** Milliseconds since the epoch. */
  readonly first: number;
  readonly last: number;
}

const CAPACITY = 200;

/** The events of one Pod, in the order they first came; equal ones are counted. The oldest are forgotten. */
export class PodEvents {
  readonly #now: () => number;
  readonly #events = new Map<string, PodEvent>();

  constructor(now: () => number) {
    this.#now = now;
  }

  list(): readonly PodEvent[] {
    return [...this.#events.values()];
  }

  record(text: PodEventText): PodEvent {
    const { type, reason, message, fieldPath } = text;
    const key = JSON.stringify([type, reason, message, fieldPath]);
    const known = this.#events.get(key);
    const now = this.#now();
    const event =
      known === undefined
        ? {
            type,
            reason,
            message,
            ...(fieldPath !== undefined && { fieldPath }),
            count: 1,
            first: now,
            last: now,
          }
        : { ...known, count: known.count + 1, last: now };
    this.#events.set(key, event);
    const [oldest] = this.#events.keys();
    if (this.#events.size > CAPACITY && oldest !== undefined) this.#events.delete(oldest);
    return event;
  }
}
