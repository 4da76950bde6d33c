import type { Digest } from "./digest.ts";
import type { Platform } from "./platform.ts";

export type Annotations = Readonly<Record<string, string>>;

/** A pointer to content: what kind, which bytes, how many. Content of another size or digest is never trusted. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** Other places to fetch from, `http` and `https` only, never with the registry's credentials. */
  readonly urls?: readonly string[];
  readonly annotations?: Annotations;
  /** The content itself, base64; used only when its size and digest match. */
  readonly data?: string;
  readonly artifactType?: string;
  readonly platform?: Platform;
}
