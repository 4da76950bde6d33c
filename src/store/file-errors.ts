import { StoreError, type StoreErrorCode } from "./errors.ts";

const CODES: Readonly<Record<string, StoreErrorCode>> = {
  ENOSPC: "NO_SPACE",
  EDQUOT: "NO_SPACE",
  EFBIG: "NO_SPACE",
  EACCES: "UNWRITABLE",
  EPERM: "UNWRITABLE",
  EROFS: "UNWRITABLE",
  ENOTDIR: "UNWRITABLE",
  EEXIST: "UNWRITABLE",
  EISDIR: "UNWRITABLE",
  EMFILE: "UNWRITABLE",
  ENFILE: "UNWRITABLE",
  EIO: "UNWRITABLE",
};

const STATES: Readonly<Record<string, string>> = {
  ENOSPC: "no space left on the disk; free some, or collect with `dray gc`",
  EDQUOT: "the disk quota is used up; free some, or collect with `dray gc`",
  EFBIG: "the file system takes no file this large",
  EACCES: "permission denied",
  EPERM: "permission denied",
  EROFS: "the file system is read-only",
  ENOTDIR: "a file stands where a folder should be",
  EEXIST: "a file stands where a folder should be",
  EISDIR: "a folder stands where a file should be",
  EMFILE: "too many open files",
  ENFILE: "too many open files",
  EIO: "the disk reports an error",
};

/** Says in our words what the system refused; what is no failure of the file system stays what it is. */
export function writeError(action: string, path: string, error: unknown): unknown {
  return translate(action, path, error, CODES);
}

export function readError(action: string, path: string, error: unknown): unknown {
  return translate(action, path, error, {});
}

export function isMissing(error: unknown): boolean {
  return systemCode(error) === "ENOENT";
}

export function systemCode(error: unknown): string | undefined {
  return error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : undefined;
}

function translate(
  action: string,
  path: string,
  error: unknown,
  codes: Readonly<Record<string, StoreErrorCode>>,
): unknown {
  const system = systemCode(error);
  const state = system === undefined ? undefined : STATES[system];
  if (system === undefined || state === undefined) return error;
  const message = `Cannot ${action} ${JSON.stringify(path)}: ${state}`;
  return new StoreError(codes[system] ?? "UNREADABLE", message, { cause: error });
}
