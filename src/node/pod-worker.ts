import { isDeepStrictEqual } from "node:util";

import type {
  CredentialsChange,
  EnsureOutcome,
  EnsureRequest,
  FailedPull,
  MetricSink,
  StartErrors,
} from "../images/index.ts";
import type { ContainerRuntime } from "./container-runtime.ts";
import type { CorrelatedEvent } from "./event-correlator.ts";
import type { Pace } from "./pace.ts";
import { PodBoard } from "./pod-board.ts";
import { EventList, type PodEvent, type PodEventText } from "./pod-events.ts";
import { PodLook } from "./pod-look.ts";
import type { NodePod, PullSecretLookup } from "./pod-source.ts";
import type { ContainerState, PodState } from "./pod-state.ts";
import { makePodStatus } from "./status/make-pod-status.ts";
import type { PodStatus } from "./status/pod-status.ts";

/** Brings images here; the images room's manager is one. */
export interface ImageEnsurer {
  ensure(request: EnsureRequest): Promise<EnsureOutcome>;
  forgetBackOff(request: FailedPull): void;
  /** Ends the back-off of what the change could mend, and says what that is. */
  credentialsChanged?(change: CredentialsChange): readonly FailedPull[];
}

export interface PodWorkerOptions {
  readonly pod: NodePod;
  readonly images: ImageEnsurer;
  readonly secrets: PullSecretLookup;
  readonly runtime: ContainerRuntime;
  /** Those of the whole node. */
  readonly errors: StartErrors;
  readonly correlate: (pod: NodePod, text: PodEventText) => CorrelatedEvent;
  readonly onChange: (state: PodState, container: ContainerState) => void;
  readonly onEvent: (state: PodState, event: PodEvent) => void;
  readonly onStatus: (pod: NodePod, status: PodStatus) => void;
  /** What went wrong that nothing foresaw. The Pod is looked at again. */
  readonly onFailure: (error: unknown) => void;
  readonly metrics?: MetricSink | undefined;
  readonly parallel?: boolean | undefined;
  readonly hostIP?: string | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly pace: Pace;
}

/**
 * Looks at one Pod until it is gone, brings its images here and says how it goes. Its status is written as the kubelet
 * writes it: when the Pod comes, when its sandbox is there, when a container started, and otherwise at the beginning of
 * a look, which is when the look before has become history.
 */
export class PodWorker {
  readonly #options: PodWorkerOptions;
  readonly #gone = new AbortController();
  readonly #pulls = new AbortController();
  readonly #board: PodBoard;
  readonly #events = new EventList();
  /** Containers to look at again though they are ready, or to pull again after the pull in flight. */
  readonly #stale = new Set<number>();
  #pod: NodePod;
  #status: PodStatus;
  #wake: (() => void) | undefined;
  #pending = false;
  #looks = 0;
  #running: Promise<void> | undefined;

  constructor(options: PodWorkerOptions) {
    this.#options = options;
    this.#pod = options.pod;
    this.#board = new PodBoard(options.pod.pod, (container) => options.onChange(this.state, container));
    this.#status = this.#makeStatus(options.pod.status);
  }

  get pod(): NodePod {
    return this.#pod;
  }

  get state(): PodState {
    const { uid, file, pod } = this.#pod;
    const { namespace, name } = pod.metadata;
    const makeStatus = (): PodStatus => this.#makeStatus(this.#status);
    return {
      namespace,
      name,
      uid,
      file,
      containers: this.#board.containers,
      events: this.#events.list(),
      // Made for those who look: states are handed around with every piece of progress.
      get status() {
        return makeStatus();
      },
    };
  }

