/**
 * One look at a Pod, in the kubelet's order:
 *
 * ```text
 * status ─► sandbox ─► pull secrets ─► image volumes ─► ephemeral containers ─► init containers ─► containers
 *                                                       once there is a sandbox  one by one        each by itself
 * ```
 */
import { collectPullSecrets, type PullSecret } from "../credentials/index.ts";
import {
  type EnsureOutcome,
  type EnsureRequest,
  type EnsureSuccess,
  imageVolumesOf,
  type MetricSink,
  type StartErrors,
  type VolumeResult,
} from "../images/index.ts";
import type { ContainerKind, ContainerRuntime, PodContainer } from "./container-runtime.ts";
import { containerStep, type ContainerStep } from "./container-step.ts";
import type { PodImage } from "./list-images.ts";
import type { PodBoard } from "./pod-board.ts";
import type { PodEventText } from "./pod-events.ts";
import type { NodePod, PullSecretLookup } from "./pod-source.ts";
import { countStartError, countVolumes } from "./start-metrics.ts";

export interface PodLookOptions {
  readonly pod: NodePod;
  readonly board: PodBoard;
  /** Images to be looked at again though their containers run. */
  readonly stale: Set<number>;
  readonly ensure: (request: EnsureRequest) => Promise<EnsureOutcome>;
  readonly secrets: PullSecretLookup;
  readonly runtime: ContainerRuntime;
  readonly errors: StartErrors;
  readonly metrics: MetricSink | undefined;
  /** Containers don't wait for each other's images; init containers do. */
  readonly parallel: boolean;
  /** Nobody wants to hear of this Pod any more; what is being pulled comes to its end. */
  readonly signal: AbortSignal;
  /** Lets go of what is being pulled. */
  readonly pullSignal: AbortSignal;
  readonly record: (text: PodEventText) => void;
  /** Says how the Pod is now. */
  readonly tellStatus: () => void;
}

/** Whether a container came to run, already did, or couldn't. */
type Started = "started" | "running" | "over" | "failed";

export class PodLook {
  readonly #options: PodLookOptions;
  readonly #volumes = new Map<string, VolumeResult>();
  #secrets: readonly PullSecret[] | undefined;
  #anyStarted = false;

  constructor(options: PodLookOptions) {
    this.#options = options;
  }

