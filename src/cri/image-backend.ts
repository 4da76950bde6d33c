/**
 * What the image service is served from: a store of ours, or containerd's.
 *
 * An image goes by the digest of its config. All names that lead to one config are one image, and what is removed is
 * removed with all of them.
 */
import type { CriAuthConfig } from "../credentials/index.ts";
import type { PullProgress } from "../images/index.ts";
import type { SignalOptions } from "../oci/index.ts";

export interface CriImage {
  /** The digest of its config. */
  readonly id: string;
  /** In the order they are shown. */
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  /** Bytes of index, manifest, config and layers as they are stored. */
  readonly size: number;
  /** Whom the image runs as, if it says so by number. */
  readonly uid: bigint | undefined;
  /** … or by name; empty otherwise. */
  readonly username: string;
  /** Never to be collected. */
  readonly pinned: boolean;
}

export interface PullRequest {
  readonly image: string;
  /** What the kubelet handed over. */
  readonly auth: CriAuthConfig | undefined;
  readonly annotations: Readonly<Record<string, string>>;
  readonly runtimeHandler: string;
  /** Whom the pull is for. */
  readonly pod: PullingPod | undefined;
}

export interface PullingPod {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
}

export interface BackendPullOptions extends SignalOptions {
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
}

export interface FileSystemUsage {
  /** Milliseconds since the epoch. */
  readonly measuredAt: number;
  /** A folder on it. */
  readonly mountpoint: string;
  readonly usedBytes: number;
  readonly inodesUsed: number;
}

export interface ImageBackend {
  /** Sorted by id. */
  list(options?: SignalOptions): Promise<readonly CriImage[]>;
  /**
   * By id, by the beginning of one, or by any of its names; `undefined` when it isn't here.
   *
   * @throws CriError `IMAGE_AMBIGUOUS`
   */
  find(text: string, options?: SignalOptions): Promise<CriImage | undefined>;
  /** What there is to say of an image besides, as JSON; `undefined` when it isn't here. */
  describe(id: string, options?: SignalOptions): Promise<string | undefined>;
  /** Brings it here and resolves with its id. */
  pull(request: PullRequest, options?: BackendPullOptions): Promise<string>;
  /** With all its names, by whichever it is asked for. What isn't here is gone already. */
  remove(text: string, options?: SignalOptions): Promise<void>;
  /** The one with the images' content first. */
  fileSystems(options?: SignalOptions): Promise<readonly FileSystemUsage[]>;
}
