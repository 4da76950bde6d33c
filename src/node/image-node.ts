/**
 * A node as far as images go: it takes Pods from a source, brings their images here as a kubelet does, and always knows
 * how far each one is.
 */
import { setTimeout as sleep } from "node:timers/promises";

import { type CredentialsChange, type MetricSink, parseImageName, StartErrors } from "../images/index.ts";
import type { Reference } from "../reference/index.ts";
import type { ContainerRuntime } from "./container-runtime.ts";
import {
  type CorrelatedEvent,
  EventCorrelator,
  type EventObject,
  type EventText,
} from "./event-correlator.ts";
import { NoContainers } from "./no-containers.ts";
import type { NodeSink } from "./node-sink.ts";
import { kubeletPace, type Pace } from "./pace.ts";
import { EventList, type PodEvent } from "./pod-events.ts";
import type { NodePod, PodListener, PodSource, PullSecretLookup } from "./pod-source.ts";
import type { ContainerState, NodeState, PodState } from "./pod-state.ts";
import { type ImageEnsurer, PodWorker } from "./pod-worker.ts";

/** A registry told that a tag points elsewhere now. */
export interface TagChange {
  /** Whether an image name means the changed tag. */
  readonly concerns: (reference: Reference) => boolean;
}

/** Whoever hears of changed tags: the registry beside us, in `dray up`. */
export interface TagChanges {
  /** Returns what ends the subscription. */
  subscribe(listener: (change: TagChange) => void): () => void;
}

export type NodeChange =
  | { readonly kind: "pod-added" | "pod-removed" | "status"; readonly pod: PodState }
  | { readonly kind: "container"; readonly pod: PodState; readonly container: ContainerState }
  | { readonly kind: "event"; readonly pod: PodState; readonly event: PodEvent }
  | { readonly kind: "node-event"; readonly event: PodEvent }
  /** The whole list: what was wrong and is no longer named has been mended. */
  | { readonly kind: "problems"; readonly problems: readonly string[] };

export interface ImageNodeOptions {
  readonly pods: PodSource;
  readonly secrets: PullSecretLookup;
  readonly images: ImageEnsurer;
  /** Who runs containers; nobody by default, and then a container whose image is here counts as running. */
  readonly runtime?: ContainerRuntime | undefined;
  readonly sink?: NodeSink | undefined;
  readonly onChange?: ((change: NodeChange) => void) | undefined;
  readonly onFailure?: ((error: unknown) => void) | undefined;
  readonly tagChanges?: TagChanges | undefined;
  /**
   * Milliseconds between looks at the tags of images with policy Always, where no registry tells; 60 s by default,
   * `Infinity` for never, as the kubelet.
   */
  readonly recheckInterval?: number | undefined;
  /** When Pods are looked at; as the kubelet does by default, with `wait` and `random`. */
  readonly pace?: Pace | undefined;
  readonly wait?: ((milliseconds: number, signal: AbortSignal) => Promise<void>) | undefined;
  readonly random?: (() => number) | undefined;
  /** Milliseconds since the epoch. */
  readonly now?: (() => number) | undefined;
  readonly metrics?: MetricSink | undefined;
  /** Pull the images of a Pod's containers side by side; one after the other by default, as the kubelet does. */
  readonly parallelContainers?: boolean | undefined;
  /** This node's name and address, as statuses and events have them. */
  readonly name?: string | undefined;
  readonly hostIP?: string | undefined;
}

export class ImageNode implements AsyncDisposable {
  readonly #options: ImageNodeOptions;
  readonly #now: () => number;
  readonly #runtime: ContainerRuntime;
  readonly #pace: Pace;
  readonly #errors = new StartErrors();
  readonly #correlator: EventCorrelator;
  readonly #nodeEvents = new EventList();
  readonly #workers = new Map<string, PodWorker>();
  /** Of Pods that are gone, while something is still being pulled for them. */
  readonly #retired = new Map<PodWorker, Promise<void>>();
  #problems: readonly string[] = [];
  readonly #endings: (() => void)[] = [];

  constructor(options: ImageNodeOptions) {
    this.#options = options;
    const { wait = waitFor, random = Math.random } = options;
    this.#now = options.now ?? Date.now;
    this.#runtime = options.runtime ?? new NoContainers({ now: this.#now });
    this.#pace = options.pace ?? kubeletPace({ wait, random });
    this.#correlator = new EventCorrelator({ now: this.#now });
  }

