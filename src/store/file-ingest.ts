import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  fdatasync,
  fstatSync,
  ftruncateSync,
  futimesSync,
  openSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";

import { syncFile } from "../internal/atomic-write.ts";
import { type Digest, digestAlgorithm } from "../oci/index.ts";
import type { BlobInfo, ChunkOptions, Ingest, IngestFile } from "./blob-store.ts";
import { StoreError } from "./errors.ts";
import { systemCode, writeError } from "./file-errors.ts";
import { RunningDigest } from "./running-digest.ts";
import { letGo, ThreadFile } from "./thread-file.ts";
import { type Expected, verifyDigest, verifySize } from "./verify.ts";
import type { WriterThreads } from "./writer-threads.ts";

/** Chunks below this size are gathered, so that a socket's small reads don't become a system call each. */
const DIRECT_BYTES = 32 * 1024;
const GATHER_BYTES = 64 * 1024;
/** Dirty bytes after which the disk starts writing in the background, so that little is left to wait for at the end. */
const SYNC_BYTES = 8 * 1024 * 1024;
/** What grows beyond this goes on on a thread; waking one costs more than it saves for less. */
const HAND_OVER_BYTES = 512 * 1024;

/** What an ingest needs of the store it belongs to. */
export interface IngestHome {
  readonly path: string;
  /** Whether the blob is here by now, touched. */
  findBlob(digest: Digest): Promise<BlobInfo | undefined>;
  /** Where the blob will be; its folder exists. */
  placeFor(digest: Digest): string;
  /** Makes the name of a new blob durable. */
  syncPlace(digest: Digest): Promise<void>;
  now(): number;
  readonly threads: WriterThreads;
  /**
   * Offers the hashes of what is in the file, for continuing without reading it again. The file is still open.
   * Whether they are wanted.
   */
  remember(hashes: RunningDigest | ThreadFile): boolean;
  /** Called once, when the ingest has let go of its file. */
  ended(): void;
}

/**
 * An ingest in a file. Writes go to the page cache at once, without a promise: that never waits for the disk unless
 * memory is full of unwritten bytes, and then waiting is right. Where chunks are given for good and there are many of
 * them, a thread writes and hashes them instead.
 */
export class FileIngest implements Ingest {
  readonly key: string;
  readonly #home: IngestHome;
  readonly #fd: number;
  #digest: RunningDigest;
  /** Where the present writer began: a chunk refused by a registry goes back to here. */
  #checkpoint: RunningDigest;
  /** Once there is one, it has all bytes, and `#digest` and `#checkpoint` have no say. */
  #thread: ThreadFile | undefined;
  #gathered: Buffer | undefined;
  #gatheredBytes = 0;
  #syncedTo: number;
  #syncing: Promise<void> | undefined;
  #syncFailure: Error | undefined;
  #ended = false;
  readonly #gone = Promise.withResolvers<void>();

  constructor(
    key: string,
    fd: number,
    { home, hashes }: { readonly home: IngestHome; readonly hashes: RunningDigest | ThreadFile },
  ) {
    this.key = key;
    this.#fd = fd;
    this.#home = home;
    if (hashes instanceof ThreadFile) {
      this.#thread = hashes;
      hashes.reopen(this.#threadUse());
    }
    this.#digest = hashes instanceof RunningDigest ? hashes : RunningDigest.begin(hashes.algorithms);
    this.#checkpoint = this.#digest.copy();
    this.#syncedTo = this.#written;
  }

  get offset(): number {
    return this.#thread?.offset ?? this.#digest.offset + this.#gatheredBytes;
  }

  /** Bytes in the file. */
  get #written(): number {
    return this.#thread?.written ?? this.#digest.offset;
  }

