import { chmodSync, closeSync, constants, openSync, readdirSync, rmdirSync, unlinkSync } from "node:fs";
import { setImmediate } from "node:timers/promises";

import { toFsPath } from "./byte-path.ts";

const OPEN_FOLDER = constants.O_RDONLY | (constants.O_DIRECTORY ?? 0) | (constants.O_NOFOLLOW ?? 0);
/** Folders removed before others get a turn. */
const BATCH = 64;

/**
 * Removes a file, a link or a whole folder, whatever its names are made of; links are removed, never followed. What
 * isn't there is as good as removed.
 */
export function removeTree(path: string): void {
  for (const _ of removing(path));
}

/** The same for large trees where somebody else waits for a turn. */
export async function removeTreeSlowly(path: string): Promise<void> {
  let count = 0;
  for (const _ of removing(path)) if (++count % BATCH === 0) await setImmediate();
}

/** Yields after each folder. */
function* removing(path: string): Generator<void> {
  const fsPath = toFsPath(path);
  try {
    unlinkSync(fsPath);
    return;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") return;
    // POSIX has EPERM for folders, Linux EISDIR.
    if (code !== "EISDIR" && code !== "EPERM") throw error;
    if (code === "EPERM" && !isFolder(fsPath)) throw error;
  }
  const fd = openFolder(fsPath);
  try {
    const names = readdirSync(`/proc/self/fd/${fd}`, "buffer");
    for (const name of names) yield* removing(`/proc/self/fd/${fd}/${name.toString("latin1")}`);
  } finally {
    closeSync(fd);
  }
  rmdirSync(fsPath);
  yield;
}

/** Without root's rights, a folder that nobody may read or change has to be opened up before it can be emptied. */
function openFolder(path: string | Buffer): number {
  try {
    const fd = openSync(path, OPEN_FOLDER);
    if (process.geteuid?.() !== 0) chmodSync(`/proc/self/fd/${fd}`, 0o700);
    return fd;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EACCES") throw error;
    const fd = openSync(path, O_PATH | OPEN_FOLDER);
    try {
      chmodSync(`/proc/self/fd/${fd}`, 0o700);
    } finally {
      closeSync(fd);
    }
    return openSync(path, OPEN_FOLDER);
  }
}

function isFolder(path: string | Buffer): boolean {
  try {
    closeSync(openSync(path, O_PATH | OPEN_FOLDER));
    return true;
  } catch {
    return false;
  }
}

/** A handle on whatever has the name, without opening it; Node has no word for it. */
export const O_PATH: number = 0o10000000;
