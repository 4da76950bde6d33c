import type { EnsureFailure, EnsureSuccess } from "../images/index.ts";
import type { Pod } from "../kubernetes/index.ts";
import { listImages, type PodImage } from "./list-images.ts";
import type { ContainerState } from "./pod-state.ts";

/** What is known of each image of a Pod, for those who watch: it is told at once. */
export class PodBoard {
  #images: readonly PodImage[] = [];
  #containers: ContainerState[] = [];
  readonly #onChange: (container: ContainerState) => void;

  constructor(pod: Pod, onChange: (container: ContainerState) => void) {
    this.#onChange = onChange;
    this.set(pod);
  }

  get images(): readonly PodImage[] {
    return this.#images;
  }

  get containers(): readonly ContainerState[] {
    return [...this.#containers];
  }

  /** The Pod isn't what it was; what is known of images that stay is kept. */
  set(pod: Pod): void {
    const before = this.#containers;
    const waiting = pod.spec.initContainers.length > 0 ? "PodInitializing" : "ContainerCreating";
    this.#images = listImages(pod);
    this.#containers = this.#images.map(({ role, name, image, policy }): ContainerState => {
      const known = before.find(
        (other) => other.role === role && other.name === name && other.image === image,
      );
      const begin = { role, name, image, phase: "waiting", reason: waiting } as const;
      return { ...(known ?? begin), policy };
    });
  }

  indexesOf(role: PodImage["role"]): readonly number[] {
    return [...this.#images.keys()].filter((index) => this.#images[index]?.role === role);
  }

  image(index: number): PodImage {
    const image = this.#images[index];
    if (image === undefined) throw new RangeError(`no image ${index}`);
    return image;
  }

  container(index: number): ContainerState {
    const container = this.#containers[index];
    if (container === undefined) throw new RangeError(`no container ${index}`);
    return container;
  }

  fail(index: number, { reason, message, decision, retryAt, detail }: EnsureFailure): void {
    this.update(index, { phase: "failed", reason, message, decision, retryAt, detail, progress: undefined });
  }

  succeed(index: number, outcome: EnsureSuccess): void {
    const before = this.container(index);
    const { imageRef, digest, size, decision } = outcome;
    // A look that found nothing new isn't worth forgetting how long the real pull took.
    const again = before.digest === digest && before.duration !== undefined;
    const duration = again ? before.duration : outcome.duration;
    this.update(index, {
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

  update(index: number, change: Partial<ContainerState>): void {
    const container = { ...this.container(index), ...change };
    this.#containers[index] = container;
    this.#onChange(container);
  }
}
