import type { CorrelatedEvent, CountedEvent, EventText } from "./event-correlator.ts";

/** What an event of a Pod is about, in the API's words. */
export type PodEventText = EventText;

/** An event, however often it came. */
export type PodEvent = CountedEvent;

const CAPACITY = 200;

/** The events of one object, in the order they first came, those held back included. The oldest are forgotten. */
export class EventList {
  readonly #events = new Map<string, PodEvent>();

  list(): readonly PodEvent[] {
    return [...this.#events.values()];
  }

  add({ key, type, reason, message, fieldPath, count, first, last }: CorrelatedEvent): PodEvent {
    const about = fieldPath === undefined ? {} : { fieldPath };
    const event = { type, reason, message, ...about, count, first, last };
    this.#events.set(key, event);
    const [oldest] = this.#events.keys();
    if (this.#events.size > CAPACITY && oldest !== undefined) this.#events.delete(oldest);
    return event;
  }
}