  start(): void {
    if (this.#running !== undefined) return;
    const { status } = this.#options.pod;
    if (!isDeepStrictEqual(status, this.#status)) this.#options.onStatus(this.#pod, this.#status);
    this.#running = this.#run();
  }

  /** The Pod isn't what it was, and still the same. */
  update(pod: NodePod): void {
    const before = this.#pod;
    this.#pod = pod;
    // What this node wrote itself comes back as news.
    if (
      isDeepStrictEqual(before.pod, pod.pod) &&
      before.deleting === pod.deleting &&
      before.generation === pod.generation
    )
      return;
    if (!isDeepStrictEqual(before.pod.spec, pod.pod.spec)) {
      this.#stale.clear();
      this.#board.set(pod.pod);
    }
    this.wake();
  }

  /** The Pod is gone: nothing more is done or said for it. As with the kubelet, what is being pulled still comes. */
  async retire(): Promise<void> {
    this.#gone.abort(new Error("the Pod is gone"));
    await this.#running;
  }

  /** Ends at once, and lets go of pulls nobody else waits for. */
  async stop(): Promise<void> {
    this.#pulls.abort(new Error("the node ends"));
    await this.retire();
  }

  /** Something happened that deserves a look. */
  wake(): void {
    this.#pending = true;
    this.#wake?.();
  }

  /** Its containers aren't what they were. A look under way says so when it ends. */
  containersChanged(): void {
    if (this.#wake !== undefined) this.#tellStatus();
    // What is over needs no look any more.
    if (this.#wake !== undefined && isOver(this.#status)) this.#finish().catch(this.#options.onFailure);
    else this.wake();
  }

  /**
   * Looks again at images that changed where they come from: those of policy Always, and those that failed, whose
   * back-off is over with the change. Resolves at once; the outcome comes as changes.
   */
  refresh(concerns: (container: ContainerState) => boolean): void {
    let any = false;
    for (const [index, container] of this.#board.containers.entries()) {
      if (!concerns(container)) continue;
      if (container.phase === "failed") {
        this.#options.images.forgetBackOff({ image: container.image, podUid: this.#pod.uid });
      } else if (container.phase === "waiting" || container.policy !== "Always") {
        continue;
      }
      this.#stale.add(index);
      any = true;
    }
    if (any) this.wake();
  }

  /** Tries what failed for this image now: its back-off is over. A look under way may have found it still waiting. */
  retry(image: string): void {
    const { containers } = this.#board;
    if (containers.some((container) => container.image === image && container.phase !== "ready")) this.wake();
  }

  async #run(): Promise<void> {
    const { signal } = this.#gone;
    const ended = new Promise<never>((_, reject) => {
      signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
    });
    ended.catch(() => {});
    let complete = false;
    try {
      while (!signal.aborted) {
        await Promise.race([this.#rest(complete, signal), ended]);
        signal.throwIfAborted();
        complete = await this.#look(signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  async #rest(complete: boolean, signal: AbortSignal): Promise<void> {
    const { promise: woken, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    if (this.#pending) resolve();
    await this.#options.pace({ pod: this.#pod, looks: this.#looks, complete, woken, signal });
    this.#wake = undefined;
    this.#pending = false;
  }

  async #look(signal: AbortSignal): Promise<boolean> {
    this.#looks++;
    const { images, secrets, runtime, errors, metrics, parallel = false, onFailure } = this.#options;
    if (this.#pod.deleting === true || isOver(this.#status)) {
      await this.#finish();
      return true;
    }
    const look = new PodLook({
      pod: this.#pod,
      board: this.#board,
      stale: this.#stale,
      ensure: (request) => images.ensure(request),
      secrets,
      runtime,
      errors,
      metrics,
      parallel,
      signal,
      pullSignal: this.#pulls.signal,
      record: (text) => this.#record(text),
      tellStatus: () => this.#tellStatus(),
    });
    try {
      return await look.run();
    } catch (error) {
      signal.throwIfAborted();
      onFailure(error);
      return false;
    }
  }

  /** Nothing is started any more; what a Pod that is over had for its containers goes. */
  async #finish(): Promise<void> {
    const { runtime } = this.#options;
    const { uid } = this.#pod;
    if (isOver(this.#status) && runtime.hasSandbox(uid)) await runtime.stopSandbox?.(uid);
    if (!this.#gone.signal.aborted) this.#tellStatus();
  }

  #tellStatus(): void {
    const status = this.#makeStatus(this.#status);
    if (isDeepStrictEqual(status, this.#status)) return;
    this.#status = status;
    this.#options.onStatus(this.#pod, status);
  }

  #makeStatus(previous: PodStatus | undefined): PodStatus {
    const { runtime, errors, hostIP, now } = this.#options;
    const { uid } = this.#pod;
    return makePodStatus({
      pod: this.#pod,
      history: runtime.list(uid),
      sandbox: runtime.hasSandbox(uid),
      startError: (container) => errors.find(uid, container),
      previous,
      hostIP,
      podIPs: runtime.podIPs?.(uid),
      now: now(),
    });
  }

  #record(text: PodEventText): void {
    const event = this.#events.add(this.#options.correlate(this.#pod, text));
    this.#options.onEvent(this.state, event);
  }
}

function isOver({ phase }: PodStatus): boolean {
  return phase === "Succeeded" || phase === "Failed";
}
