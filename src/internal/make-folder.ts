import { mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

export interface MakeFolderOptions {
  /** Permission bits of what is made, less the umask; 0o777 by default. */
  readonly mode?: number | undefined;
}

/**
 * Makes a folder and those above it, where they're missing. Returns the topmost one that was made.
 *
 * Node's own `recursive` tries forever where the system says ENOENT though the folder above is there, as it does in
 * /proc.
 */
export function makeFolder(path: string, options: MakeFolderOptions = {}): string | undefined {
  const missing: string[] = [];
  for (let folder = resolve(path); !isFolder(folder); folder = dirname(folder)) missing.push(folder);
  let first: string | undefined;
  for (const folder of missing.reverse()) {
    try {
      mkdirSync(folder, { mode: options.mode });
      first ??= folder;
    } catch (error) {
      // Another process may have been faster; a file in the way is a failure.
      if ((error as NodeJS.ErrnoException).code !== "EEXIST" || !isFolder(folder)) throw error;
    }
  }
  return first;
}

/** A file counts as missing here, so that making the folder says what stands in the way. */
function isFolder(path: string): boolean {
  try {
    return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
  } catch (error) {
    // A file further up.
    if ((error as NodeJS.ErrnoException).code === "ENOTDIR") return false;
    throw error;
  }
}
