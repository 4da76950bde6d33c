/**
 * Collection in three steps: mark what names, leases and recent use lead to; delete documents that were not
 * reached, parents first; delete the rest.
 *
 * Others go on working meanwhile. Names and leases may change while we mark, so every batch is deleted inside a
 * transaction that first makes sure they didn't; if they did, what they now lead to is marked and the batch tried
 * again. Content that somebody finds and counts on is touched by that, and `deleteNow` spares what was touched.
 * Documents go before what they point at, so that finding a document means that its content is still there.
 */
import type { Database } from "../internal/sqlite.ts";
import type { Digest } from "../oci/index.ts";
import type { BlobInfo, BlobStore, DeleteOptions } from "./blob-store.ts";
import { StoreError } from "./errors.ts";
import { Marks } from "./marks.ts";
import type { LeaseStore, NameStore } from "./names.ts";
import type { CollectOptions, CollectReason, CollectResult, CollectVerdict } from "./store.ts";

const GRACE = 10 * 60 * 1000;
const INGEST_AGE = 7 * 24 * 60 * 60 * 1000;
const BATCH = 64;
/** Each costs the marking of what is new; a store this busy is better collected another time. */
const ATTEMPTS = 100;

/** A store that can delete inside a transaction. */
export interface CollectableBlobs extends BlobStore {
  deleteNow(digest: Digest, options: DeleteOptions): boolean;
}

export interface CollectScope {
  readonly blobs: CollectableBlobs;
  readonly names: NameStore;
  readonly leases: LeaseStore;
  /** Holds names and leases. */
  readonly database: Database;
  readonly now: () => number;
}

export async function collect(scope: CollectScope, options: CollectOptions): Promise<CollectResult> {
  const collection = new Collection(scope, options);
  const tallies = { kept: tally(), deleted: tally(), droppedIngests: tally() };
  for await (const verdict of collection.run()) {
    const { kind, keep, size } = verdict;
    if (kind === "blob") count(keep ? tallies.kept : tallies.deleted, size);
    else if (!keep) count(tallies.droppedIngests, size);
    options.onVerdict?.(verdict);
  }
  return tallies;
}

class Collection {
  readonly #scope: CollectScope;
  readonly #options: CollectOptions;
  readonly #marks: Marks;
  /** Nothing touched after this time goes. */
  readonly #unusedSince: number;
  #revision = "";

  constructor(scope: CollectScope, options: CollectOptions) {
    this.#scope = scope;
    this.#options = options;
    this.#marks = new Marks(scope.blobs, options.signal);
    this.#unusedSince = scope.now() - (options.grace ?? GRACE);
  }

