import { fstatSync, openSync, rmSync, statSync, utimesSync } from "node:fs";
import { opendir } from "node:fs/promises";
import { dirname, join } from "node:path";

import { FolderSyncs, syncFolder } from "../internal/atomic-write.ts";
import { makeFolder } from "../internal/make-folder.ts";
import { DatabaseError } from "../internal/sqlite.ts";
import {
  type ContentSource,
  type ContentStream,
  type Descriptor,
  type Digest,
  OciError,
} from "../oci/index.ts";
import { DIGEST_ALGORITHMS, digestAlgorithm, digestEncoded, isDigest } from "../oci/index.ts";
import type { OpenOptions, SignalOptions, WriteOptions, WriteOutcome } from "../oci/index.ts";
import type { BlobInfo, BlobStore, DeleteOptions, FindOptions } from "./blob-store.ts";
import { type Ingest, type IngestInfo, type IngestOptions, TOUCH_INTERVAL } from "./blob-store.ts";
import { isMissing, readError, systemCode, writeError } from "./file-errors.ts";
import { FileIngests } from "./file-ingests.ts";
import { FileStream } from "./file-stream.ts";
import { SharedWrites } from "./shared-writes.ts";
import { writeOnce } from "./write-content.ts";
import { WriterThreads } from "./writer-threads.ts";

export interface FileStoreOptions {
  /** How many threads may write and hash large uploads; by default one less than processors, 4 at most. */
  readonly writerThreads?: number | undefined;
  /** Milliseconds since the epoch; the system's clock by default. */
  readonly now?: (() => number) | undefined;
}

/**
 * Blobs as files of one folder, which any number of processes may use at once:
 *
 * ```text
 * blobs/<algorithm>/<hex>   verified, durable, read-only; the shape of an OCI image layout
 * ingest/<key>.part         on its way in (see ingest-claims.ts for what stands beside it)
 * ```
 */
export class FileBlobStore implements BlobStore {
  readonly #folder: string;
  readonly #now: () => number;
  readonly #ingests: FileIngests;
  readonly #syncs = new FolderSyncs();
  readonly #shared = new SharedWrites();
  readonly #durableFolders = new Set<string>();

  private constructor(folder: string, now: () => number, threads: WriterThreads) {
    this.#folder = folder;
    this.#now = now;
    this.#ingests = new FileIngests(
      join(folder, "ingest"),
      {
        findBlob: (digest) => this.find(digest, { touch: true }),
        placeFor: (digest) => {
          const path = this.pathOf(digest);
          if (!this.#durableFolders.has(dirname(path))) makeFolder(dirname(path));
          return path;
        },
        syncPlace: (digest) => this.#syncPlace(dirname(this.pathOf(digest))),
        now,
      },
      threads,
    );
  }

  /**
   * Opens the folder, creating it where it's missing.
   *
   * @throws StoreError `UNWRITABLE`, `NO_SPACE`
   */
  static async open(folder: string, options: FileStoreOptions = {}): Promise<FileBlobStore> {
    try {
      // What is in it may be private: images, names of registries, other people's work.
      const created = makeFolder(folder, { mode: 0o700 });
      for (const name of ["blobs", "ingest"]) makeFolder(join(folder, name));
      if (created !== undefined) await syncFolder(dirname(created));
      await syncFolder(folder);
    } catch (error) {
      throw writeError("open store", folder, error);
    }
    return new FileBlobStore(folder, options.now ?? Date.now, new WriterThreads(options.writerThreads));
  }

  async find(digest: Digest, options: FindOptions = {}): Promise<BlobInfo | undefined> {
    // Looking at a file's size takes a few microseconds here; handing it to a thread takes many more.
    const info = this.#look(digest);
    if (options.touch !== true || info === undefined) return info;
    return this.#now() - info.time < TOUCH_INTERVAL ? info : this.#touch(digest);
  }

  async has(descriptor: Descriptor): Promise<boolean> {
    return (await this.find(descriptor.digest, { touch: true }))?.size === descriptor.size;
  }

