import {
  ByteRate,
  gcPolicyOf,
  ImageCollector,
  ImageManager,
  listStoreImages,
  openPullManager,
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

/** The images room's manager, as the settings want it, over a store and the registries. */
export async function openNodeImages(options: NodeImagesOptions): Promise<ImageManager> {
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
  return new ImageManager({
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
}

/** Collects images by the settings' thresholds until the signal is aborted. */
export async function collectNodeImages(
  options: NodeImagesOptions,
  running: {
    readonly state: () => NodeState;
    readonly wait: (milliseconds: number, signal: AbortSignal) => Promise<void>;
    readonly signal: AbortSignal;
  },
): Promise<void> {
  const { store, dataDir, settings, metrics, now, onWarning } = options;
  const collector = new ImageCollector({
    images: new StoreImages({
      store,
      platform: localPlatform(),
      folder: dataDir,
      collect: ({ signal }) => store.collect({ signal }),
    }),
    listUsed: ({ signal }) => listUsedImages(running.state(), { store, signal }),
    policy: gcPolicyOf(settings.config),
    now,
    onEvent: ({ message }) => onWarning(message),
    metrics,
  });
  await runCollection(collector, {
    signal: running.signal,
    now,
    wait: running.wait,
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