  async *run(): AsyncIterable<CollectVerdict> {
    await this.#markRoots();
    const blobs = await Array.fromAsync(this.#scope.blobs.list({ signal: this.#options.signal }));
    for (const blob of blobs) {
      if (this.#marks.reasonFor(blob.digest) === undefined) await this.#marks.consider(blob.digest);
    }
    for (const blob of blobs) {
      if (blob.time > this.#unusedSince) await this.#marks.reach(blob.digest, "recent");
    }
    const unmarked = blobs.filter((blob) => this.#marks.reasonFor(blob.digest) === undefined);
    const { documents, others } = await this.#parentsFirst(unmarked);
    const deleted = new Set<Digest>();
    await this.#sweep(documents, deleted);
    await this.#sweep(others, deleted);
    for (const { digest, size } of blobs) {
      const keep = !deleted.has(digest);
      const reason = keep ? (this.#marks.reasonFor(digest) ?? "recent") : "unreferenced";
      yield { kind: "blob", id: digest, size, keep, reason };
    }
    yield* this.#dropIngests();
  }

  async #markRoots(): Promise<void> {
    const { names, leases, database } = this.#scope;
    // Taken before reading: a change in between is then seen as one.
    this.#revision = database.revision();
    const roots: [Digest, CollectReason][] = [];
    for (const image of names.list()) roots.push([image.target.digest, "reached"]);
    for (const root of this.#options.roots?.() ?? []) roots.push([root.digest, "reached"]);
    for (const digest of leases.listDigests()) roots.push([digest, "leased"]);
    for (const [digest, reason] of roots) await this.#marks.reach(digest, reason);
  }

  /** Splits into documents, each before those it points at, and the rest. */
  async #parentsFirst(blobs: readonly BlobInfo[]): Promise<{ documents: BlobInfo[]; others: BlobInfo[] }> {
    const known = new Map(blobs.map((blob) => [blob.digest, blob]));
    const documents: BlobInfo[] = [];
    const others: BlobInfo[] = [];
    const seen = new Set<Digest>();
    const visit = async (blob: BlobInfo): Promise<void> => {
      if (seen.has(blob.digest)) return;
      seen.add(blob.digest);
      const links = await this.#marks.linksOf(blob.digest);
      if (links === undefined) {
        others.push(blob);
        return;
      }
      for (const child of links.documents) {
        const info = known.get(child);
        if (info !== undefined) await visit(info);
      }
      documents.push(blob);
    };
    for (const blob of blobs) await visit(blob);
    return { documents: documents.toReversed(), others };
  }

  async #sweep(blobs: readonly BlobInfo[], deleted: Set<Digest>): Promise<void> {
    for (let at = 0; at < blobs.length; at += BATCH) {
      const batch = blobs.slice(at, at + BATCH);
      for (let attempt = 1; !this.#deleteBatch(batch, deleted); attempt++) {
        this.#options.signal?.throwIfAborted();
        if (attempt === ATTEMPTS) {
          throw new StoreError("BUSY", "Cannot collect: names and leases keep changing; try again later");
        }
        await this.#markRoots();
      }
      for (const { digest } of batch) {
        // Somebody touched it: then what it leads to counts as used, too.
        if (!deleted.has(digest)) await this.#marks.reach(digest, "recent");
      }
    }
  }

  /** Deletes what is still unmarked; `false` when names or leases changed since they were marked. */
  #deleteBatch(batch: readonly BlobInfo[], deleted: Set<Digest>): boolean {
    const { blobs, database } = this.#scope;
    const isUnmarked = ({ digest }: BlobInfo): boolean =>
      !deleted.has(digest) && this.#marks.reasonFor(digest) === undefined;
    if (this.#options.dryRun === true) {
      for (const blob of batch.filter(isUnmarked)) deleted.add(blob.digest);
      return true;
    }
    return database.transaction(() => {
      if (database.revision() !== this.#revision) return false;
      for (const { digest } of batch.filter(isUnmarked)) {
        if (blobs.deleteNow(digest, { unusedSince: this.#unusedSince })) deleted.add(digest);
      }
      return true;
    });
  }

  async *#dropIngests(): AsyncIterable<CollectVerdict> {
    const { blobs, now } = this.#scope;
    const unusedSince = now() - (this.#options.ingestAge ?? INGEST_AGE);
    for await (const ingest of blobs.listIngests({ signal: this.#options.signal })) {
      let keep = ingest.time > unusedSince;
      if (!keep && this.#options.dryRun !== true) keep = !(await this.#dropIngest(ingest.key, unusedSince));
      const reason = keep ? "unfinished" : "expired";
      yield { kind: "ingest", id: ingest.key, size: ingest.offset, keep, reason };
    }
  }

  async #dropIngest(key: string, unusedSince: number): Promise<boolean> {
    try {
      return await this.#scope.blobs.deleteIngest(key, { unusedSince });
    } catch (error) {
      if (error instanceof StoreError && error.code === "INGEST_BUSY") return false;
      throw error;
    }
  }
}

function tally(): { count: number; bytes: number } {
  return { count: 0, bytes: 0 };
}

function count(to: { count: number; bytes: number }, size: number): void {
  to.count++;
  to.bytes += size;
}
