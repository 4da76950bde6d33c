/** What becomes of an event before the API hears of it; held back are events, never counts. */
import { EventCorrelator as KubernetesCorrelator } from "../kubernetes/index.ts";

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

/** Thins a node's events as every Kubernetes component does. */
export class EventCorrelator {
  readonly #correlator: KubernetesCorrelator;

  /** @param options.now milliseconds since the epoch */
  constructor(options: { readonly now: () => number }) {
    this.#correlator = new KubernetesCorrelator(options.now);
  }

  correlate(object: EventObject, text: EventText): CorrelatedEvent {
    const { type, reason, fieldPath } = text;
    const { message, count, first, last, key, skip } = this.#correlator.correlate({
      object: { ...object, apiVersion: "v1", fieldPath },
      source: SOURCE,
      type,
      reason,
      message: text.message,
    });
    const where = fieldPath === undefined ? {} : { fieldPath };
    return { type, reason, message, ...where, count, first, last, key, held: skip };
  }
}

/** One voice: all that a node says is thinned together. */
const SOURCE = { component: "kubelet" } as const;
