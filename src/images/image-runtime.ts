import type { TrackedCredential } from "../credentials/index.ts";
import type { Digest } from "../oci/index.ts";
import type { Annotation } from "./image-service.ts";

/** How far one content of an image has come. */
export interface ContentProgress {
  readonly digest: Digest;
  readonly mediaType: string;
  /** Bytes in all. */
  readonly size: number;
  /** Bytes that are here. */
  readonly bytes: number;
  /** `awaited` is brought by somebody else, another process for one; `here` needed no transfer. */
  readonly phase: "waiting" | "fetching" | "awaited" | "done" | "here";
}

/** How far a pull has come. */
export interface PullProgress {
  /** Bytes that are here, those of earlier attempts included. */
  readonly bytes: number;
  /** Bytes in all, once the manifest is known; 0 before. */
  readonly total: number;
  /** Bytes of what was unpacked so far, where the runtime unpacks: a sign of life once all bytes are here. */
  readonly unpacked?: number | undefined;
  /** Part by part, where the runtime knows. Goes on changing: copy what you keep. */
  readonly contents?: readonly ContentProgress[] | undefined;
}

/** An image as a runtime has it. */
export interface RuntimeImage {
  /** The image's id: for our own store and for containerd the digest of its config. */
  readonly id: string;
  /** What the name points at: an index or a manifest. Some runtimes don't tell. */
  readonly digest: Digest | undefined;
  /** Bytes of its config, layers and manifests as they are stored; 0 when that couldn't be found out. */
  readonly size: number;
}

export interface PulledImage extends RuntimeImage {
  /** The one that opened the registry; none for an anonymous pull. */
  readonly credential?: TrackedCredential | undefined;
}

/** What a Pod adds to an image's name when a runtime is asked for it. */
export interface SpecParts {
  readonly annotations?: readonly Annotation[] | undefined;
  readonly runtimeHandler?: string | undefined;
}

export interface RuntimePullOptions extends SpecParts {
  /** To be tried in this order; none at all is one anonymous attempt. Absent, the runtime uses its own sources. */
  readonly credentials?: readonly TrackedCredential[] | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: PullProgress) => void) | undefined;
}

/** Keeps images and fetches them: what ensuring an image needs of a container runtime. */
export interface ImageRuntime {
  /** The image of this name, or `undefined` when it isn't here in full. */
  find(
    image: string,
    options?: SpecParts & { readonly signal?: AbortSignal | undefined },
  ): Promise<RuntimeImage | undefined>;
  /** Brings the image here, whether or not it is here already. The error's message becomes the Pod's. */
  pull(image: string, options?: RuntimePullOptions): Promise<PulledImage>;
}
