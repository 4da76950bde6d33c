import { DrayError } from "../../errors.ts";
import type { StoredObject } from "./storage.ts";

/**
 * - `REVISION_CONFLICT`: somebody else wrote first
 * - `REVISION_COMPACTED`: that far back nothing is kept any more
 * - `CLOSED`: the storage was closed
 */
export type StorageErrorCode = "REVISION_CONFLICT" | "REVISION_COMPACTED" | "CLOSED";

export class StorageError extends DrayError<StorageErrorCode> {
  /** With `REVISION_CONFLICT`: what is there, if anything is. */
  readonly current: StoredObject | undefined;
  /** With `REVISION_COMPACTED`: the first revision that can be read. */
  readonly oldest: number | undefined;

  constructor(
    code: StorageErrorCode,
    message: string,
    options: {
      readonly current?: StoredObject | undefined;
      readonly oldest?: number | undefined;
      readonly cause?: unknown;
    } = {},
  ) {
    super(code, message, options);
    this.current = options.current;
    this.oldest = options.oldest;
  }
}

export function isConflict(error: unknown): boolean {
  return error instanceof StorageError && error.code === "REVISION_CONFLICT";
}
