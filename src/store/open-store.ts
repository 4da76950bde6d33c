import { join } from "node:path";

import { type Database, openDatabase } from "../internal/sqlite.ts";
import {
  type ContentSource,
  type ContentStream,
  type Descriptor,
  type Digest,
  type ImageSink,
  isDigest,
} from "../oci/index.ts";
import { type OpenOptions, type SignalOptions, type WriteOptions, type WriteOutcome } from "../oci/index.ts";
import { collect, type CollectableBlobs } from "./collect.ts";
import { readLinks } from "./documents.ts";
import { StoreError } from "./errors.ts";
import { FileBlobStore } from "./file-store.ts";
import { MemoryBlobStore } from "./memory-store.ts";
import { LeasedWrites } from "./leased-writes.ts";
import type { LeaseStore, NameStore } from "./names.ts";
import { STORE_MIGRATIONS } from "./schema.ts";
import { SpaceReserve } from "./space-reserve.ts";
import { SqliteLeases } from "./sqlite-leases.ts";
import { SqliteNames } from "./sqlite-names.ts";
import type { CollectOptions, CollectResult, Store, StoreOptions, Usage } from "./store.ts";

/**
 * Opens the data folder `folder`, creating it where it's missing. Several processes may have it open.
 *
 * @throws StoreError `UNWRITABLE`, `NO_SPACE`; DatabaseError when `dray.db` can't be used
 */
export async function openStore(folder: string, options: StoreOptions = {}): Promise<Store> {
  const now = options.now ?? Date.now;
  const reserve = new SpaceReserve(folder);
  for (;;) {
    try {
      return new BlobsAndNames({ ...(await openParts(folder, now)), now, reserve });
    } catch (error) {
      // Who can't open a store on a full disk can't free anything of it either.
      if (!reserve.makesWay(error)) throw error;
    }
  }
}

async function openParts(
  folder: string,
  now: () => number,
): Promise<Pick<Parts, "blobs" | "database" | "leasing">> {
  await using opening = new AsyncDisposableStack();
  const blobs = await FileBlobStore.open(folder, { now });
  opening.defer(() => blobs.close());
  const path = join(folder, "dray.db");
  const database = openDatabase(path, { migrations: STORE_MIGRATIONS });
  opening.defer(() => database.close());
  // A lease lost in a power cut protected a pull that was cut as well, so leases don't wait for the disk.
  const leasing = openDatabase(path, { migrations: STORE_MIGRATIONS, synchronous: "normal" });
  opening.move();
  return { blobs, database, leasing };
}

/** The same in memory, gone when closed. */
export function openMemoryStore(options: StoreOptions = {}): Store {
  const now = options.now ?? Date.now;
  const database = openDatabase(":memory:", { migrations: STORE_MIGRATIONS });
  return new BlobsAndNames({ blobs: new MemoryBlobStore({ now }), database, leasing: database, now });
}

interface Parts {
  readonly blobs: CollectableBlobs;
  readonly database: Database;
  readonly leasing: Database;
  readonly now: () => number;
  readonly reserve?: SpaceReserve;
}

class BlobsAndNames implements Store {
  readonly blobs: CollectableBlobs;
  readonly names: NameStore;
  readonly leases: LeaseStore;
  readonly #parts: Parts;
  /** What is written to the store itself. */
  readonly #writes: LeasedWrites;
  readonly #begun = new Set<LeasedWrites>();
  #closed = false;

  constructor(parts: Parts) {
    this.#parts = parts;
    this.blobs = parts.blobs;
    this.names = new SqliteNames(parts.database, parts.now, parts.reserve);
    this.leases = new SqliteLeases(parts.leasing, parts.now);
    this.#writes = new LeasedWrites(this);
  }

  open(descriptor: Descriptor, options: OpenOptions = {}): Promise<ContentStream> {
    return this.blobs.open(descriptor, options);
  }

  has(descriptor: Descriptor, options: SignalOptions = {}): Promise<boolean> {
    return this.blobs.has(descriptor, options);
  }

  write(descriptor: Descriptor, source: ContentSource, options: WriteOptions = {}): Promise<WriteOutcome> {
    this.#parts.reserve?.fill();
    return this.#writes.write(descriptor, source, options);
  }

  async resolve(name: string): Promise<Descriptor> {
    const image = this.names.find(name);
    if (image !== undefined) return image.target;
    const info = isDigest(name) ? await this.blobs.find(name, { touch: true }) : undefined;
    const links = info && (await readLinks(this.blobs, info.digest));
    if (info !== undefined && links !== undefined) {
      return { mediaType: links.mediaType, digest: info.digest, size: info.size };
    }
    throw new StoreError("NAME_UNKNOWN", `Cannot find image ${JSON.stringify(name)}: not in the store`);
  }

  tag(descriptor: Descriptor, name: string): Promise<void> {
    return this.#writes.tag(descriptor, name);
  }

  begin(): ImageSink & Disposable {
    if (this.#closed) throw new StoreError("CLOSED", "Cannot write to the store: it was closed");
    this.#parts.reserve?.fill();
    const writes: LeasedWrites = new LeasedWrites(this, () => this.#begun.delete(writes));
    this.#begun.add(writes);
    return writes;
  }

  async collect(options: CollectOptions = {}): Promise<CollectResult> {
    const { reserve } = this.#parts;
    for (;;) {
      try {
        const result = await collect({ ...this.#parts, names: this.names, leases: this.leases }, options);
        reserve?.restore();
        return result;
      } catch (error) {
        if (reserve?.makesWay(error) !== true) throw error;
      }
    }
  }

  async usage(options: CollectOptions = {}): Promise<Usage> {
    const ingests = { count: 0, bytes: 0 };
    const { kept, deleted, droppedIngests } = await this.collect({
      ...options,
      dryRun: true,
      onVerdict(verdict) {
        if (verdict.kind === "ingest") {
          ingests.count++;
          ingests.bytes += verdict.size;
        }
        options.onVerdict?.(verdict);
      },
    });
    return {
      blobs: { count: kept.count + deleted.count, bytes: kept.bytes + deleted.bytes },
      ingests,
      names: [...this.names.list()].length,
      reclaimable: {
        count: deleted.count + droppedIngests.count,
        bytes: deleted.bytes + droppedIngests.bytes,
      },
    };
  }

  pathOf(digest: Digest): string | undefined {
    return this.blobs.pathOf(digest);
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    try {
      await this.blobs.close();
      for (const writes of [this.#writes, ...this.#begun]) writes[Symbol.dispose]();
    } finally {
      this.#parts.leasing.close();
      this.#parts.database.close();
      this.#parts.reserve?.restore();
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
