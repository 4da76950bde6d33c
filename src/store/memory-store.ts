import {
  type ContentSource,
  type ContentStream,
  type Descriptor,
  type Digest,
  digestAlgorithm,
} from "../oci/index.ts";
import { digestOf, OciError } from "../oci/index.ts";
import type { OpenOptions, SignalOptions, WriteOptions, WriteOutcome } from "../oci/index.ts";
import type { BlobInfo, BlobStore, ChunkOptions, DeleteOptions, FindOptions } from "./blob-store.ts";
import { type Ingest, type IngestInfo, type IngestOptions, TOUCH_INTERVAL } from "./blob-store.ts";
import { StoreError } from "./errors.ts";
import { ingestName } from "./ingest-name.ts";
import { SharedWrites } from "./shared-writes.ts";
import { type Expected, verifyDigest, verifySize } from "./verify.ts";
import { writeOnce } from "./write-content.ts";

export interface MemoryStoreOptions {
  /** Milliseconds since the epoch; the system's clock by default. */
  readonly now?: (() => number) | undefined;
}

interface MemoryBlob {
  readonly bytes: Uint8Array;
  time: number;
}

interface MemoryParts {
  chunks: Uint8Array[];
  offset: number;
  time: number;
  busy: boolean;
}

/** Blobs in memory: for tests, and for content that is gone with the process. */
export class MemoryBlobStore implements BlobStore {
  readonly #blobs = new Map<Digest, MemoryBlob>();
  readonly #ingests = new Map<string, MemoryParts>();
  readonly #shared = new SharedWrites();
  readonly #now: () => number;
  #closed = false;

  constructor(options: MemoryStoreOptions = {}) {
    this.#now = options.now ?? Date.now;
  }

