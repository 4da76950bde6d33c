import { DrayError } from "../errors.ts";

/**
 * - `NAME_UNKNOWN`: no image of that name is kept here
 * - `INGEST_BUSY`: another writer, of this process or another, holds the ingest
 * - `INGEST_INVALID`: a key that is empty or too long, or an ingest used after its end
 * - `BUSY`: others changed the store again and again while it was being collected
 * - `NO_SPACE`: the disk, or the quota on it, is full; what was there before is untouched
 * - `UNWRITABLE`: a file or folder that we may not, or cannot, create or change
 * - `UNREADABLE`: a file that we may not, or cannot, read
 * - `CLOSED`: the store was closed
 */
export type StoreErrorCode =
  | "NAME_UNKNOWN"
  | "INGEST_BUSY"
  | "INGEST_INVALID"
  | "BUSY"
  | "NO_SPACE"
  | "UNWRITABLE"
  | "UNREADABLE"
  | "CLOSED";

export class StoreError extends DrayError<StoreErrorCode> {}
