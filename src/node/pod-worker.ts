import type { EnsureOutcome, EnsureRequest } from "../images/index.ts";
import type { Pod } from "../kubernetes/index.ts";
import type { ContainerState, ImageRole, PodState } from "./pod-state.ts";
import type { StaticPod } from "./static-pods.ts";

/** Brings images here; the images room's manager is one. */
export interface ImageEnsurer {
  ensure(request: EnsureRequest): Promise<EnsureOutcome>;
  forgetBackOff(request: Pick<EnsureRequest, "image" | "podUid">): void;
}

export interface PodWorkerOptions {
  readonly pod: StaticPod;
  readonly images: ImageEnsurer;
  readonly onChange: (state: PodState, container: ContainerState) => void;
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
 * Brings the images of one Pod here, in the kubelet's order: image volumes, init containers one after the other,
 * then the containers, where one that fails doesn't hold the next. What failed is tried again until the Pod is gone.
 */
export class PodWorker {
  readonly pod: StaticPod;
  readonly #options: PodWorkerOptions;
  readonly #controller = new AbortController();
  readonly #containers: ContainerState[];
  /** Containers to look at again though they are ready, or to pull again after the pull in flight. */
  readonly #stale = new Set<number>();
  #wakeUp: (() => void) | undefined;
  #pending = false;
  #looks = 0;
  #running: Promise<void> | undefined;

  constructor(options: PodWorkerOptions) {
    this.pod = options.pod;
    this.#options = options;
    this.#containers = listImages(options.pod.pod);
  }

  get state(): PodState {
    const { uid, file, pod } = this.pod;
    const { namespace, name } = pod.metadata;
    return { namespace, name, uid, file, containers: [...this.#containers] };
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
    let complete = true;
    let initialized = true;
    for (const [index, container] of this.#containers.entries()) {
      const ready = container.phase === "ready" && !this.#stale.has(index);
      if (ready) continue;
      if (!initialized) {
        complete = false;
        continue;
      }
      this.#stale.delete(index);
      const succeeded = await this.#ensure(index, signal);
      complete &&= succeeded;
      if (!succeeded && container.role === "init") initialized = false;
    }
    return complete;
  }

  async #ensure(index: number, signal: AbortSignal): Promise<boolean> {
    const before = this.#container(index);
    const { image, policy } = before;
    const outcome = await this.#options.images.ensure({
      image,
      policy,
      podUid: this.pod.uid,
      signal,
      onProgress: (progress) => {
        if (!signal.aborted)
          this.#update(index, { phase: "pulling", progress, reason: undefined, message: undefined });
      },
    });
    signal.throwIfAborted();
    if (outcome.state === "failed" && before.phase === "ready") {
      // The image is here and stays so; only whether the tag moved is unknown until the next look.
      this.#update(index, { ...before, progress: undefined, message: outcome.message });
      return true;
    }
    if (outcome.state === "failed") {
      const { reason, message, decision, retryAt } = outcome;
      this.#update(index, { phase: "failed", reason, message, decision, retryAt, progress: undefined });
      return false;
    }
    const { imageRef, digest, size, decision } = outcome;
    // A look that found nothing new isn't worth forgetting how long the real pull took.
    const again = before.digest === digest && before.duration !== undefined;
    const duration = again ? before.duration : outcome.duration;
    this.#update(index, {
      phase: "ready",
      outcome: outcome.state,
      imageRef,
      digest,
      size,
      decision,
      duration,
      reason: undefined,
      message: undefined,
      progress: undefined,
      retryAt: undefined,
    });
    return true;
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

function listImages(pod: Pod): ContainerState[] {
  const { imageVolumes, initContainers, containers, ephemeralContainers } = pod.spec;
  const reason = initContainers.length > 0 ? "PodInitializing" : "ContainerCreating";
  const waiting = (
    role: ImageRole,
    from: { name: string; image: string; policy: ContainerState["policy"] },
  ): ContainerState => ({
    role,
    ...from,
    phase: "waiting",
    reason,
  });
  const ofContainers = (role: ImageRole, list: typeof containers): ContainerState[] =>
    list.map(({ name, image, imagePullPolicy }) => waiting(role, { name, image, policy: imagePullPolicy }));
  return [
    ...imageVolumes.map(({ name, reference, pullPolicy }) =>
      waiting("volume", { name, image: reference, policy: pullPolicy }),
    ),
    ...ofContainers("init", initContainers),
    ...ofContainers("container", containers),
    ...ofContainers("ephemeral", ephemeralContainers),
  ];
}
