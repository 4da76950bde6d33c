import { parseDockerRef, formatReference, repositoryName } from "../reference/index.ts";
import type { ContainerRuntime, PodContainer, StartContainer } from "./container-runtime.ts";

/**
 * For a node whose work ends when images are here: containers count as running from then on, and init containers as
 * having done their work. Nothing is created, and no event says so.
 */
export class NoContainers implements ContainerRuntime {
  readonly #pods = new Map<string, PodContainer[]>();
  readonly #now: () => number;

  /** @param options.now milliseconds since the epoch */
  constructor(options: { readonly now: () => number }) {
    this.#now = options.now;
  }

  hasSandbox(podUid: string): boolean {
    return this.#pods.has(podUid);
  }

  async createSandbox({ uid }: { readonly uid: string }): Promise<void> {
    this.#pods.set(uid, []);
  }

  list(podUid: string): readonly PodContainer[] {
    return this.#pods.get(podUid) ?? [];
  }

  async start({ pod, kind, container, imageRef, digest }: StartContainer): Promise<void> {
    const containers = this.#pods.get(pod.uid) ?? [];
    const { name, image } = container;
    const startedAt = new Date(this.#now()).toISOString().replace(/\.\d+Z$/, "Z");
    const common = { name, image, startedAt, ...describeImage(image, imageRef, digest) };
    const restartCount = containers.filter((other) => other.name === name).length;
    const ends = kind === "init" && container.restartPolicy !== "Always";
    const run: PodContainer = ends
      ? { ...common, restartCount, state: "Exited", exitCode: 0, reason: "Completed", finishedAt: startedAt }
      : { ...common, restartCount, state: "Running" };
    this.#pods.set(pod.uid, [run, ...containers]);
  }

  async kill(podUid: string, container: string): Promise<void> {
    const containers = this.#pods.get(podUid) ?? [];
    const index = containers.findIndex(({ name }) => name === container);
    const run = containers[index];
    if (run !== undefined) containers[index] = { ...run, state: "Exited", exitCode: 137, reason: "Error" };
  }

  remove(podUid: string): void {
    this.#pods.delete(podUid);
  }
}

/** As containerd names what runs: by a tag if it was asked for by one alone, or else by its id. */
function describeImage(
  image: string,
  imageRef: string,
  digest: string | undefined,
): Pick<PodContainer, "imageName" | "imageID"> {
  try {
    const reference = parseDockerRef(image);
    return {
      imageName: reference.digest === undefined ? formatReference(reference) : imageRef,
      imageID: digest === undefined ? imageRef : `${repositoryName(reference)}@${digest}`,
    };
  } catch {
    // A bare id.
    return { imageName: imageRef, imageID: imageRef };
  }
}
