/**
 * Keep verified blobs, and the names that point at them.
 *
 * ```text
 * <folder>/blobs/<algorithm>/<hex>   complete, verified, durable, read-only: an OCI image layout's shape
 * <folder>/ingest/                   on its way in; survives the process and is continued by the next
 * <folder>/dray.db                   names and leases (SQLite)
 * <folder>/reserve                   room that is given up on a full disk, to write down what is removed
 * ```
 *
 * Any number of processes may have the folder open. What no name, lease or recent use leads to is deleted by
 * `collect()`.
 *
 * ```ts
 * import { openStore } from "dray/store";
 *
 * await using store = await openStore("/tmp/dray-example");
 * for (const image of store.names.list()) console.log(image.name, image.target.digest);
 * const { deleted } = await store.collect();
 * console.log(`${deleted.bytes} bytes freed`);
 * ```
 */
export { type BlobInfo, type BlobStore, TOUCH_INTERVAL } from "./blob-store.ts";
export { type ChunkOptions, type DeleteOptions, type FindOptions } from "./blob-store.ts";
export { type Ingest, type IngestFile, type IngestInfo, type IngestOptions } from "./blob-store.ts";
export { StoreError, type StoreErrorCode } from "./errors.ts";
export { FileBlobStore, type FileStoreOptions } from "./file-store.ts";
export { MemoryBlobStore, type MemoryStoreOptions } from "./memory-store.ts";
export { type Lease, type LeaseStore, type NamedImage, type NameStore } from "./names.ts";
export { openMemoryStore, openStore } from "./open-store.ts";
export { type CollectOptions, type CollectReason, type CollectResult, type CollectVerdict } from "./store.ts";
export { type Store, type StoreOptions, type Tally, type Usage } from "./store.ts";
