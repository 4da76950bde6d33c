/** Brings images through an image service, each as its Pods' kubelet would, and says how it went in its words. */
import type { EndpointImages } from "../../cri/index.ts";
import {
  type EnsureFailure,
  type EnsureOutcome,
  ImageManager,
  type NodeKeyring,
  ServiceRuntime,
} from "../../images/index.ts";
import type { Asker, WantedImage } from "./wanted.ts";

export interface BringOptions {
  readonly images: EndpointImages;
  readonly keyring: NodeKeyring | undefined;
  readonly jobs: number;
  readonly always: boolean;
  readonly now: () => number;
  readonly signal: AbortSignal;
  readonly onStart: (image: string) => void;
  /** Told of each as it ends. */
  readonly onEnd: (result: Brought) => Promise<void>;
}

export interface Brought {
  readonly image: string;
  readonly state: "pulled" | "present" | "failed";
  /** The image's id. */
  readonly imageRef: string | null;
  readonly digest: string | null;
  /** Bytes; 0 where it isn't here. */
  readonly size: number;
  /** Milliseconds the pull took, without its wait. */
  readonly duration: number;
  /** Why it failed, as a Pod's status would say; of the first who asked. */
  readonly reason: string | null;
  readonly message: string | null;
  /** For whom it was tried, in this order. */
  readonly attempts: readonly Attempt[];
}

export interface Attempt {
  /** `Deployment shop/web`; null for the command line. */
  readonly workload: string | null;
  readonly reason: string | null;
  readonly message: string | null;
}

/** In the order of `wanted`, whatever the order they end in. */
export async function bringImages(
  wanted: readonly WantedImage[],
  options: BringOptions,
): Promise<readonly Brought[]> {
  const { images, keyring, jobs, now } = options;
  const manager = new ImageManager({
    runtime: new ServiceRuntime(images),
    now,
    // A queue of our own: each image has its turn with all its askers.
    maxParallelPulls: jobs,
    rate: { qps: 0, burst: 0 },
    keyring,
    ensureSecretPulled: false,
  });
  return await Promise.all(
    wanted.map(async (one) => {
      const brought = await bringOne(one, manager, options);
      await options.onEnd(brought);
      return brought;
    }),
  );
}

/** Asker by asker until one's credentials open it: a broken Secret of one Pod is no reason for another's to fail. */
async function bringOne(
  { image, askers }: WantedImage,
  manager: ImageManager,
  { always, signal, onStart }: BringOptions,
): Promise<Brought> {
  const attempts: Attempt[] = [];
  let failed: EnsureFailure | undefined;
  for (const [index, asker] of askers.entries()) {
    const outcome: EnsureOutcome = await manager.ensure({
      image,
      policy: always ? "Always" : "IfNotPresent",
      // Back-off is for whoever comes again; nobody here does.
      podUid: String(index),
      pod: asker.pod,
      annotations: asker.annotations,
      pullSecrets: asker.pullSecrets,
      signal,
      // Told when its turn has come.
      onProgress: () => onStart(image),
    });
    attempts.push(describeAttempt(asker, outcome));
    if (outcome.state !== "failed") {
      const { state, imageRef, digest, size, duration } = outcome;
      const here = { imageRef, digest: digest ?? null, size, duration };
      return { image, state, ...here, reason: null, message: null, attempts };
    }
    failed ??= outcome;
  }
  const nothing = { imageRef: null, digest: null, size: 0, duration: 0 };
  return {
    image,
    state: "failed",
    ...nothing,
    reason: failed?.reason ?? null,
    message: failed?.message ?? null,
    attempts,
  };
}

function describeAttempt(asker: Asker, outcome: EnsureOutcome): Attempt {
  const workload = asker.workload ?? null;
  if (outcome.state !== "failed") return { workload, reason: null, message: null };
  return { workload, reason: outcome.reason, message: outcome.message };
}
