import { DrayError } from "../errors.ts";

/**
 * - `CONTEXT_UNKNOWN`: the folder, or something a copy rule names in it, doesn't exist
 * - `CONTEXT_UNREADABLE`: the file system said no
 * - `CONTEXT_CHANGED`: a file changed while it was read, so the layer would be neither the old nor the new
 * - `COPY_INVALID`: a rule that leads outside, or two rules that contradict each other
 * - `CONFIG_INVALID`: an option that no image can have
 * - `BASE_INVALID`: the base is not an image for a platform
 * - `UNSUPPORTED`: a combination the chosen media types can't express
 * - `UNWRITABLE`: no room for the layer while it is made
 */
export type BuildErrorCode =
  | "CONTEXT_UNKNOWN"
  | "CONTEXT_UNREADABLE"
  | "CONTEXT_CHANGED"
  | "COPY_INVALID"
  | "CONFIG_INVALID"
  | "BASE_INVALID"
  | "UNSUPPORTED"
  | "UNWRITABLE";

export class BuildError extends DrayError<BuildErrorCode> {}

/** A failure of the file system while reading the context; everything else passes through untouched. */
export function contextError(error: unknown, path: string): unknown {
  const { code } = error as NodeJS.ErrnoException;
  if (error instanceof DrayError || typeof code !== "string" || !/^E[A-Z0-9]+$/.test(code)) return error;
  const quoted = JSON.stringify(path);
  if (code === "ENOENT") {
    return new BuildError("CONTEXT_UNKNOWN", `Cannot read ${quoted}: no such file or folder`, {
      cause: error,
    });
  }
  const state = code === "EACCES" || code === "EPERM" ? "permission denied" : code;
  return new BuildError("CONTEXT_UNREADABLE", `Cannot read ${quoted}: ${state}`, { cause: error });
}