  open(descriptor: Descriptor, options: OpenOptions = {}): Promise<ContentStream> {
    const { digest } = descriptor;
    const path = this.pathOf(digest);
    try {
      const fd = openSync(path, "r");
      return Promise.resolve(new FileStream({ fd, path, size: fstatSync(fd).size }, options));
    } catch (error) {
      if (!isMissing(error)) return Promise.reject(readError("open blob", digest, error) as Error);
      return Promise.reject(new OciError("BLOB_UNKNOWN", `Cannot open blob "${digest}": not in the store`));
    }
  }

  write(descriptor: Descriptor, source: ContentSource, options: WriteOptions = {}): Promise<WriteOutcome> {
    return writeOnce(this, { descriptor, source }, { ...options, sharing: this.#shared });
  }

  async *list(options: SignalOptions = {}): AsyncIterable<BlobInfo> {
    for (const algorithm of DIGEST_ALGORITHMS) {
      for await (const name of namesIn(join(this.#folder, "blobs", algorithm))) {
        options.signal?.throwIfAborted();
        const digest = `${algorithm}:${name}`;
        const info = isDigest(digest) ? this.#look(digest) : undefined;
        if (info !== undefined) yield info;
      }
    }
  }

  async delete(digest: Digest, options: DeleteOptions = {}): Promise<boolean> {
    return this.deleteNow(digest, options);
  }

  /** Like `delete()`, done when it returns: for deleting inside a transaction. */
  deleteNow(digest: Digest, options: DeleteOptions = {}): boolean {
    return this.#ingests.exclusively(() => {
      const info = this.#look(digest);
      if (info === undefined || info.time > (options.unusedSince ?? Infinity)) return false;
      try {
        rmSync(this.pathOf(digest));
        return true;
      } catch (error) {
        throw writeError("delete blob", digest, error);
      }
    });
  }

  ingest(key: string, options: IngestOptions = {}): Promise<Ingest> {
    return this.#ingests.open(key, options);
  }

  async findIngest(key: string): Promise<IngestInfo | undefined> {
    return this.#ingests.find(key);
  }

  listIngests(options: SignalOptions = {}): AsyncIterable<IngestInfo> {
    return this.#ingests.list(options);
  }

  async deleteIngest(key: string, options: DeleteOptions = {}): Promise<boolean> {
    return this.#ingests.delete(key, options);
  }

  pathOf(digest: Digest): string {
    return join(this.#folder, "blobs", digestAlgorithm(digest), digestEncoded(digest));
  }

  close(): Promise<void> {
    return this.#ingests.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #look(digest: Digest): BlobInfo | undefined {
    const stat = statSync(this.pathOf(digest), { throwIfNoEntry: false });
    if (stat?.isFile() !== true) return undefined;
    return { digest, size: stat.size, time: Math.trunc(stat.mtimeMs) };
  }

  /** Under the lock that deleting takes, so that a blob is either touched or gone. */
  #touch(digest: Digest): BlobInfo | undefined {
    try {
      this.#ingests.exclusively(() => {
        const time = this.#now() / 1000;
        utimesSync(this.pathOf(digest), time, time);
      });
    } catch (error) {
      // Somebody who may only read can't touch, nor can they collect, and they can use what is there.
      const unwritable = ["ENOENT", "EACCES", "EPERM", "EROFS"].includes(systemCode(error) ?? "");
      if (!unwritable && !(error instanceof DatabaseError && error.code === "DATABASE_UNAVAILABLE"))
        throw error;
    }
    return this.#look(digest);
  }

  async #syncPlace(folder: string): Promise<void> {
    await this.#syncs.sync(folder);
    if (this.#durableFolders.has(folder)) return;
    await this.#syncs.sync(dirname(folder));
    this.#durableFolders.add(folder);
  }
}

async function* namesIn(folder: string): AsyncIterable<string> {
  try {
    for await (const entry of await opendir(folder)) yield entry.name;
  } catch (error) {
    if (!isMissing(error)) throw readError("list", folder, error);
  }
}