  /** Whether nothing is left to do. */
  async run(): Promise<boolean> {
    const { pod, board, runtime, signal, tellStatus } = this.#options;
    tellStatus();
    const hadSandbox = runtime.hasSandbox(pod.uid);
    if (!hadSandbox) {
      await runtime.createSandbox(pod);
      signal.throwIfAborted();
      tellStatus();
    }
    this.#secrets = await this.#collectSecrets();
    signal.throwIfAborted();
    let complete = true;
    for (const index of board.indexesOf("volume")) complete = (await this.#ensureVolume(index)) && complete;
    // Ephemeral containers join a sandbox that is there.
    const ephemeral = board.indexesOf("ephemeral");
    if (hadSandbox) complete = (await this.#startAll(ephemeral)) && complete;
    else complete &&= ephemeral.length === 0;
    complete = (await this.#startOthers()) && complete;
    if (this.#anyStarted) tellStatus();
    return complete;
  }

  async #startOthers(): Promise<boolean> {
    const { board } = this.#options;
    const containers = board.indexesOf("container");
    // What has begun once isn't held up any more by sidecars that end.
    const begun = containers.some((index) => this.#newest(index) !== undefined);
    let complete = true;
    for (const index of board.indexesOf("init")) {
      const sidecar = board.image(index).container?.restartPolicy === "Always";
      if (begun && !sidecar) continue;
      const started = await this.#start(index);
      if (started === "failed") complete = false;
      if (begun || started === "over") continue;
      if (started === "failed") return false;
      if (!sidecar && !this.#isOver(index)) return true;
    }
    return (await this.#startAll(containers)) && complete;
  }

  /** Starts those that aren't; one that fails doesn't hold the next. */
  async #startAll(indexes: readonly number[]): Promise<boolean> {
    if (this.#options.parallel) {
      const started = await Promise.all(indexes.map((index) => this.#start(index)));
      return !started.includes("failed");
    }
    let complete = true;
    for (const index of indexes) complete = (await this.#start(index)) !== "failed" && complete;
    return complete;
  }

  /** An init container that did its work. */
  #isOver(index: number): boolean {
    const newest = this.#newest(index);
    return newest?.state === "Exited" && newest.exitCode === 0;
  }

  #newest(index: number): PodContainer | undefined {
    const { pod, board, runtime } = this.#options;
    const { name } = board.image(index);
    return runtime.list(pod.uid).find((container) => container.name === name);
  }

  async #collectSecrets(): Promise<readonly PullSecret[] | undefined> {
    const { pod, secrets: lookup, record } = this.#options;
    const { metadata, spec } = pod.pod;
    if (spec.imagePullSecrets.length === 0) return undefined;
    const { secrets, warning } = await collectPullSecrets(spec.imagePullSecrets, (name) =>
      lookup.getSecret(metadata.namespace, name),
    );
    if (warning !== undefined) record({ type: "Warning", ...warning });
    return secrets;
  }

  /** As the kubelet does at every look, whether or not the image came before. */
  async #ensureVolume(index: number): Promise<boolean> {
    const { board, stale } = this.#options;
    const { name, image } = board.image(index);
    stale.delete(index);
    const outcome = await this.#ensure(index);
    if (outcome.state === "failed") {
      this.#volumes.set(name, { failure: outcome });
      board.fail(index, outcome);
      return false;
    }
    const mounted = { userSpecifiedImage: image, runtimeHandler: "", annotations: [] };
    this.#volumes.set(name, { image: { image: outcome.imageRef, ...mounted } });
    board.succeed(index, outcome);
    return true;
  }

  /** Brings the image of a container here and starts it, if it is its turn. */
  async #start(index: number): Promise<Started> {
    const { pod, board, runtime, stale } = this.#options;
    const image = board.image(index);
    const step = this.#stepOf(index, image);
    if (step === "running" || step === "done") {
      if (stale.has(index)) await this.#recheck(index);
      return step === "running" ? "running" : "over";
    }
    if (step === "failed") return "failed";
    if (step === "replace") await runtime.kill(pod.uid, image.name);
    if (this.#isCrashing(image)) return "failed";
    stale.delete(index);
    const outcome = await this.#ensureMounted(index, image);
    if (outcome === undefined) return "failed";
    board.succeed(index, outcome);
    await this.#startWith(image, outcome);
    return "started";
  }

  #stepOf(index: number, { role, container }: PodImage): ContainerStep {
    if (container === undefined) return "done";
    const { pod } = this.#options;
    const { restartPolicy = "Always" } = pod.pod.spec;
    return containerStep({
      kind: role as ContainerKind,
      container,
      newest: this.#newest(index),
      restartPolicy,
    });
  }

  async #startWith(
    { role, name, fieldPath, container, mounts }: PodImage,
    outcome: EnsureSuccess,
  ): Promise<void> {
    const { pod, runtime, errors, metrics, record, signal } = this.#options;
    if (container === undefined) return;
    const kind = role as ContainerKind;
    const { imageRef, digest } = outcome;
    const tell = (text: Omit<PodEventText, "fieldPath">): void => record({ ...text, fieldPath });
    await runtime.start({ pod, kind, container, imageRef, digest, tell });
    signal.throwIfAborted();
    errors.delete(pod.uid, name);
    countVolumes(metrics, mounts.length);
    this.#anyStarted = true;
  }

  /** A container that ended again and again is left alone for a while, and its image with it. */
  #isCrashing({ role, name, fieldPath }: PodImage): boolean {
    const { pod, runtime, errors, metrics, record } = this.#options;
    const wait = runtime.crashBackOff?.(pod.uid, name);
    if (wait === undefined) return false;
    const { metadata } = pod.pod;
    const where = `${metadata.name}_${metadata.namespace}(${pod.uid})`;
    const message = `Back-off restarting failed container ${name} in pod ${where}`;
    record({ type: "Warning", reason: "BackOff", message, fieldPath });
    const reason = "CrashLoopBackOff";
    countStartError(metrics, role, reason);
    const lasting = `back-off ${formatSeconds(wait)} restarting failed container=${name} pod=${where}`;
    errors.set(pod.uid, name, { reason, message: lasting });
    return true;
  }

  /** The image, unless it can't be had, or another one can't that the container mounts. */
  async #ensureMounted(index: number, image: PodImage): Promise<EnsureSuccess | undefined> {
    const { board, record } = this.#options;
    const volumes = imageVolumesOf(image.mounts, this.#volumes);
    let messages: readonly string[];
    let failure: EnsureOutcome;
    if (volumes?.state === "failed") {
      messages = volumes.events;
      failure = volumes.failure;
    } else {
      failure = await this.#ensure(index);
      if (failure.state !== "failed") return failure;
      messages = [`Error: ${failure.reason}`];
    }
    const { fieldPath, role, name } = image;
    for (const message of messages) record({ type: "Warning", reason: "Failed", message, fieldPath });
    const { pod, errors, metrics } = this.#options;
    const { reason, message } = failure;
    countStartError(metrics, role, reason);
    errors.set(pod.uid, name, { reason, message });
    board.fail(index, failure);
    return undefined;
  }

  /** The container runs and goes on; whether its tag moved is asked all the same. */
  async #recheck(index: number): Promise<void> {
    const { board, stale } = this.#options;
    stale.delete(index);
    const before = board.container(index);
    const outcome = await this.#ensure(index);
    if (outcome.state !== "failed") board.succeed(index, outcome);
    // The image is here and stays so.
    else board.update(index, { ...before, progress: undefined, message: outcome.message });
  }

  async #ensure(index: number): Promise<EnsureOutcome> {
    const { pod, board, ensure, signal, pullSignal, record } = this.#options;
    const { image, policy, fieldPath } = board.image(index);
    const { metadata, spec } = pod.pod;
    const { name, namespace, annotations } = metadata;
    const outcome = await ensure({
      image,
      policy,
      podUid: pod.uid,
      pod: { name, namespace, uid: pod.uid, serviceAccountName: spec.serviceAccountName ?? "" },
      annotations: Object.entries(annotations).map(([key, value]) => ({ name: key, value })),
      pullSecrets: this.#secrets,
      pullSecretNames: spec.imagePullSecrets,
      priority: spec.priority,
      signal: pullSignal,
      onEvent: ({ type, reason, message }) => {
        if (!signal.aborted) record({ type, reason, message, fieldPath });
      },
      onProgress: (progress) => {
        if (!signal.aborted)
          board.update(index, { phase: "pulling", progress, reason: undefined, message: undefined });
      },
    });
    signal.throwIfAborted();
    return outcome;
  }
}

/** `10s`, `2m40s`. */
function formatSeconds(milliseconds: number): string {
  const seconds = Math.round(milliseconds / 1000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}
