import { DrayError } from "../errors.ts";

/**
 * - `ARCHIVE_UNKNOWN`: no such folder or file
 * - `ARCHIVE_INVALID`: not a layout or archive, damaged, cut off, or hostile
 * - `ARCHIVE_UNSUPPORTED`: a version or content this form of archive can't hold
 * - `REFERENCE_UNKNOWN`: nothing in it has that name or digest
 * - `REFERENCE_AMBIGUOUS`: several images and no name to choose by, or one name for several images
 * - `REFERENCE_INVALID`: not a name an archive can record
 * - `UNREADABLE`, `UNWRITABLE`: the file system said no
 * - `BUSY`: another process keeps the layout's lock
 */
export type ArchiveErrorCode =
  | "ARCHIVE_UNKNOWN"
  | "ARCHIVE_INVALID"
  | "ARCHIVE_UNSUPPORTED"
  | "REFERENCE_UNKNOWN"
  | "REFERENCE_AMBIGUOUS"
  | "REFERENCE_INVALID"
  | "UNREADABLE"
  | "UNWRITABLE"
  | "BUSY";

export class ArchiveError extends DrayError<ArchiveErrorCode> {}

const STATES: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "operation not permitted",
  EROFS: "the file system is read-only",
  ENOSPC: "no space left",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file would be too large",
  ENOTDIR: "part of the path is not a folder",
  EISDIR: "it is a folder",
  EINVAL: "it is not a regular file",
  EMFILE: "too many open files",
  ELOOP: "too many symbolic links",
  ENAMETOOLONG: "the name is too long",
};

/** Turns a failure of the file system into ours; everything else passes through untouched. */
export function fileError(
  error: unknown,
  action: string,
  path: string,
  otherwise: "UNREADABLE" | "UNWRITABLE",
): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (error instanceof DrayError || typeof code !== "string" || !/^E[A-Z0-9]+$/.test(code)) return error;
  const quoted = JSON.stringify(path);
  if (code === "ENOENT" && otherwise === "UNREADABLE") {
    return new ArchiveError("ARCHIVE_UNKNOWN", `Cannot ${action} ${quoted}: no such file or folder`, {
      cause: error,
    });
  }
  const state = code === "ENOENT" ? "the folder does not exist" : (STATES[code] ?? code);
  return new ArchiveError(otherwise, `Cannot ${action} ${quoted}: ${state}`, { cause: error });
}
