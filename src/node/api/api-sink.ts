/** Tells the Kubernetes API how it goes: each Pod's status, and events. */
import {
  type JsonObject,
  type KubernetesClient,
  type KubernetesObject,
  type ResourceClient,
  StatusError,
} from "../../kubernetes/index.ts";
import { toApiEvent } from "../api-event.ts";
import { resource } from "./api-source.ts";
import type { CorrelatedEvent, EventObject } from "../event-correlator.ts";
import type { NodeSink } from "../node-sink.ts";
import type { NodePod } from "../pod-source.ts";
import type { PodStatus } from "../status/pod-status.ts";

export interface ApiSinkOptions {
  readonly client: KubernetesClient;
  /** This node's name: the source of its events. */
  readonly node: string;
  /** What the API calls a Pod, where that isn't its own name and uid: a mirror of one that stands in a file. */
  readonly shownAs?: ShownAs | undefined;
  /** Told of what could not be written; it is lost. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

export interface ShownPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
}

/** `undefined` while the API has nothing to say it of. */
export type ShownAs = (pod: ShownPod, purpose: "status" | "event") => ShownPod | undefined;

/** Events that wait to be written; beyond that they are dropped, since nobody may wait for them. */
const QUEUE_LIMIT = 1000;
/** Events of one Pod that wait for the API to show it. */
const HELD_LIMIT = 100;

interface Unshown {
  status: { readonly pod: NodePod; readonly status: PodStatus } | undefined;
  readonly events: { readonly object: EventObject; readonly event: CorrelatedEvent }[];
}

export class ApiSink implements NodeSink {
  readonly #options: ApiSinkOptions;
  readonly #pods: ResourceClient;
  readonly #events: ResourceClient;
  /** The newest status of each Pod that isn't written yet, by uid. */
  readonly #statuses = new Map<string, { readonly pod: ShownPod; readonly status: PodStatus }>();
  /** What there is to say of Pods that the API doesn't show yet, by uid. */
  readonly #unshown = new Map<string, Unshown>();
  readonly #queue: { readonly object: EventObject; readonly event: CorrelatedEvent }[] = [];
  readonly #stop = new AbortController();
  #writingStatuses: Promise<void> | undefined;
  #writingEvents: Promise<void> | undefined;

  constructor(options: ApiSinkOptions) {
    this.#options = options;
    this.#pods = resource(options.client, "pods");
    this.#events = resource(options.client, "events");
  }

  status(about: NodePod, status: PodStatus): void {
    const { uid, pod: own } = about;
    const { namespace, name } = own.metadata;
    const pod = this.#shown({ namespace, name, uid }, "status");
    if (pod === undefined) this.#hold(uid).status = { pod: about, status };
    if (pod === undefined || this.#stop.signal.aborted) return;
    // What was to be written before is history: only the newest counts, at its own place in the line.
    this.#statuses.delete(uid);
    this.#statuses.set(uid, { pod, status });
    this.#writingStatuses ??= this.#writeStatuses();
  }

  event(object: EventObject, event: CorrelatedEvent): void {
    if (event.held || this.#stop.signal.aborted || this.#queue.length >= QUEUE_LIMIT) return;
    const shown = object.kind === "Pod" ? this.#shown(object, "event") : object;
    if (shown === undefined) {
      const { events } = this.#hold(object.uid);
      if (events.length < HELD_LIMIT) events.push({ object, event });
      return;
    }
    this.#queue.push({ object: { ...object, ...shown }, event });
    this.#writingEvents ??= this.#writeEvents();
  }

  /** The API shows a Pod only now: it hears what there was to say. */
  shown(uid: string): void {
    const held = this.#unshown.get(uid);
    this.#unshown.delete(uid);
    if (held?.status !== undefined) this.status(held.status.pod, held.status.status);
    for (const { object, event } of held?.events ?? []) this.event(object, event);
  }

  /** A Pod is gone: nobody will show it any more. */
  forget(uid: string): void {
    this.#unshown.delete(uid);
  }

  /** Resolves when everything told so far is written or given up. */
  async flush(): Promise<void> {
    while (this.#writingStatuses !== undefined || this.#writingEvents !== undefined) {
      await Promise.all([this.#writingStatuses, this.#writingEvents]);
    }
  }

  /** What is still to be written is dropped. */
  async close(): Promise<void> {
    this.#stop.abort(new Error("the node stops"));
    await this.flush();
  }

  #hold(uid: string): Unshown {
    const held = this.#unshown.get(uid) ?? { status: undefined, events: [] };
    this.#unshown.set(uid, held);
    return held;
  }

  #shown(pod: ShownPod, purpose: "status" | "event"): ShownPod | undefined {
    return this.#options.shownAs === undefined ? pod : this.#options.shownAs(pod, purpose);
  }

  async #writeStatuses(): Promise<void> {
    // Not before whoever started this has noted it; and changes of one moment become one.
    await Promise.resolve();
    for (const [uid, { pod, status }] of this.#statuses) {
      this.#statuses.delete(uid);
      await this.#attempt(() => this.#writeStatus(pod, status));
    }
    this.#writingStatuses = undefined;
    if (this.#statuses.size > 0) this.#writingStatuses = this.#writeStatuses();
  }

  async #writeStatus({ namespace, name, uid }: ShownPod, status: PodStatus): Promise<void> {
    const body: JsonObject = { metadata: { uid }, status: status as unknown as JsonObject };
    const { signal } = this.#stop;
    await this.#pods.patch(name, { type: "strategic", body }, { namespace, subresource: "status", signal });
  }

  async #writeEvents(): Promise<void> {
    await Promise.resolve();
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const { object, event } = next;
      await this.#attempt(() => this.#writeEvent(object, event));
    }
    this.#writingEvents = undefined;
  }

  async #writeEvent(object: EventObject, event: CorrelatedEvent): Promise<void> {
    const source = { component: "kubelet", host: this.#options.node };
    const written = toApiEvent(object, event, source);
    const { name, namespace } = written.metadata;
    const { signal } = this.#stop;
    if (event.count > 1) {
      const { count, lastTimestamp, message } = written;
      const body = { count, lastTimestamp, message };
      try {
        await this.#events.patch(name, { type: "strategic", body }, { namespace, signal });
        return;
      } catch (error) {
        // It has expired meanwhile: events live for an hour.
        if (!(error instanceof StatusError) || error.code !== "NotFound") throw error;
      }
    }
    await this.#events.create(written as unknown as KubernetesObject, { namespace, signal });
  }

  /** A Pod or namespace that is gone has no use for what was to be said of it. */
  async #attempt(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      const isGone = error instanceof StatusError && GONE.has(error.code);
      if (!isGone && !this.#stop.signal.aborted) this.#options.onError?.(error);
    }
  }
}

const GONE: ReadonlySet<string> = new Set(["NotFound", "Conflict", "AlreadyExists"]);
