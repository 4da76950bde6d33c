import { type Dirent, fstatSync, readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

import type { Digest, SignalOptions } from "../oci/index.ts";
import type { BlobInfo, DeleteOptions, Ingest, IngestInfo, IngestOptions } from "./blob-store.ts";
import { StoreError } from "./errors.ts";
import { writeError } from "./file-errors.ts";
import { FileIngest, type IngestHome, openIngestFile } from "./file-ingest.ts";
import { IngestClaims } from "./ingest-claims.ts";
import { ingestName, nameToKey } from "./ingest-name.ts";
import { RunningDigest } from "./running-digest.ts";
import { ThreadFile } from "./thread-file.ts";
import type { WriterThreads } from "./writer-threads.ts";

/** Hashes kept of ingests that were let go, so that an upload in a thousand pieces isn't hashed a thousand times. */
const RESUMABLE = 1_000;
const PART = ".part";

interface Resumable {
  readonly hashes: RunningDigest | ThreadFile;
  readonly inode: number;
  readonly modified: number;
}

/** What ingests need to know about blobs. */
export interface BlobPlaces {
  findBlob(digest: Digest): Promise<BlobInfo | undefined>;
  placeFor(digest: Digest): string;
  syncPlace(digest: Digest): Promise<void>;
  now(): number;
}

/** The ingests of one folder: opens, lists and drops them. */
export class FileIngests {
  readonly #folder: string;
  readonly #places: BlobPlaces;
  readonly #claims: IngestClaims;
  readonly #live = new Map<string, FileIngest>();
  readonly #opening = new Set<Promise<Ingest>>();
  readonly #resumable = new Map<string, Resumable>();
  readonly #threads: WriterThreads;
  #closed = false;

  constructor(folder: string, places: BlobPlaces, threads: WriterThreads) {
    this.#threads = threads;
    this.#folder = folder;
    this.#places = places;
    this.#claims = new IngestClaims(folder);
  }

  async open(key: string, options: IngestOptions): Promise<Ingest> {
    const opening = this.#open(key, options);
    this.#opening.add(opening);
    try {
      return await opening;
    } finally {
      this.#opening.delete(opening);
    }
  }

  async #open(key: string, options: IngestOptions): Promise<Ingest> {
    const name = ingestName(key);
    options.signal?.throwIfAborted();
    this.#assertOpen();
    const opened = this.#openFile(key, name);
    const hashes =
      this.#recall(name, opened.fd, options) ?? RunningDigest.begin(options.algorithms ?? ["sha256"]);
    const ingest = new FileIngest(key, opened.fd, { home: this.#home(name, opened.fd), hashes });
    try {
      // Bytes of an earlier writer: what they are is what counts now, not what that one thought they were.
      if (hashes.offset < opened.size) await ingest.readUntil(opened.size, options.signal);
      this.#assertOpen();
    } catch (error) {
      await ingest.close();
      throw error;
    }
    this.#live.set(name, ingest);
    return ingest;
  }

  find(key: string): IngestInfo | undefined {
    return this.#look(ingestName(key));
  }

  async *list(options: SignalOptions): AsyncIterable<IngestInfo> {
    for (const entry of this.#entries()) {
      options.signal?.throwIfAborted();
      const info = entry.name.endsWith(PART) ? this.#look(entry.name.slice(0, -PART.length)) : undefined;
      if (info !== undefined) yield info;
    }
  }

  delete(key: string, options: DeleteOptions): boolean {
    const name = ingestName(key);
    let deleted = false;
    const free = this.#claims.whileFree(name, () => {
      const info = this.#look(name);
      if (info === undefined || info.time > (options.unusedSince ?? Infinity)) return;
      rmSync(this.#path(name), { force: true });
      this.#forget(name);
      deleted = true;
    });
    if (!free) throw busy(key);
    return deleted;
  }

  /** Runs `body`, which must not await, while no other process is in here. */
  exclusively<Result>(body: () => Result): Result {
    return this.#claims.exclusively(body);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // Nobody may find our claims free while we still have files open.
    await Promise.allSettled(this.#opening);
    await Promise.allSettled([...this.#live.values()].map((ingest) => ingest.close()));
    for (const name of this.#resumable.keys()) this.#forget(name);
    await this.#threads.close();
    this.#claims.close();
  }

  #openFile(key: string, name: string): { readonly fd: number; readonly size: number } {
    let mine = false;
    try {
      mine = this.#claims.take(name);
      if (!mine) throw busy(key);
      return openIngestFile(this.#path(name));
    } catch (error) {
      if (mine) this.#claims.release(name);
      throw writeError("open ingest", key, error);
    }
  }

  #home(name: string, fd: number): IngestHome {
    return {
      ...this.#places,
      path: this.#path(name),
      threads: this.#threads,
      remember: (hashes) => {
        const { ino, mtimeMs, size } = fstatSync(fd);
        if (size !== hashes.offset || !isUsable(hashes)) return false;
        this.#resumable.set(name, { hashes, inode: ino, modified: mtimeMs });
        const oldest = this.#resumable.keys().next().value;
        if (this.#resumable.size > RESUMABLE && oldest !== undefined) this.#forget(oldest);
        return true;
      },
      ended: () => {
        this.#live.delete(name);
        this.#claims.release(name);
      },
    };
  }

  /** The hashes of what is in the file, if nobody else has written to it since we did. */
  #recall(name: string, fd: number, options: IngestOptions): RunningDigest | ThreadFile | undefined {
    const known = this.#resumable.get(name);
    if (known === undefined) return undefined;
    const { hashes } = known;
    const { ino, mtimeMs, size } = fstatSync(fd);
    const wanted = options.algorithms ?? ["sha256"];
    const same = ino === known.inode && mtimeMs === known.modified && size === hashes.offset;
    if (same && wanted.every((algorithm) => hashes.algorithms.includes(algorithm)) && isUsable(hashes)) {
      this.#resumable.delete(name);
      return hashes;
    }
    this.#forget(name);
    return undefined;
  }

  #forget(name: string): void {
    const known = this.#resumable.get(name);
    if (known?.hashes instanceof ThreadFile) known.hashes.forget();
    this.#resumable.delete(name);
  }

  #look(name: string): IngestInfo | undefined {
    const key = nameToKey(name);
    const stat = statSync(this.#path(name), { throwIfNoEntry: false });
    if (key === undefined || stat === undefined) return undefined;
    return { key, offset: this.#live.get(name)?.offset ?? stat.size, time: Math.trunc(stat.mtimeMs) };
  }

  #entries(): Dirent[] {
    return readdirSync(this.#folder, { withFileTypes: true });
  }

  #path(name: string): string {
    return join(this.#folder, name + PART);
  }

  #assertOpen(): void {
    if (this.#closed) throw new StoreError("CLOSED", "Cannot write to the store: it was closed");
  }
}

function isUsable(hashes: RunningDigest | ThreadFile): boolean {
  return !(hashes instanceof ThreadFile) || hashes.lives;
}

function busy(key: string): StoreError {
  return new StoreError("INGEST_BUSY", `Cannot open ingest ${JSON.stringify(key)}: another writer holds it`);
}