  get state(): NodeState {
    const workers = [...this.#workers.values()].sort((a, b) => (a.pod.key < b.pod.key ? -1 : 1));
    return {
      pods: workers.map((worker) => worker.state),
      problems: this.#problems,
      events: this.#nodeEvents.list(),
    };
  }

  /** Begins; resolves when every Pod the source has is known. */
  async start(): Promise<void> {
    const { pods, tagChanges, recheckInterval = 60_000 } = this.#options;
    const endTags = tagChanges?.subscribe(({ concerns }) =>
      this.#refresh(({ image }) => {
        const reference = parseLeniently(image);
        return reference !== undefined && concerns(reference);
      }),
    );
    const endRuns = this.#runtime.subscribe?.((uid) => this.#findByUid(uid)?.containersChanged());
    for (const end of [endTags, endRuns]) if (end !== undefined) this.#endings.push(end);
    if (Number.isFinite(recheckInterval)) {
      const recheck = setInterval(
        () => this.#refresh(({ policy, phase }) => policy === "Always" && phase === "ready"),
        recheckInterval,
      );
      this.#endings.push(() => clearInterval(recheck));
    }
    const listener: PodListener = {
      podSet: (pod) => this.#set(pod),
      podGone: (pod) => this.#remove(pod),
      credentialsChanged: (change) => this.credentialsChanged(change),
      problems: (list) => this.#setProblems(list),
    };
    await pods.start(listener);
  }

  /** Lets those try again for whom `images` says that the change could be the cure. */
  credentialsChanged(change: CredentialsChange): void {
    const failed = this.#options.images.credentialsChanged?.(change) ?? [];
    if (failed.length === 0) return;
    const workers = new Map([...this.#workers.values()].map((worker) => [worker.pod.uid, worker]));
    for (const { podUid, image } of failed) workers.get(podUid)?.retry(image);
  }

  /** Something happened to the node itself, such as a collection of images that failed. */
  record(text: EventText): void {
    const { name = "" } = this.#options;
    // Nodes say their name where others have a uid.
    const event = this.#correlate({ kind: "Node", namespace: "", name, uid: name }, text);
    this.#tell({ kind: "node-event", event: this.#nodeEvents.add(event) });
  }

  async close(): Promise<void> {
    for (const end of this.#endings.splice(0)) end();
    await this.#options.pods.close();
    const workers = [...this.#workers.values(), ...this.#retired.keys()];
    await Promise.all(workers.map((worker) => worker.stop()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #refresh(concerns: (container: ContainerState) => boolean): void {
    for (const worker of this.#workers.values()) worker.refresh(concerns);
  }

  #findByUid(uid: string): PodWorker | undefined {
    for (const worker of this.#workers.values()) if (worker.pod.uid === uid) return worker;
    return undefined;
  }

  #set(pod: NodePod): void {
    const worker = this.#workers.get(pod.key);
    if (worker?.pod.uid === pod.uid) return worker.update(pod);
    if (worker !== undefined) this.#remove(worker.pod);
    this.#add(pod);
  }

  #remove({ key, uid }: Pick<NodePod, "key" | "uid">): void {
    const worker = this.#workers.get(key);
    if (worker?.pod.uid !== uid) return;
    this.#workers.delete(key);
    this.#retired.set(
      worker,
      worker.retire().finally(() => this.#retired.delete(worker)),
    );
    this.#runtime.remove(uid);
    this.#tell({ kind: "pod-removed", pod: worker.state });
  }

  #setProblems(problems: readonly string[]): void {
    if (problems.join("\n") === this.#problems.join("\n")) return;
    this.#problems = problems;
    this.#tell({ kind: "problems", problems });
  }

  #add(pod: NodePod): void {
    const { images, secrets, metrics, parallelContainers, hostIP, sink, onFailure } = this.#options;
    const worker = new PodWorker({
      pod,
      images,
      secrets,
      runtime: this.#runtime,
      errors: this.#errors,
      correlate: ({ uid, pod: { metadata } }, text) =>
        this.#correlate({ kind: "Pod", namespace: metadata.namespace, name: metadata.name, uid }, text),
      onChange: (state, container) => this.#tell({ kind: "container", pod: state, container }),
      onEvent: (state, event) => this.#tell({ kind: "event", pod: state, event }),
      onStatus: (about, status) => {
        sink?.status?.(about, status);
        this.#tell({ kind: "status", pod: worker.state });
      },
      onFailure: (error) => onFailure?.(error),
      metrics,
      parallel: parallelContainers,
      hostIP,
      now: this.#now,
      pace: this.#pace,
    });
    this.#workers.set(pod.key, worker);
    this.#tell({ kind: "pod-added", pod: worker.state });
    worker.start();
  }

  #correlate(object: EventObject, text: EventText): CorrelatedEvent {
    const event = this.#correlator.correlate(object, text);
    this.#options.sink?.event?.(object, event);
    return event;
  }

  #tell(change: NodeChange): void {
    this.#options.onChange?.(change);
  }
}

async function waitFor(milliseconds: number, signal: AbortSignal): Promise<void> {
  await sleep(milliseconds, undefined, { signal });
}

function parseLeniently(image: string): Reference | undefined {
  try {
    return parseImageName(image);
  } catch {
    return undefined;
  }
}
