import type { Digest } from "../oci/index.ts";
import type { BlobStore } from "../store/index.ts";
import type { AccessControl } from "./access.ts";
import type { Limits } from "./limits.ts";
import type { ManifestCache } from "./manifest-cache.ts";
import type { RegistryMetadata } from "./metadata.ts";
import type { UploadSessions } from "./upload-sessions.ts";

/** A tag was pushed, and is durable. */
export interface TagPush {
  readonly repository: string;
  readonly tag: string;
  readonly digest: Digest;
}

/** What the handlers of one registry share. */
export interface RegistryContext {
  readonly blobs: BlobStore;
  readonly metadata: RegistryMetadata;
  readonly sessions: UploadSessions;
  readonly cache: ManifestCache;
  readonly access: AccessControl;
  readonly clock: () => number;
  readonly newUploadId: () => string;
  /** Whether manifests may name content that the repository lacks. */
  readonly sparse: boolean;
  /** Whether anything may be deleted over the protocol. */
  readonly deletable: boolean;
  /** Bytes, where no rule says otherwise. */
  readonly maxManifestSize: number;
  /** Bytes, where no rule says otherwise. */
  readonly maxBlobSize: number;
  readonly limits: Limits;
  readonly onTag: ((push: TagPush) => void) | undefined;
}
