import type { Digest } from "../oci/index.ts";

/** How far a pull has come. */
export interface PullProgress {
  /** Bytes that are here, those of earlier attempts included. */
  readonly bytes: number;
  /** Bytes in all, once the manifest is known; 0 before. */
  readonly total: number;
}

/** An image as a runtime has it. */
export interface RuntimeImage {
  /** The image's id: the digest of its config. */
  readonly id: Digest;
  /** What the name points at: an index or a manifest. */
  readonly digest: Digest;
  /** Bytes of its config, layers and manifests as they are stored. */
  readonly size: number;
}

export interface RuntimePullOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
}

/** Keeps images and fetches them: what the kubelet asks of a container runtime's image service. */
export interface ImageRuntime {
  /** The image of this name, or `undefined` when it isn't here in full. */
  find(
    image: string,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<RuntimeImage | undefined>;
  /** Brings the image here, whether or not it is here already. The error's message becomes the Pod's. */
  pull(image: string, options?: RuntimePullOptions): Promise<RuntimeImage>;
}