  get file(): IngestFile {
    return { path: this.#home.path, flush: () => this.#flush() };
  }

  /** Counts bytes that are in the file already. */
  async readUntil(end: number, signal?: AbortSignal): Promise<void> {
    await this.#digest.readFile(this.#fd, end, signal);
    this.#checkpoint = this.#digest.copy();
    this.#syncedTo = this.#digest.offset;
  }

  write(chunk: Uint8Array, { given = false }: ChunkOptions = {}): void | Promise<void> {
    this.#assertOpen();
    if (given && this.#thread === undefined) this.#handOver();
    if (this.#thread === undefined) {
      this.#take(chunk);
      if (given) letGo(chunk);
      return;
    }
    try {
      return this.#thread.push(chunk, given);
    } catch (error) {
      throw writeError("write to ingest", this.key, error);
    }
  }

  #take(chunk: Uint8Array): void {
    if (chunk.length >= DIRECT_BYTES) {
      this.#flush();
      this.#append(chunk);
      return;
    }
    if (this.#gatheredBytes + chunk.length > GATHER_BYTES) this.#flush();
    this.#gathered ??= Buffer.allocUnsafeSlow(GATHER_BYTES);
    this.#gathered.set(chunk, this.#gatheredBytes);
    this.#gatheredBytes += chunk.length;
  }

  async truncate(offset: number): Promise<void> {
    this.#assertOpen();
    if (!Number.isSafeInteger(offset) || offset < 0 || offset > this.offset) {
      throw new RangeError(`an ingest of ${this.offset} bytes has no offset ${offset}`);
    }
    await this.#settle();
    if (offset === this.offset) return;
    ftruncateSync(this.#fd, offset);
    this.#syncedTo = Math.min(this.#syncedTo, offset);
    if (this.#thread !== undefined) return await this.#thread.rewind(offset);
    if (offset >= this.#checkpoint.offset) {
      this.#digest = this.#checkpoint.copy();
    } else {
      this.#digest = RunningDigest.begin(this.#digest.algorithms);
    }
    await this.#digest.readFile(this.#fd, offset);
    if (this.#checkpoint.offset > offset) this.#checkpoint = this.#digest.copy();
  }

  async commit(expected: Expected): Promise<BlobInfo> {
    this.#assertOpen();
    if (this.#thread === undefined) this.#flush();
    this.#ended = true;
    let keep = true;
    try {
      await this.#settle();
      keep = false;
      verifySize(expected, this.#written);
      verifyDigest(expected, await this.#digestLike(expected.digest));
      const existing = await this.#home.findBlob(expected.digest);
      if (existing !== undefined) return existing;
      const time = this.#home.now();
      fchmodSync(this.#fd, 0o444);
      futimesSync(this.#fd, time / 1000, time / 1000);
      await this.#sync();
      renameSync(this.#home.path, this.#home.placeFor(expected.digest));
      keep = true;
      await this.#home.syncPlace(expected.digest);
      return { digest: expected.digest, size: this.#written, time };
    } catch (error) {
      throw writeError("keep blob", expected.digest, error);
    } finally {
      await this.#end({ keep });
    }
  }

  async close(): Promise<void> {
    // Where a commit is under way, letting go means waiting for it.
    if (this.#ended) return this.#gone.promise;
    this.#ended = true;
    try {
      await this.#settle();
    } finally {
      const remembered = this.#syncFailure === undefined && this.#home.remember(this.#thread ?? this.#digest);
      await this.#end({ keep: true, remembered });
    }
  }

  async abort(): Promise<void> {
    if (this.#ended) return this.#gone.promise;
    this.#ended = true;
    await this.#end({ keep: false });
  }

  #assertOpen(): void {
    if (this.#ended) {
      throw new StoreError("INGEST_INVALID", `Cannot use ingest ${JSON.stringify(this.key)}: it has ended`);
    }
  }

  /** From here on a thread writes and hashes, where the ingest is large and its first bytes are soon read again. */
  #handOver(): void {
    if (this.offset < HAND_OVER_BYTES || this.#checkpoint.offset > HAND_OVER_BYTES) return;
    const { threads } = this.#home;
    const thread = threads.pick();
    if (thread === undefined) return;
    this.#flush();
    const { algorithms, offset } = this.#digest;
    this.#thread = new ThreadFile({ threads, thread }, this.#threadUse(), { algorithms, offset });
  }

  #threadUse(): { readonly fd: number; readonly onWritten: () => void } {
    return { fd: this.#fd, onWritten: () => this.#syncBehind() };
  }

  /** Brings everything received into the file. */
  async #settle(): Promise<void> {
    if (this.#thread === undefined) return this.#flush();
    try {
      await this.#thread.settle();
    } catch (error) {
      throw writeError("write to ingest", this.key, error);
    }
  }

  #flush(): void {
    if (this.#gatheredBytes === 0 || this.#gathered === undefined) return;
    const bytes = this.#gathered.subarray(0, this.#gatheredBytes);
    // First of all, so that a failure doesn't count these bytes twice: they are written, or lost to this ingest.
    this.#gatheredBytes = 0;
    this.#append(bytes);
  }

  #append(bytes: Uint8Array): void {
    let done = 0;
    try {
      while (done < bytes.length) {
        done += writeSync(this.#fd, bytes, done, bytes.length - done, this.#digest.offset + done);
      }
    } catch (error) {
      if (done > 0) this.#digest.update(bytes.subarray(0, done));
      throw writeError("write to ingest", this.key, error);
    }
    this.#digest.update(bytes);
    this.#syncBehind();
  }

  #syncBehind(): void {
    if (this.#written - this.#syncedTo < SYNC_BYTES || this.#syncing !== undefined || this.#ended) return;
    this.#syncedTo = this.#written;
    this.#syncing = new Promise((resolve) => {
      fdatasync(this.#fd, (error) => {
        // The system reports a failed write once, to whoever syncs first: commit has to hear of it.
        this.#syncFailure ??= error ?? undefined;
        this.#syncing = undefined;
        resolve();
      });
    });
  }

  async #sync(): Promise<void> {
    await this.#syncing;
    await syncFile(this.#fd);
    if (this.#syncFailure !== undefined) throw this.#syncFailure;
  }

  async #digestLike(expected: Digest): Promise<Digest> {
    const algorithm = digestAlgorithm(expected);
    // The hashes are gone with a thread that ended; the file is there.
    const known =
      this.#thread === undefined
        ? this.#digest.like(expected)
        : await this.#thread.digests().then(
            (digests) => digests.find((digest) => digestAlgorithm(digest) === algorithm),
            () => undefined,
          );
    if (known !== undefined) return known;
    const other = RunningDigest.begin([algorithm]);
    await other.readFile(this.#fd, this.#written);
    return other.like(expected) as Digest;
  }

  /** Lets go of the file; `keep: false` drops its bytes unless they have become a blob. */
  async #end(fate: { readonly keep: boolean; readonly remembered?: boolean }): Promise<void> {
    // Another file could get the number of one that is closed while a thread still writes to it.
    await this.#thread?.stop();
    if (fate.remembered !== true) this.#thread?.forget();
    await this.#syncing;
    closeSync(this.#fd);
    this.#gathered = undefined;
    try {
      if (!fate.keep) rmSync(this.#home.path, { force: true });
      this.#home.ended();
    } finally {
      this.#gone.resolve();
    }
  }
}

/** Opens or creates the file of an ingest for reading and writing. */
export function openIngestFile(path: string): { readonly fd: number; readonly size: number } {
  const flags = constants.O_RDWR | constants.O_CREAT;
  let fd: number;
  try {
    fd = openSync(path, flags, 0o644);
  } catch (error) {
    if (systemCode(error) !== "EACCES") throw error;
    // A writer that died between making its file read-only and renaming it.
    chmodSync(path, 0o644);
    fd = openSync(path, flags, 0o644);
  }
  return { fd, size: fstatSync(fd).size };
}
