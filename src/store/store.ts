import type {
  ContentSource,
  ContentStream,
  Descriptor,
  Digest,
  ImageSink,
  ImageSource,
} from "../oci/index.ts";
import type { OpenOptions, SignalOptions, TagOptions, WriteOptions, WriteOutcome } from "../oci/index.ts";
import type { BlobStore } from "./blob-store.ts";
import type { LeaseStore, NameStore } from "./names.ts";

export interface StoreOptions {
  /** Milliseconds since the epoch; the system's clock by default. */
  readonly now?: (() => number) | undefined;
}

export interface CollectOptions extends SignalOptions {
  /** Content touched within this many milliseconds stays, named or not; 10 minutes by default. */
  readonly grace?: number | undefined;
  /** Ingests without a byte for this many milliseconds are dropped; 7 days by default. */
  readonly ingestAge?: number | undefined;
  /** Say what would go, and delete nothing. */
  readonly dryRun?: boolean | undefined;
  /** More content to keep with all it reaches: what a registry beside this store serves, say. Asked again when needed. */
  readonly roots?: (() => Iterable<Descriptor>) | undefined;
  /** Told of every blob and ingest: what happens to it, and why. */
  readonly onVerdict?: ((verdict: CollectVerdict) => void) | undefined;
}

/**
 * - `reached`: a name, or a root handed in, leads to it
 * - `leased`: a pull or push in flight leads to it
 * - `referrer`: it, or what leads to it, is attached to kept content (a signature, an SBOM)
 * - `recent`: touched within the grace time, or reached by something that was
 * - `unreferenced`: nothing leads to it
 * - `expired`: an ingest nobody continued
 * - `unfinished`: an ingest that may yet be continued
 */
export type CollectReason =
  | "reached"
  | "leased"
  | "referrer"
  | "recent"
  | "unreferenced"
  | "expired"
  | "unfinished";

export interface CollectVerdict {
  readonly kind: "blob" | "ingest";
  /** The digest of a blob, the key of an ingest. */
  readonly id: string;
  /** Bytes. */
  readonly size: number;
  readonly keep: boolean;
  readonly reason: CollectReason;
}

export interface Tally {
  readonly count: number;
  readonly bytes: number;
}

export interface CollectResult {
  readonly kept: Tally;
  /** What was deleted; in a dry run, what would be. */
  readonly deleted: Tally;
  readonly droppedIngests: Tally;
}

export interface Usage {
  readonly blobs: Tally;
  readonly ingests: Tally;
  readonly names: number;
  /** What `collect()` with the same options would free, ingests included. */
  readonly reclaimable: Tally;
}

/**
 * Blobs and names of one data folder, as one place images are copied from and to: `copy(registry, "1.36", { to: store,
 * as: "docker.io/library/busybox:1.36" })`.
 *
 * Whatever is written through the store itself (not through `store.blobs`) is leased first, and the lease ends
 * when a name reaches it or the store is closed: a collection by another process leaves a slow pull alone. Who keeps a
 * store open for long writes through {@link Store.begin}, so that what a failed pull brought can be collected.
 */
export interface Store extends ImageSource, ImageSink, AsyncDisposable {
  readonly blobs: BlobStore;
  readonly names: NameStore;
  readonly leases: LeaseStore;

  open(descriptor: Descriptor, options?: OpenOptions): Promise<ContentStream>;
  has(descriptor: Descriptor, options?: SignalOptions): Promise<boolean>;
  write(descriptor: Descriptor, source: ContentSource, options?: WriteOptions): Promise<WriteOutcome>;
  /**
   * What a name of this store points at. A digest stands for itself where the store has it.
   *
   * @throws StoreError `NAME_UNKNOWN`
   */
  resolve(name: string, options?: SignalOptions): Promise<Descriptor>;
  /** @throws OciError `BLOB_UNKNOWN` when the document is not here */
  tag(descriptor: Descriptor, name: string, options?: TagOptions): Promise<void>;

  /** Writes with a lease of their own, which ends with them: what no name reaches by then is free to go. */
  begin(): ImageSink & Disposable;

  /** Deletes content that no name, live lease or recent use leads to. Safe beside pulls and pushes of any process. */
  collect(options?: CollectOptions): Promise<CollectResult>;
  usage(options?: CollectOptions): Promise<Usage>;
  /** Where a blob's file is, for stores that have files. */
  pathOf(digest: Digest): string | undefined;
  close(): Promise<void>;
}