  find(digest: Digest, options: FindOptions = {}): Promise<BlobInfo | undefined> {
    const blob = this.#blobs.get(digest);
    if (blob === undefined) return Promise.resolve(undefined);
    if (options.touch === true && this.#now() - blob.time >= TOUCH_INTERVAL) blob.time = this.#now();
    return Promise.resolve({ digest, size: blob.bytes.length, time: blob.time });
  }

  async has(descriptor: Descriptor): Promise<boolean> {
    return (await this.find(descriptor.digest, { touch: true }))?.size === descriptor.size;
  }

  open(descriptor: Descriptor, options: OpenOptions = {}): Promise<ContentStream> {
    const bytes = this.#blobs.get(descriptor.digest)?.bytes;
    if (bytes === undefined) {
      return Promise.reject(
        new OciError("BLOB_UNKNOWN", `Cannot open blob "${descriptor.digest}": not in the store`),
      );
    }
    return Promise.resolve(streamOf(bytes.subarray(options.offset ?? 0), options.signal));
  }

  write(descriptor: Descriptor, source: ContentSource, options: WriteOptions = {}): Promise<WriteOutcome> {
    return writeOnce(this, { descriptor, source }, { ...options, sharing: this.#shared });
  }

  async *list(options: SignalOptions = {}): AsyncIterable<BlobInfo> {
    for (const digest of this.#blobs.keys()) {
      options.signal?.throwIfAborted();
      const info = await this.find(digest);
      if (info !== undefined) yield info;
    }
  }

  async delete(digest: Digest, options: DeleteOptions = {}): Promise<boolean> {
    await Promise.resolve();
    return this.deleteNow(digest, options);
  }

  /** Like `delete()`, done when it returns. */
  deleteNow(digest: Digest, options: DeleteOptions = {}): boolean {
    const blob = this.#blobs.get(digest);
    return blob !== undefined && blob.time <= (options.unusedSince ?? Infinity) && this.#blobs.delete(digest);
  }

  async ingest(key: string, options: IngestOptions = {}): Promise<Ingest> {
    await Promise.resolve();
    ingestName(key);
    options.signal?.throwIfAborted();
    if (this.#closed) throw new StoreError("CLOSED", "Cannot write to the store: it was closed");
    const parts = this.#ingests.get(key) ?? { chunks: [], offset: 0, time: this.#now(), busy: false };
    if (parts.busy) throw busy(key);
    parts.busy = true;
    this.#ingests.set(key, parts);
    return new MemoryIngest(key, parts, {
      now: this.#now,
      drop: () => this.#ingests.delete(key),
      keep: async (digest, bytes) => {
        if (!this.#blobs.has(digest)) this.#blobs.set(digest, { bytes, time: this.#now() });
        return (await this.find(digest, { touch: true })) as BlobInfo;
      },
    });
  }

  findIngest(key: string): Promise<IngestInfo | undefined> {
    const parts = this.#ingests.get(key);
    return Promise.resolve(parts && { key, offset: parts.offset, time: parts.time });
  }

  async *listIngests(options: SignalOptions = {}): AsyncIterable<IngestInfo> {
    for (const key of this.#ingests.keys()) {
      options.signal?.throwIfAborted();
      const info = await this.findIngest(key);
      if (info !== undefined) yield info;
    }
  }

  async deleteIngest(key: string, options: DeleteOptions = {}): Promise<boolean> {
    await Promise.resolve();
    const parts = this.#ingests.get(key);
    if (parts?.busy === true) throw busy(key);
    return (
      parts !== undefined && parts.time <= (options.unusedSince ?? Infinity) && this.#ingests.delete(key)
    );
  }

  pathOf(): undefined {
    return undefined;
  }

  close(): Promise<void> {
    this.#closed = true;
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

interface MemoryHome {
  now(): number;
  drop(): void;
  keep(digest: Digest, bytes: Uint8Array): Promise<BlobInfo>;
}

class MemoryIngest implements Ingest {
  readonly key: string;
  readonly #parts: MemoryParts;
  readonly #home: MemoryHome;
  #ended = false;

  constructor(key: string, parts: MemoryParts, home: MemoryHome) {
    this.key = key;
    this.#parts = parts;
    this.#home = home;
  }

  get offset(): number {
    return this.#parts.offset;
  }

  write(chunk: Uint8Array, { given = false }: ChunkOptions = {}): void {
    this.#assertOpen();
    this.#parts.chunks.push(given ? chunk : Uint8Array.from(chunk));
    this.#parts.offset += chunk.length;
    this.#parts.time = this.#home.now();
  }

  async truncate(offset: number): Promise<void> {
    await Promise.resolve();
    this.#assertOpen();
    if (!Number.isSafeInteger(offset) || offset < 0 || offset > this.offset) {
      throw new RangeError(`an ingest of ${this.offset} bytes has no offset ${offset}`);
    }
    this.#parts.chunks = [Buffer.concat(this.#parts.chunks).subarray(0, offset)];
    this.#parts.offset = offset;
  }

  async commit(expected: Expected): Promise<BlobInfo> {
    this.#assertOpen();
    try {
      const bytes = Buffer.concat(this.#parts.chunks);
      verifySize(expected, bytes.length);
      verifyDigest(expected, digestOf(bytes, digestAlgorithm(expected.digest)));
      return await this.#home.keep(expected.digest, bytes);
    } finally {
      await this.abort();
    }
  }

  close(): Promise<void> {
    if (!this.#ended) this.#parts.busy = false;
    this.#ended = true;
    return Promise.resolve();
  }

  async abort(): Promise<void> {
    if (this.#ended) return;
    await this.close();
    this.#home.drop();
  }

  #assertOpen(): void {
    if (this.#ended) {
      throw new StoreError("INGEST_INVALID", `Cannot use ingest ${JSON.stringify(this.key)}: it has ended`);
    }
  }
}

function streamOf(bytes: Uint8Array, signal: AbortSignal | undefined): ContentStream {
  return {
    async pump(consume) {
      for (let at = 0; at < bytes.length; at += 65_536) {
        signal?.throwIfAborted();
        await consume(bytes.subarray(at, at + 65_536));
      }
    },
    close: () => Promise.resolve(),
  };
}

function busy(key: string): StoreError {
  return new StoreError("INGEST_BUSY", `Cannot open ingest ${JSON.stringify(key)}: another writer holds it`);
}
