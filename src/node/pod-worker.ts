import { collectPullSecrets, type PullSecret } from "../credentials/index.ts";
import {
  type CredentialsChange,
  type EnsureFailure,
  type EnsureOutcome,
  type EnsureRequest,
  type FailedPull,
  type ImageEvent,
  type MetricSink,
  type VolumeResult,
  imageVolumesOf,
} from "../images/index.ts";
import type { StaticPod } from "./folder-objects.ts";
import { listImages, type PodImage } from "./list-images.ts";
import { type PodEvent, PodEvents, type PodEventText } from "./pod-events.ts";
import type { ContainerState, PodState } from "./pod-state.ts";
import { countStartError, countVolumes } from "./start-metrics.ts";

/** Brings images here; the images room's manager is one. */
export interface ImageEnsurer {
  ensure(request: EnsureRequest): Promise<EnsureOutcome>;
  forgetBackOff(request: FailedPull): void;
  /** Ends the back-off of what the change could mend, and says what that is. */
  credentialsChanged?(change: CredentialsChange): readonly FailedPull[];
}

export interface PodWorkerOptions {
  readonly pod: StaticPod;
  readonly images: ImageEnsurer;
  /** A Secret of the Pod's namespace, as it is now. */
  readonly findSecret: (namespace: string, name: string) => PullSecret | undefined;
  readonly onChange: (state: PodState, container: ContainerState) => void;
  readonly onEvent?: ((state: PodState, event: PodEvent) => void) | undefined;
  readonly metrics?: MetricSink | undefined;
  /** Containers don't wait for each other's images; init containers do. */
  readonly parallel?: boolean | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Resolves after so many milliseconds; rejects when the signal is aborted. */
  readonly wait: (milliseconds: number, signal: AbortSignal) => Promise<void>;
  /** In [0, 1). */
  readonly random: () => number;
}

/** Milliseconds after which a Pod with failures is looked at again, and the share of it that is random on top. */
const RETRY_AFTER = 10_000;
const RETRY_JITTER = 0.5;
/** The kubelet's second look comes sooner: the Pod's own sandbox starting wakes it. It finds the back-off. */
const SECOND_LOOK = 1000;

/**
 * Brings the images of one Pod here, in the kubelet's order: image volumes, ephemeral containers once the Pod has been
 * looked at before, init containers one after the other, then the containers, where one that fails doesn't hold the
 * next. What failed is tried again until the Pod is gone. Pull secrets are fetched at every look.
 */
export class PodWorker {
  readonly pod: StaticPod;
  readonly #options: PodWorkerOptions;
  readonly #controller = new AbortController();
  readonly #images: readonly PodImage[];
  readonly #containers: ContainerState[];
  readonly #events: PodEvents;
  /** Containers to look at again though they are ready, or to pull again after the pull in flight. */
  readonly #stale = new Set<number>();
  #wakeUp: (() => void) | undefined;
  #pending = false;
  #looks = 0;
  #running: Promise<void> | undefined;

