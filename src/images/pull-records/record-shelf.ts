import type { ImagePulledRecord, ImagePullIntent } from "./record.ts";

/** What a listing found. Files that can't be read don't hide the others. */
export interface Listing<T> {
  readonly records: readonly T[];
  readonly error?: Error | undefined;
}

/** Keeps records of one kind by their key: intents by image, pulled records by image reference. */
export interface RecordShelf<T> {
  /** In the order of their files' names. */
  list(): Promise<Listing<T>>;
  /** @throws ImagesError `RECORD_UNREADABLE` */
  find(key: string): Promise<T | undefined>;
  /** @throws ImagesError `RECORD_UNWRITABLE` */
  write(record: T): Promise<void>;
  /** Deleting what isn't there is no error. */
  delete(key: string): Promise<void>;
}

export interface PullRecords {
  readonly intents: RecordShelf<ImagePullIntent>;
  readonly pulled: RecordShelf<ImagePulledRecord>;
}
