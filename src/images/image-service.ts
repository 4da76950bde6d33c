/**
 * What the kubelet asks of a container runtime's image service: five verbs. Our own store answers them, and so does any
 * service that speaks CRI.
 */
import type { AuthConfig } from "../credentials/index.ts";
import type { PullProgress } from "./image-runtime.ts";

export interface Annotation {
  readonly name: string;
  readonly value: string;
}

/** An image to be asked for, or one that is here. */
export interface ImageSpec {
  readonly image: string;
  /** Those of the Pod. */
  readonly annotations: readonly Annotation[];
  /** Empty for the default one. */
  readonly runtimeHandler: string;
}

/** An image that is here. */
export interface ServiceImage {
  readonly id: string;
  /** Bytes. */
  readonly size: number;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly spec: ImageSpec;
  /** Never to be collected. */
  readonly pinned: boolean;
}

export interface ServiceCallOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface ServicePullOptions extends ServiceCallOptions {
  /** What the registry is shown; nothing for an anonymous pull. */
  readonly auth?: AuthConfig | undefined;
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
}

/** Space on the file system that holds the images, in bytes. */
export interface ImageFileSystem {
  readonly capacityBytes?: number | undefined;
  readonly availableBytes?: number | undefined;
}

export interface ImageService {
  list(options?: ServiceCallOptions): Promise<readonly ServiceImage[]>;
  /** `undefined` when it isn't here. */
  status(spec: ImageSpec, options?: ServiceCallOptions): Promise<ServiceImage | undefined>;
  /** Resolves with the image's id. The error's message becomes the Pod's. */
  pull(spec: ImageSpec, options?: ServicePullOptions): Promise<string>;
  /** Removing what isn't here is no error. */
  remove(image: string, options?: ServiceCallOptions): Promise<void>;
  fileSystem(options?: ServiceCallOptions): Promise<ImageFileSystem>;
}