  constructor(options: PodWorkerOptions) {
    this.pod = options.pod;
    this.#options = options;
    this.#images = listImages(options.pod.pod);
    const { initContainers } = options.pod.pod.spec;
    const reason = initContainers.length > 0 ? "PodInitializing" : "ContainerCreating";
    this.#containers = this.#images.map(({ role, name, image, policy }): ContainerState => ({
      role,
      name,
      image,
      policy,
      phase: "waiting",
      reason,
    }));
    this.#events = new PodEvents(options.now);
  }

  get state(): PodState {
    const { uid, file, pod } = this.pod;
    const { namespace, name } = pod.metadata;
    return { namespace, name, uid, file, containers: [...this.#containers], events: this.#events.list() };
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Stops, and lets go of pulls nobody else waits for. */
  async stop(): Promise<void> {
    this.#controller.abort();
    await this.#running;
  }

  /**
   * Looks again at images that changed where they come from: those of policy Always, and those that failed, whose
   * back-off is over with the change. Resolves at once; the outcome comes as changes.
   */
  refresh(concerns: (container: ContainerState) => boolean): void {
    let any = false;
    for (const [index, container] of this.#containers.entries()) {
      if (!concerns(container)) continue;
      if (container.phase === "failed") {
        this.#options.images.forgetBackOff({ image: container.image, podUid: this.pod.uid });
      } else if (container.phase === "waiting" || container.policy !== "Always") {
        continue;
      }
      this.#stale.add(index);
      any = true;
    }
    if (!any) return;
    this.#pending = true;
    this.#wakeUp?.();
  }

  /** Tries what failed for this image now: its back-off is over. */
  retry(image: string): void {
    if (!this.#containers.some((container) => container.image === image && container.phase === "failed"))
      return;
    this.#pending = true;
    this.#wakeUp?.();
  }

  async #run(): Promise<void> {
    const { signal } = this.#controller;
    try {
      while (!signal.aborted) {
        this.#pending = false;
        const complete = await this.#sync(signal);
        if (!this.#pending) await this.#rest(complete, signal);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }

  /** Sleeps until something is to do: for good when all is well, for a while when something failed. */
  async #rest(complete: boolean, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const stopWaiting = new AbortController();
    const onAbort = (): void => reject(signal.reason);
    signal.addEventListener("abort", onAbort, { once: true });
    this.#wakeUp = resolve;
    if (!complete) {
      const delay =
        this.#looks++ === 0 ? SECOND_LOOK : RETRY_AFTER * (1 + RETRY_JITTER * this.#options.random());
      this.#options.wait(delay, AbortSignal.any([signal, stopWaiting.signal])).then(resolve, () => {});
    }
    try {
      await promise;
    } finally {
      this.#wakeUp = undefined;
      signal.removeEventListener("abort", onAbort);
      stopWaiting.abort();
    }
  }

  /** One round over the Pod; whether everything is ready now. */
  async #sync(signal: AbortSignal): Promise<boolean> {
    const pullSecrets = await this.#collectSecrets();
    signal.throwIfAborted();
    const round: Round = { signal, pullSecrets, volumes: new Map() };
    let complete = true;
    for (const index of this.#indexesOf("volume"))
      complete = (await this.#ensureVolume(index, round)) && complete;
    // A Pod that was never looked at has no sandbox yet, and ephemeral containers only join one.
    if (this.#looks > 0) complete = (await this.#startAll("ephemeral", round)) && complete;
    else complete &&= !this.#indexesOf("ephemeral").some((index) => this.#isDue(index));
    for (const index of this.#indexesOf("init")) {
      if (this.#isDue(index) && !(await this.#start(index, round))) return false;
    }
    return (await this.#startAll("container", round)) && complete;
  }

  /** Starts those that aren't; one that fails doesn't hold the next. */
  async #startAll(role: "container" | "ephemeral", round: Round): Promise<boolean> {
    const due = this.#indexesOf(role).filter((index) => this.#isDue(index));
    if (this.#options.parallel === true) {
      const started = await Promise.all(due.map((index) => this.#start(index, round)));
      return started.every(Boolean);
    }
    let complete = true;
    for (const index of due) complete = (await this.#start(index, round)) && complete;
    return complete;
  }

  #indexesOf(role: PodImage["role"]): readonly number[] {
    return [...this.#images.keys()].filter((index) => this.#images[index]?.role === role);
  }

  #isDue(index: number): boolean {
    return this.#container(index).phase !== "ready" || this.#stale.has(index);
  }

  async #collectSecrets(): Promise<readonly PullSecret[] | undefined> {
    const { metadata, spec } = this.pod.pod;
    if (spec.imagePullSecrets.length === 0) return undefined;
    const { secrets, warning } = await collectPullSecrets(spec.imagePullSecrets, (name) => {
      const secret = this.#options.findSecret(metadata.namespace, name);
      return secret === undefined ? Promise.reject(new Error("not found")) : Promise.resolve(secret);
    });
    if (warning !== undefined) this.#record({ type: "Warning", ...warning });
    return secrets;
  }

  /** As the kubelet does at every look, whether or not the image came before. */
  async #ensureVolume(index: number, round: Round): Promise<boolean> {
    const { name, image } = this.#image(index);
    this.#stale.delete(index);
    const outcome = await this.#ensure(index, round);
    if (outcome.state === "failed") {
      round.volumes.set(name, { failure: outcome });
      this.#fail(index, outcome);
      return false;
    }
    const mounted = { userSpecifiedImage: image, runtimeHandler: "", annotations: [] };
    round.volumes.set(name, { image: { image: outcome.imageRef, ...mounted } });
    this.#succeed(index, outcome);
    return true;
  }

  /** Brings the image of a container here, unless an image it mounts couldn't be had. */
  async #start(index: number, round: Round): Promise<boolean> {
    const { role, mounts, fieldPath } = this.#image(index);
    const { metrics } = this.#options;
    const before = this.#container(index);
    this.#stale.delete(index);
    const volumes = imageVolumesOf(mounts, round.volumes);
    if (volumes?.state === "failed" && before.phase !== "ready") {
      for (const message of volumes.events)
        this.#record({ type: "Warning", reason: "Failed", message, fieldPath });
      countStartError(metrics, role, volumes.failure.reason);
      this.#fail(index, volumes.failure);
      return false;
    }
    const outcome = await this.#ensure(index, round);
    if (outcome.state !== "failed") {
      countVolumes(metrics, mounts.length);
      this.#succeed(index, outcome);
      return true;
    }
    if (before.phase === "ready") {
      // The image is here and stays so; only whether the tag moved is unknown until the next look.
      this.#update(index, { ...before, progress: undefined, message: outcome.message });
      return true;
    }
    this.#record({ type: "Warning", reason: "Failed", message: `Error: ${outcome.reason}`, fieldPath });
    countStartError(metrics, role, outcome.reason);
    this.#fail(index, outcome);
    return false;
  }

  async #ensure(index: number, { signal, pullSecrets }: Round): Promise<EnsureOutcome> {
    const { image, policy, fieldPath } = this.#image(index);
    const { metadata, spec } = this.pod.pod;
    const { name, namespace, annotations } = metadata;
    const outcome = await this.#options.images.ensure({
      image,
      policy,
      podUid: this.pod.uid,
      pod: { name, namespace, uid: this.pod.uid, serviceAccountName: spec.serviceAccountName ?? "" },
      annotations: Object.entries(annotations).map(([key, value]) => ({ name: key, value })),
      pullSecrets,
      pullSecretNames: spec.imagePullSecrets,
      priority: spec.priority,
      signal,
      onEvent: ({ type, reason, message }: ImageEvent) => {
        if (!signal.aborted) this.#record({ type, reason, message, fieldPath });
      },
      onProgress: (progress) => {
        if (!signal.aborted)
          this.#update(index, { phase: "pulling", progress, reason: undefined, message: undefined });
      },
    });
    signal.throwIfAborted();
    return outcome;
  }

  #fail(index: number, { reason, message, decision, retryAt, detail }: EnsureFailure): void {
    this.#update(index, { phase: "failed", reason, message, decision, retryAt, detail, progress: undefined });
  }

  #succeed(index: number, outcome: Exclude<EnsureOutcome, EnsureFailure>): void {
    const before = this.#container(index);
    const { imageRef, digest, size, decision } = outcome;
    // A look that found nothing new isn't worth forgetting how long the real pull took.
    const again = before.digest === digest && before.duration !== undefined;
    const duration = again ? before.duration : outcome.duration;
    this.#update(index, {
      phase: "ready",
      outcome: again && outcome.state === "present" ? before.outcome : outcome.state,
      imageRef,
      digest,
      size,
      decision,
      duration,
      reason: undefined,
      // Ready, but not as asked: the registry couldn't be reached.
      message: outcome.fallback?.text,
      progress: undefined,
      retryAt: undefined,
      detail: undefined,
    });
  }

  #record(text: PodEventText): void {
    const event = this.#events.record(text);
    this.#options.onEvent?.(this.state, event);
  }

  #image(index: number): PodImage {
    const image = this.#images[index];
    if (image === undefined) throw new RangeError(`no image ${index}`);
    return image;
  }

  #container(index: number): ContainerState {
    const container = this.#containers[index];
    if (container === undefined) throw new RangeError(`no container ${index}`);
    return container;
  }

  #update(index: number, change: Partial<ContainerState>): void {
    const container = { ...this.#container(index), ...change };
    this.#containers[index] = container;
    this.#options.onChange(this.state, container);
  }
}

/** What one look at a Pod goes by. */
interface Round {
  readonly signal: AbortSignal;
  /** Absent for a Pod that names none: then it has what its node has. */
  readonly pullSecrets: readonly PullSecret[] | undefined;
  readonly volumes: Map<string, VolumeResult>;
}
