/** Keep verified blobs, and the names that point at them. */
export { type BlobInfo, type BlobStore, TOUCH_INTERVAL } from "./blob-store.ts";
export { type DeleteOptions, type FindOptions } from "./blob-store.ts";
export { type Ingest, type IngestInfo, type IngestOptions } from "./blob-store.ts";
export { StoreError, type StoreErrorCode } from "./errors.ts";
export { FileBlobStore, type FileStoreOptions } from "./file-store.ts";
export { MemoryBlobStore, type MemoryStoreOptions } from "./memory-store.ts";
export { type Lease, type LeaseStore, type NamedImage, type NameStore } from "./names.ts";
export { type CollectOptions, type CollectReason, type CollectResult, type CollectVerdict } from "./store.ts";
export { type Store, type StoreOptions, type Tally, type Usage } from "./store.ts";
