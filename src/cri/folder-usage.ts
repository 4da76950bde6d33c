import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";

import type { SignalOptions } from "../oci/index.ts";

export interface FolderUsage {
  /** What the files take up on the disk, holes and all. */
  readonly bytes: number;
  /** Files and folders. */
  readonly inodes: number;
}

/** Counts what is in folders, themselves included; what goes away meanwhile doesn't count, nor does what isn't there. */
export async function measureFolders(
  folders: readonly string[],
  { signal }: SignalOptions = {},
): Promise<FolderUsage> {
  const total = { bytes: 0, inodes: 0 };
  const pending = [...folders];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    signal?.throwIfAborted();
    try {
      const { blocks } = await lstat(path);
      total.bytes += blocks * BLOCK;
      total.inodes++;
      const names: string[] = [];
      for await (const entry of await opendir(path)) {
        if (entry.isDirectory()) pending.push(join(path, entry.name));
        else names.push(entry.name);
      }
      for (const bytes of await Promise.all(names.map((name) => sizeOf(join(path, name))))) {
        if (bytes === undefined) continue;
        total.bytes += bytes;
        total.inodes++;
      }
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
  return total;
}

/** What `st_blocks` counts in, whatever the file system's own blocks are. */
const BLOCK = 512;

async function sizeOf(path: string): Promise<number | undefined> {
  try {
    return (await lstat(path)).blocks * BLOCK;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
