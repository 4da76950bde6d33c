import { DrayError } from "../errors.ts";

/**
 * - `ARCHIVE_INVALID`: a layer that is no tar, is cut off, or has an entry that can't be meant
 * - `ARCHIVE_UNSUPPORTED`: an entry of a kind, or a compression, that nobody unpacks
 * - `LIMIT_EXCEEDED`: more bytes, entries, depth or attributes than allowed, or bytes out of nearly nothing
 * - `IMAGE_INVALID`: a manifest and a config that don't belong together, or that are no image's
 * - `FOLDER_OCCUPIED`: something is where the image should go
 * - `FOLDER_UNSUITABLE`: a file system, or an operating system, on which names would not stay what they are
 * - `UNWRITABLE`, `NO_SPACE`: the file system said no
 * - `LEFT_OUT`: something couldn't be set, and leaving it out was forbidden
 */
export type UnpackErrorCode =
  | "ARCHIVE_INVALID"
  | "ARCHIVE_UNSUPPORTED"
  | "LIMIT_EXCEEDED"
  | "IMAGE_INVALID"
  | "FOLDER_OCCUPIED"
  | "FOLDER_UNSUITABLE"
  | "UNWRITABLE"
  | "NO_SPACE"
  | "LEFT_OUT";

export class UnpackError extends DrayError<UnpackErrorCode> {}

const FULL: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"]);

/** A failure of the file system about one path; everything else passes through untouched. */
export function fileError(action: string, path: string, error: unknown): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (error instanceof DrayError || typeof code !== "string" || !/^E[A-Z0-9]+$/.test(code)) return error;
  const full = FULL.has(code);
  const why = full ? "no space left" : (WORDS[code] ?? code);
  return new UnpackError(
    full ? "NO_SPACE" : "UNWRITABLE",
    `Cannot ${action} ${JSON.stringify(path)}: ${why}`,
    { cause: error },
  );
}

const WORDS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EPERM: "not permitted",
  EROFS: "the file system is read-only",
  EMFILE: "too many open files",
  ENOENT: "it does not exist",
  ENOTDIR: "a part of the path is not a folder",
  EEXIST: "it exists already",
  EINVAL: "the system refuses the value",
};
