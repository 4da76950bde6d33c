import {
  ByteRate,
  type GcPolicy,
  gcPolicyOf,
  ImageCollector,
  ImageListCache,
  ImageManager,
  listStoreImages,
  type NodeEvent,
  type NodeStatusImage,
  nodeStatusImages,
  openPullManager,
  PinFolder,
  type PullManager,
  pullLimits,
  runCollection,
  StoreImages,
  StoreRuntime,
  type UsedImage,
  verificationPolicyOf,
} from "../../images/index.ts";
import type { NodeState } from "../../node/index.ts";
import { formatReference, parseDockerRef } from "../../reference/index.ts";
import type { Store } from "../../store/index.ts";
import type { RegistryAccess } from "../connect.ts";
import type { NodeMetrics } from "../metrics/node-metrics.ts";
import { localPlatform } from "../settings.ts";
import type { ImageSettings } from "./image-settings.ts";
import type { NodeCredentials } from "./node-credentials.ts";
import { NodeRegistry } from "./node-registry.ts";

export interface NodeImagesOptions {
  readonly store: Store;
  readonly dataDir: string;
  readonly access: RegistryAccess;
  readonly credentials: NodeCredentials;
  readonly settings: ImageSettings;
  readonly metrics: NodeMetrics;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly onWarning: (message: string) => void;
}

export interface NodeImages {
  readonly manager: ImageManager;
  /** The images as last listed. */
  readonly listed: ImageListCache;
  /** What a Node's status says of them. */
  readonly status: () => readonly NodeStatusImage[];
  readonly records: PullManager | undefined;
  readonly registry: NodeRegistry;
}

/** The images room's manager, as the settings want it, over a store and the registries. */
export async function openNodeImages(options: NodeImagesOptions): Promise<NodeImages> {
  const { store, dataDir, access, credentials, settings, metrics, now, onWarning } = options;
  const { config, gates, extras } = settings;
  const platform = localPlatform();
  const { candidateOf, keyring } = credentials;
  const registry = new NodeRegistry(access, { candidateOf });
  const runtime = new StoreRuntime({
    store,
    registry: (reference, credential) => registry.repository(reference, credential),
    platform,
    byteRate:
      extras.bytesPerSecond === undefined
        ? undefined
        : new ByteRate({ bytesPerSecond: extras.bytesPerSecond, now: () => performance.now() }),
  });
  const { maxParallelPulls, rate } = pullLimits(config);
  const { ensureSecretPulled } = gates;
  const records = ensureSecretPulled
    ? await openPullManager({
        root: dataDir,
        policy: verificationPolicyOf(config),
        now,
        maxParallelPulls: Number.isFinite(maxParallelPulls) ? maxParallelPulls : 0,
        listImages: () => listStoreImages(store, { platform }),
        metrics,
        onWarning,
      })
    : undefined;
  const manager = new ImageManager({
    runtime,
    now,
    maxParallelPulls,
    rate,
    keyring,
    access: records,
    ensureSecretPulled,
    metrics,
    backOffMode: extras.backOffMode,
    pullFallback: extras.pullFallback,
    pullOrder: extras.pullOrder,
  });
  const listed = new ImageListCache({
    list: ({ signal } = {}) => listStoreImages(store, { platform, signal }),
  });
  const status = (): readonly NodeStatusImage[] =>
    nodeStatusImages(listed.images, config.nodeStatusMaxImages);
  return { manager, listed, status, records, registry };
}

/** Nothing is collected, and images are looked at all the same. */
const NO_COLLECTION: Partial<GcPolicy> = { highThresholdPercent: 100, maxAge: 0 };

/** Keeps an eye on images, and collects them by the settings' thresholds, until the signal is aborted. */
export async function collectNodeImages(
  options: NodeImagesOptions,
  running: Pick<NodeImages, "listed" | "records"> & {
    readonly state: () => NodeState;
    readonly onEvent: (event: NodeEvent) => void;
    readonly wait: (milliseconds: number, signal: AbortSignal) => Promise<void>;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { store, dataDir, settings, metrics, now, onWarning } = options;
  const pins = new PinFolder(dataDir);
  const collector = new ImageCollector({
    images: new StoreImages({
      store,
      platform: localPlatform(),
      folder: dataDir,
      collect: ({ signal }) => store.collect({ signal }),
      pinned: async () => new Set((await pins.list()).map(({ image }) => image)),
    }),
    listUsed: ({ signal }) => listUsedImages(running.state(), { store, signal }),
    policy: { ...gcPolicyOf(settings.config), ...(settings.collects ? {} : NO_COLLECTION) },
    now,
    onEvent: running.onEvent,
    hooks: [
      // What is known of images that are gone is forgotten with them; the kubelet forgets more than that.
      async (_, until) => {
        const images = await listStoreImages(store, { platform: localPlatform() });
        await running.records?.pruneUnknownRecords(
          images.map(({ id }) => id),
          until,
        );
      },
    ],
    metrics,
  });
  await runCollection(collector, {
    signal: running.signal,
    now,
    wait: running.wait,
    cache: running.listed,
    onEvent: running.onEvent,
    onFailure: (message) => onWarning(message),
  });
}

/**
 * The images of all Pods, also of those whose turn hasn't come: a node that has just begun holds nothing yet, and what
 * was pulled beforehand for policy Never can't be had again.
 */
async function listUsedImages(
  { pods }: NodeState,
  { store, signal }: { readonly store: Store; readonly signal?: AbortSignal | undefined },
): Promise<readonly UsedImage[]> {
  const containers = pods.flatMap((pod) => pod.containers);
  const names = new Map<string, string>();
  for (const { id, repoTags, repoDigests } of await listStoreImages(store, {
    platform: localPlatform(),
    signal,
  })) {
    for (const name of [id, ...repoTags, ...repoDigests]) names.set(name, id);
  }
  return containers.flatMap(({ image, imageRef }) => {
    const imageId = imageRef ?? names.get(image) ?? names.get(canonicalName(image));
    return imageId === undefined ? [] : [{ imageId }];
  });
}

function canonicalName(image: string): string {
  try {
    return formatReference(parseDockerRef(image));
  } catch {
    return image;
  }
}
