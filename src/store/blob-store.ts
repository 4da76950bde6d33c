/**
 * Verified content, by digest.
 *
 * A blob is visible if and only if all of its bytes were verified and are durable. Bytes on their way in belong to
 * an *ingest*, which has a key chosen by whoever writes (`sha256:…` for a pull, an upload id for a push), survives
 * the process and is invisible to readers:
 *
 * ```text
 * ingest(key) ──write()*──► commit(expected) ──► visible under its digest, ingest gone
 *     │                └──► close()          ──► kept; a later ingest(key) continues at `offset`
 *     └────────────────────► abort()         ──► gone
 * ```
 *
 * One writer at a time may hold an ingest, across processes; a second one gets `INGEST_BUSY`.
 */
import type { ContentSink, ContentSource, Digest, DigestAlgorithm, SignalOptions } from "../oci/index.ts";

/** How stale, in milliseconds, the `time` of a blob in use may get: touching on every look would cost a write each. */
export const TOUCH_INTERVAL = 60_000;

export interface BlobInfo {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** When the blob became visible here, or was last touched; milliseconds since the epoch. */
  readonly time: number;
}

export interface IngestInfo {
  readonly key: string;
  /** Bytes received so far. */
  readonly offset: number;
  /** When the last byte arrived; milliseconds since the epoch. */
  readonly time: number;
}

export interface IngestOptions extends SignalOptions {
  /** Algorithms to hash while writing; sha256 by default. Committing to another one re-reads the bytes. */
  readonly algorithms?: readonly DigestAlgorithm[] | undefined;
}

export interface ChunkOptions {
  /** The chunk's memory is the ingest's from now on: nobody else looks at it any more. */
  readonly given?: boolean | undefined;
}

/** The file an ingest grows in, for reading along while it grows. */
export interface IngestFile {
  readonly path: string;
  /** Brings everything written so far into the file, but for chunks that were given: those take their time. */
  flush(): void;
}

export interface Ingest {
  readonly key: string;
  /** Absent in stores without files. Once it is committed, the blob's own file holds the same bytes. */
  readonly file?: IngestFile | undefined;
  /** Bytes received so far, those of earlier writers included. */
  readonly offset: number;
  /**
   * Appends. The chunk may be reused once the call returned or its promise settled, unless it is given. A promise
   * asks to wait before writing on; what could not be kept of earlier chunks may show in a later call, at the
   * latest when the ingest is truncated, committed or closed.
   */
  write(chunk: Uint8Array, options?: ChunkOptions): void | Promise<void>;
  /** Drops every byte from `offset` on, so that a refused chunk leaves nothing behind. */
  truncate(offset: number): Promise<void>;
  /**
   * Verifies, makes durable and visible, and ends the ingest. A blob that is already there makes it a success.
   * On a mismatch the bytes are gone and so is the ingest.
   *
   * @throws OciError `DIGEST_INVALID`, `SIZE_INVALID`
   */
  commit(expected: { readonly digest: Digest; readonly size?: number | undefined }): Promise<BlobInfo>;
  /** Lets go and keeps the bytes for a later writer. */
  close(): Promise<void>;
  /** Lets go and drops the bytes. */
  abort(): Promise<void>;
}

export interface FindOptions {
  /** Make its `time` recent, as somebody who will count on it. */
  readonly touch?: boolean | undefined;
}

export interface DeleteOptions {
  /** Delete only what was not touched after this time; milliseconds since the epoch. */
  readonly unusedSince?: number | undefined;
}

/**
 * As a {@link ContentSink}, `has()` and `write()` touch what they find, so that content somebody just counted on
 * is not collected under their feet: afterwards its `time` is at most {@link TOUCH_INTERVAL} old.
 *
 * Identical writes of one process share one transfer; a write that finds another process at work waits for it.
 */
export interface BlobStore extends ContentSource, ContentSink, AsyncDisposable {
  find(digest: Digest, options?: FindOptions): Promise<BlobInfo | undefined>;
  /** In no particular order; blobs that come or go meanwhile may be missed. */
  list(options?: SignalOptions): AsyncIterable<BlobInfo>;
  /** Whether one was deleted. Readers that have it open read on. */
  delete(digest: Digest, options?: DeleteOptions): Promise<boolean>;
  /**
   * Begins or continues an ingest, re-hashing what is already there.
   *
   * @throws StoreError `INGEST_BUSY`, `INGEST_INVALID` for a key that is empty or longer than 200 bytes
   */
  ingest(key: string, options?: IngestOptions): Promise<Ingest>;
  findIngest(key: string): Promise<IngestInfo | undefined>;
  listIngests(options?: SignalOptions): AsyncIterable<IngestInfo>;
  /**
   * Drops an ingest without opening it; whether one was dropped.
   *
   * @throws StoreError `INGEST_BUSY`
   */
  deleteIngest(key: string, options?: DeleteOptions): Promise<boolean>;
  /** The file that holds a blob, for serving it straight from disk; `undefined` for stores without files. */
  pathOf(digest: Digest): string | undefined;
  /** Lets go of locks and files; unfinished ingests stay. Harmless when called twice. */
  close(): Promise<void>;
}
