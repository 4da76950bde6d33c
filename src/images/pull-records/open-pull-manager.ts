import { METRICS, type MetricSink, NO_METRICS } from "../metrics.ts";
import type { VerificationPolicy } from "../verification-policy.ts";
import { CachedPullRecords, cacheSizes } from "./cached-pull-records.ts";
import { FilePullRecords } from "./file-pull-records.ts";
import { type ListedNames, PullManager } from "./pull-manager.ts";

export interface OpenPullManagerOptions {
  /** The folder that holds `image_manager/`: a kubelet's root, or our data directory. */
  readonly root: string;
  readonly policy: VerificationPolicy;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** The images that are here, for the intents an earlier run left behind. */
  readonly listImages: () => Promise<readonly ListedNames[]>;
  /** Pulls that may run at once; 0, the default, is no limit. */
  readonly maxParallelPulls?: number | undefined;
  /** Keeps records in memory, as many as so many Pods need. Only for the one process that has the folder. */
  readonly cacheForPods?: number | undefined;
  readonly metrics?: MetricSink | undefined;
  readonly onWarning?: ((message: string) => void) | undefined;
}

/** Opens the records of a node, and finishes what an earlier run of it began. */
export async function openPullManager(options: OpenPullManagerOptions): Promise<PullManager> {
  const { root, policy, now, cacheForPods, maxParallelPulls = 0, metrics = NO_METRICS, onWarning } = options;
  const files = await FilePullRecords.open(root, {
    onWarning,
    ...(options.metrics !== undefined && {
      onCount: (kind, count) =>
        metrics.set(kind === "intents" ? METRICS.intentFiles : METRICS.pulledFiles, count),
    }),
  });
  const records =
    cacheForPods === undefined
      ? files
      : await CachedPullRecords.open(files, {
          ...cacheSizes({ maxPods: cacheForPods, maxParallelPulls }),
          onWarning,
          onUsage: (kind, percent) =>
            metrics.set(kind === "intents" ? METRICS.intentMemory : METRICS.pulledMemory, percent),
        });
  const manager = new PullManager({ records, policy, now, metrics, onWarning, stripes: maxParallelPulls });
  await manager.convertIntents(options.listImages);
  return manager;
}
