import type { ServiceImage } from "../../src/images/index.ts";
import type { ContainerRuntime, NodePod, PodContainer, StartContainer } from "../../src/node/index.ts";

const KILLED = { state: "Exited", exitCode: 137, reason: "Error" } as const;
/** How long a container that crashes is left alone has nothing to do with images. */
const SOME_TIME = 10_000;

/** What dray leaves to others: containers that only pretend to run, and end when they are told to. */
export class PretendContainers implements ContainerRuntime {
  readonly #listImages: () => Promise<readonly ServiceImage[]>;
  /** The newest first, by Pod. */
  readonly #runs = new Map<string, PodContainer[]>();
  readonly #stopped = new Set<string>();
  readonly #crashing = new Map<string, ReadonlySet<string>>();
  readonly #listeners = new Set<(podUid: string) => void>();

  constructor(options: { readonly listImages: () => Promise<readonly ServiceImage[]> }) {
    this.#listImages = options.listImages;
  }

  hasSandbox(podUid: string): boolean {
    return this.#runs.has(podUid) && !this.#stopped.has(podUid);
  }

  async stopSandbox(podUid: string): Promise<void> {
    this.#stopped.add(podUid);
  }

  async createSandbox({ uid }: NodePod): Promise<void> {
    this.#runs.set(uid, []);
  }

  list(podUid: string): readonly PodContainer[] {
    return this.#runs.get(podUid) ?? [];
  }

  async start({ pod, container, imageRef, tell }: StartContainer): Promise<void> {
    const images = await this.#listImages();
    const image = images.find(({ id }) => id === imageRef);
    const runs = this.#runs.get(pod.uid) ?? [];
    const { name } = container;
    const restartCount = runs.filter((other) => other.name === name).length;
    const run: PodContainer = {
      name,
      image: container.image,
      imageName: image?.repoTags[0] ?? imageRef,
      imageID: image?.repoDigests[0] ?? imageRef,
      restartCount,
      state: "Running",
    };
    this.#runs.set(pod.uid, [run, ...runs]);
    tell({ type: "Normal", reason: "Created", message: "Container created" });
    tell({ type: "Normal", reason: "Started", message: "Container started" });
  }

  async kill(podUid: string, container: string): Promise<void> {
    this.#replace(podUid, ({ name }) => name === container, KILLED);
  }

  remove(podUid: string): void {
    this.#runs.delete(podUid);
  }

  crashBackOff(podUid: string, container: string): number | undefined {
    return this.#crashing.get(podUid)?.has(container) === true ? SOME_TIME : undefined;
  }

  subscribe(listener: (podUid: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  setCrashing(podUid: string, containers: ReadonlySet<string>): void {
    this.#crashing.set(podUid, containers);
  }

  /** What a container's process does by itself: it ends. */
  exit(
    podUid: string,
    container: string,
    end: { readonly instance: number; readonly exitCode: number; readonly reason: string | undefined },
  ): void {
    const { instance, exitCode, reason } = end;
    const isMeant = ({ name, restartCount, state }: PodContainer): boolean =>
      name === container && restartCount === instance && state === "Running";
    if (!this.#replace(podUid, isMeant, { state: "Exited", exitCode, reason })) return;
    for (const tell of this.#listeners) tell(podUid);
  }

  #replace(podUid: string, isMeant: (run: PodContainer) => boolean, change: Partial<PodContainer>): boolean {
    const runs = this.#runs.get(podUid) ?? [];
    const index = runs.findIndex(isMeant);
    const run = runs[index];
    if (run === undefined) return false;
    runs[index] = { ...run, ...change };
    return true;
  }
}
