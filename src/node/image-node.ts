/**
 * A node without containers: it watches a folder of Pod manifests, as the kubelet watches its static Pods, brings
 * their images here, and always knows how far each one is.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";

import type { PullSecret } from "../credentials/index.ts";
import { type CredentialsChange, type MetricSink, parseImageName } from "../images/index.ts";
import type { Reference } from "../reference/index.ts";
import { type FolderContent, FolderWatcher } from "./folder-watcher.ts";
import { type StaticPod, readFolderObjects } from "./folder-objects.ts";
import type { PodEvent } from "./pod-events.ts";
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
  | { readonly kind: "pod-added" | "pod-removed"; readonly pod: PodState }
  | { readonly kind: "container"; readonly pod: PodState; readonly container: ContainerState }
  | { readonly kind: "event"; readonly pod: PodState; readonly event: PodEvent }
  /** The whole list: what was wrong and is no longer named has been mended. */
  | { readonly kind: "problems"; readonly problems: readonly string[] };

export interface ImageNodeOptions {
  readonly folder: string;
  readonly images: ImageEnsurer;
  readonly onChange?: ((change: NodeChange) => void) | undefined;
  readonly tagChanges?: TagChanges | undefined;
  /** Milliseconds between looks at the tags of images with policy Always, where no registry tells; 60 s by default. */
  readonly recheckInterval?: number | undefined;
  readonly rescanInterval?: number | undefined;
  readonly wait?: ((milliseconds: number, signal: AbortSignal) => Promise<void>) | undefined;
  readonly random?: (() => number) | undefined;
  /** Milliseconds since the epoch. */
  readonly now?: (() => number) | undefined;
  readonly metrics?: MetricSink | undefined;
  /** Pull the images of a Pod's containers side by side; one after the other by default, as the kubelet does. */
  readonly parallelContainers?: boolean | undefined;
}

export class ImageNode implements AsyncDisposable {
  readonly #options: ImageNodeOptions;
  readonly #watcher: FolderWatcher;
  readonly #workers = new Map<string, PodWorker>();
  readonly #stopping = new Set<Promise<void>>();
  #problems: readonly string[] = [];
  #secrets: ReadonlyMap<string, PullSecret> = new Map();
  #unsubscribe: (() => void) | undefined;
  #recheck: NodeJS.Timeout | undefined;

  constructor(options: ImageNodeOptions) {
    this.#options = options;
    const { folder, rescanInterval } = options;
    this.#watcher = new FolderWatcher({
      folder,
      onChange: (content) => this.#apply(content),
      ...(rescanInterval !== undefined && { rescanInterval }),
    });
  }

  get state(): NodeState {
    const pods = [...this.#workers.values()].sort((a, b) => (a.pod.key < b.pod.key ? -1 : 1));
    return { pods: pods.map((worker) => worker.state), problems: this.#problems };
  }

  /** Reads the folder and begins; resolves when every Pod in it is known. */
  async start(): Promise<void> {
    this.#unsubscribe = this.#options.tagChanges?.subscribe(({ concerns }) =>
      this.#refresh(({ image }) => {
        const reference = parseLeniently(image);
        return reference !== undefined && concerns(reference);
      }),
    );
    this.#recheck = setInterval(
      () => this.#refresh(({ policy, phase }) => policy === "Always" && phase === "ready"),
      this.#options.recheckInterval ?? 60_000,
    );
    await this.#watcher.start();
  }

  /** Looks at the folder now instead of at the next notice. */
  async rescan(): Promise<void> {
    await this.#watcher.rescan();
  }

  /** Lets those try again for whom `images` says that the change could be the cure. */
  credentialsChanged(change: CredentialsChange): void {
    const workers = new Map([...this.#workers.values()].map((worker) => [worker.pod.uid, worker]));
    for (const { podUid, image } of this.#options.images.credentialsChanged?.(change) ?? []) {
      workers.get(podUid)?.retry(image);
    }
  }

  async close(): Promise<void> {
    this.#unsubscribe?.();
    clearInterval(this.#recheck);
    await this.#watcher.close();
    for (const worker of this.#workers.values()) this.#stop(worker);
    await Promise.all(this.#stopping);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #refresh(concerns: (container: ContainerState) => boolean): void {
    for (const worker of this.#workers.values()) worker.refresh(concerns);
  }

  #apply(content: FolderContent): void {
    const { pods, secrets, problems } = readFolderObjects(this.#options.folder, content);
    const changed = changedSecrets(this.#secrets, secrets);
    this.#secrets = secrets;
    for (const [key, worker] of this.#workers) {
      if (pods.get(key)?.uid === worker.pod.uid) continue;
      this.#workers.delete(key);
      this.#stop(worker);
      this.#tell({ kind: "pod-removed", pod: worker.state });
    }
    for (const [key, pod] of pods) if (!this.#workers.has(key)) this.#add(key, pod);
    for (const { namespace, name } of changed) this.credentialsChanged({ kind: "secret", namespace, name });
    if (problems.join("\n") === this.#problems.join("\n")) return;
    this.#problems = problems;
    this.#tell({ kind: "problems", problems });
  }

  #add(key: string, pod: StaticPod): void {
    const worker = new PodWorker({
      pod,
      images: this.#options.images,
      onChange: (state, container) => this.#tell({ kind: "container", pod: state, container }),
      onEvent: (state, event) => this.#tell({ kind: "event", pod: state, event }),
      findSecret: (namespace, name) => this.#secrets.get(`${namespace}/${name}`),
      metrics: this.#options.metrics,
      parallel: this.#options.parallelContainers,
      now: this.#options.now ?? Date.now,
      wait: this.#options.wait ?? waitFor,
      random: this.#options.random ?? Math.random,
    });
    this.#workers.set(key, worker);
    this.#tell({ kind: "pod-added", pod: worker.state });
    worker.start();
  }

  #stop(worker: PodWorker): void {
    const stopped = worker.stop().finally(() => this.#stopping.delete(stopped));
    this.#stopping.add(stopped);
  }

  #tell(change: NodeChange): void {
    this.#options.onChange?.(change);
  }
}

/** Those that came, and those that aren't what they were; one that went away mends nothing. */
function changedSecrets(
  before: ReadonlyMap<string, PullSecret>,
  after: ReadonlyMap<string, PullSecret>,
): readonly PullSecret[] {
  return [...after].flatMap(([key, secret]) => (isDeepStrictEqual(before.get(key), secret) ? [] : [secret]));
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
