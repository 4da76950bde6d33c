/**
 * Files that are whole or absent: written beside their place, made durable, renamed into it, and the folder made
 * durable too, since a rename is a change of the folder.
 */
import { randomUUID } from "node:crypto";
import { closeSync, fsync, openSync } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

export interface AtomicWriteOptions {
  /** Permission bits; 0o644, less the umask, by default. */
  readonly mode?: number | undefined;
}

/** Replaces the file `path` by `bytes`. Readers see the old content or the new one; after a crash, too. */
export async function writeFileAtomically(
  path: string,
  bytes: Uint8Array | string,
  options: AtomicWriteOptions = {},
): Promise<void> {
  const folder = dirname(path);
  const draft = join(folder, `.${basename(path)}.${randomUUID()}`);
  try {
    const file = await open(draft, "wx", options.mode ?? 0o644);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(draft, path);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

/** Makes what was created, renamed or deleted in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  // Windows has no such thing; there the file system journals renames by itself.
  if (process.platform === "win32") return;
  const fd = openSync(path, "r");
  try {
    await syncFile(fd);
  } finally {
    closeSync(fd);
  }
}

/** Makes the content of an open file durable, off the main thread. */
export function syncFile(fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    fsync(fd, (error) => (error === null ? resolve() : reject(error)));
  });
}

/**
 * Folder syncs that come together become one: a request waits for the first sync that begins after it, so a
 * hundred small blobs cost a few syncs.
 */
export class FolderSyncs {
  readonly #folders = new Map<string, { running: Promise<void>; next: Promise<void> | undefined }>();

  sync(path: string): Promise<void> {
    const folder = this.#folders.get(path);
    if (folder === undefined) {
      const entry = { running: this.#begin(path), next: undefined };
      this.#folders.set(path, entry);
      return entry.running;
    }
    // The running one may have begun before the caller's rename.
    return (folder.next ??= folder.running.then(
      () => this.sync(path),
      () => this.sync(path),
    ));
  }

  #begin(path: string): Promise<void> {
    return syncFolder(path).finally(() => this.#folders.delete(path));
  }
}
