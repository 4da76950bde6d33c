import type { Stats } from "node:fs";
import { lstat, opendir } from "node:fs/promises";
import { join } from "node:path";

import type { SignalOptions } from "../oci/index.ts";

export interface FolderUsage {
  /** What the files take up on the disk, holes and all. */
  readonly bytes: number;
  /** Files and folders. */
  readonly inodes: number;
}

/**
 * Counts what is in folders, themselves included, as `du` does: a file with several names once. What goes away
 * meanwhile doesn't count, nor does what isn't there.
 */
export async function measureFolders(
  folders: readonly string[],
  { signal }: SignalOptions = {},
): Promise<FolderUsage> {
  const total = { bytes: 0, inodes: 0 };
  const linked = new Set<string>();
  const count = ({ blocks, dev, ino, nlink }: Stats): void => {
    if (nlink > 1) {
      const key = `${dev}:${ino}`;
      if (linked.has(key)) return;
      linked.add(key);
    }
    total.bytes += blocks * BLOCK;
    total.inodes++;
  };
  const pending = [...folders];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    signal?.throwIfAborted();
    try {
      count(await lstat(path));
      const names: string[] = [];
      for await (const entry of await opendir(path)) {
        if (entry.isDirectory()) pending.push(join(path, entry.name));
        else names.push(entry.name);
      }
      const stats = await Promise.all(names.map((name) => look(join(path, name))));
      for (const one of stats) if (one !== undefined) count(one);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
  return total;
}

/** What `st_blocks` counts in, whatever the file system's own blocks are. */
const BLOCK = 512;

async function look(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function isGone(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
