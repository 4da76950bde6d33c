/** Keep verified blobs, and the names that point at them. */
export {
  type BlobInfo,
  type BlobStore,
  type Ingest,
  type IngestInfo,
  type IngestOptions,
} from "./blob-store.ts";
export { type Lease, type LeaseStore, type NamedImage, type NameStore } from "./names.ts";
