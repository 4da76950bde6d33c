import type { JsonObject, KubernetesObject } from "../objects/object.ts";
import { StatusError } from "../objects/status.ts";
import type { KubernetesClient } from "./client.ts";
import {
  type CorrelatedEvent,
  EventCorrelator,
  type EventObject,
  type EventSource,
  type EventText,
  type Occurrence,
} from "./event-correlator.ts";
import { isRefusal } from "./refusal.ts";
import type { ResourceClient } from "./resource-client.ts";

export interface EventRecorderOptions {
  readonly client: KubernetesClient;
  readonly source: EventSource;
  readonly signal: AbortSignal;
  /** Told of events that could not be written; they are lost. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

const EVENTS = { group: "", version: "v1", resource: "events", namespaced: true } as const;
/** More that wait to be written than this are dropped: whoever records must never wait. */
const QUEUE_LIMIT = 1000;
const ATTEMPTS = 12;
const RETRY_MS = 10_000;

/** Writes events about objects, thinned as Kubernetes thins its own, in order, without making anyone wait. */
export class EventRecorder {
  readonly #options: EventRecorderOptions;
  readonly #events: ResourceClient;
  readonly #correlator: EventCorrelator;
  readonly #queue: Occurrence[] = [];
  #working: Promise<void> | undefined;
  #lastStamp = 0n;

  constructor(options: EventRecorderOptions) {
    this.#options = options;
    this.#events = options.client.resource(EVENTS);
    const { clock } = options.client;
    this.#correlator = new EventCorrelator(() => clock.now());
  }

  /** @param fieldPath the part of the object it is about, such as `spec.containers{web}` */
  record(object: KubernetesObject | EventObject, text: EventText, fieldPath?: string): void {
    if (this.#queue.length >= QUEUE_LIMIT || this.#options.signal.aborted) return;
    const about = "metadata" in object ? referenceTo(object, fieldPath) : object;
    this.#queue.push({ object: about, source: this.#options.source, ...text });
    this.#working ??= this.#work();
  }

  /** Resolves when everything recorded so far has been written or given up. */
  async flush(): Promise<void> {
    while (this.#working !== undefined) await this.#working;
  }

  async #work(): Promise<void> {
    // Not before whoever started this has noted it.
    await Promise.resolve();
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      try {
        const event = this.#correlator.correlate(next);
        if (!event.skip) await this.#deliver(next, event);
      } catch (error) {
        if (!this.#options.signal.aborted) this.#options.onError?.(error);
      }
    }
    this.#working = undefined;
  }

  /** A server that can't be reached is tried for two minutes, one that refuses is not. */
  async #deliver(occurrence: Occurrence, event: CorrelatedEvent): Promise<void> {
    const { client, signal } = this.#options;
    for (let attempt = 1; ; attempt++) {
      try {
        const name = await this.#write(occurrence, event);
        return this.#correlator.written(event.key, { name, count: event.count, first: event.first });
      } catch (error) {
        if (isRefusal(error, 409)) return;
        if (signal.aborted || error instanceof StatusError || attempt === ATTEMPTS) throw error;
        // At random at first, so that a whole cluster doesn't return at once.
        await client.clock.wait(RETRY_MS * (attempt === 1 ? client.random() : 1), signal);
      }
    }
  }

  /** @returns the name of the event that now tells of it */
  async #write(occurrence: Occurrence, event: CorrelatedEvent): Promise<string> {
    const { signal } = this.#options;
    const { namespace = "default" } = occurrence.object;
    const { count, message } = event;
    const name = event.name ?? `${occurrence.object.name}.${this.#stamp(event.last).toString(16)}`;
    if (event.name !== undefined && count > 1) {
      const body = { count, lastTimestamp: formatTime(event.last), message };
      try {
        await this.#events.patch(name, { type: "strategic", body }, { namespace, signal });
        return name;
      } catch (error) {
        // It has expired meanwhile, since events live for an hour: it comes again with its count.
        if (!isRefusal(error, 404)) throw error;
      }
    }
    await this.#events.create(formatEvent(occurrence, event, name), { signal });
    return name;
  }

  /** Nanoseconds as in names of events, never twice the same. */
  #stamp(milliseconds: number): bigint {
    const stamp = BigInt(Math.round(milliseconds)) * 1_000_000n;
    this.#lastStamp = stamp > this.#lastStamp ? stamp : this.#lastStamp + 1n;
    return this.#lastStamp;
  }
}

export function referenceTo(object: KubernetesObject, fieldPath?: string): EventObject & JsonObject {
  const { name = "", namespace, uid, resourceVersion } = object.metadata;
  return {
    kind: object.kind,
    ...(namespace !== undefined && { namespace }),
    name,
    ...(uid !== undefined && { uid }),
    apiVersion: object.apiVersion,
    ...(resourceVersion !== undefined && { resourceVersion }),
    ...(fieldPath !== undefined && { fieldPath }),
  };
}

function formatEvent(occurrence: Occurrence, event: CorrelatedEvent, name: string): KubernetesObject {
  const { object, source, type, reason } = occurrence;
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name, namespace: object.namespace ?? "default" },
    involvedObject: { ...object },
    reason,
    message: event.message,
    source: { component: source.component, ...(source.host !== undefined && { host: source.host }) },
    firstTimestamp: formatTime(event.first),
    lastTimestamp: formatTime(event.last),
    count: event.count,
    type,
    eventTime: null,
    reportingComponent: source.component,
    reportingInstance: source.host ?? "",
  };
}

/** RFC 3339 in whole seconds. */
export function formatTime(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace(/\.\d+Z$/v, "Z");
}
