/**
 * A unix socket in the file system, owned by one process at a time.
 *
 * ```text
 * cri.sock        the socket; it appears by a rename, with its mode and owner
 * cri.sock.lock   held by who serves; the kernel lets go of it when that process dies, however it dies
 * ```
 *
 * A socket that a killed process left behind is replaced. One on which somebody answers is left alone, whether or not
 * they know of the lock.
 */
import { chmodSync, chownSync, lstatSync, mkdtempSync, renameSync, rmSync, type Stats } from "node:fs";
import { connect, type Server } from "node:net";
import { dirname, join } from "node:path";

import { FileLock } from "../internal/file-lock.ts";
import { makeFolder } from "../internal/make-folder.ts";
import { CriError } from "./errors.ts";

export interface SocketOptions {
  readonly path: string;
  /** Permission bits; 0o600 by default. */
  readonly mode?: number | undefined;
  /** Who may open it, by number; the process's own user and group by default. */
  readonly owner?: { readonly uid: number; readonly gid: number } | undefined;
}

/** What ends it: the server takes nothing new, and the path is free. */
export type Unbind = () => void;

/** The longest path that fits into a socket's address, on Linux. */
const MAX_PATH = 107;

/** @throws CriError `SOCKET_IN_USE`, `SOCKET_UNUSABLE` */
export async function bindSocket(server: Server, options: SocketOptions): Promise<Unbind> {
  const { path, mode = 0o600, owner } = options;
  makeFolder(dirname(path));
  const lock = acquire(path);
  try {
    await refuseLive(path);
    const folder = mkdtempSync(`${dirname(path)}/.`);
    try {
      // Where nobody else may look: until it is renamed nobody finds it with another mode or owner.
      const hidden = join(folder, "s");
      if (Math.max(Buffer.byteLength(hidden), Buffer.byteLength(path)) > MAX_PATH) {
        throw unusable(path, `its path is longer than the ${MAX_PATH} bytes a socket's may have`);
      }
      await listen(server, hidden);
      chmodSync(hidden, mode);
      if (owner !== undefined) chownSync(hidden, owner.uid, owner.gid);
      renameSync(hidden, path);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
    const own = lstatSync(path);
    return () => {
      const now = look(path);
      if (now !== undefined && now.ino === own.ino && now.dev === own.dev) rmSync(path, { force: true });
      lock.release();
    };
  } catch (error) {
    server.close();
    lock.release();
    if (error instanceof CriError) throw error;
    throw unusable(path, error instanceof Error ? error.message : String(error), error);
  }
}

function acquire(path: string): FileLock {
  let lock: FileLock | undefined;
  try {
    lock = FileLock.tryAcquire(`${path}.lock`);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw unusable(path, `its lock can't be made beside it: ${why}`, error);
  }
  if (lock !== undefined) return lock;
  throw inUse(path);
}

/** A socket without anybody behind it goes with the rename; anything else at this path isn't ours to replace. */
async function refuseLive(path: string): Promise<void> {
  const found = look(path);
  if (found === undefined) return;
  if (!found.isSocket())
    throw unusable(path, `there is a ${found.isDirectory() ? "folder" : "file that is no socket"}`);
  if (await answers(path)) throw inUse(path);
}

/** Somebody may be behind it if we aren't allowed to ask. */
function answers(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error: NodeJS.ErrnoException) => {
      resolve(error.code !== "ECONNREFUSED" && error.code !== "ENOENT");
    });
  });
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, () => {
      server.off("error", reject);
      resolve();
    });
  });
}

function look(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function inUse(path: string): CriError {
  return new CriError("SOCKET_IN_USE", `Cannot serve on ${JSON.stringify(path)}: somebody serves there`);
}

function unusable(path: string, why: string, cause?: unknown): CriError {
  return new CriError("SOCKET_UNUSABLE", `Cannot serve on ${JSON.stringify(path)}: ${why}`, { cause });
}
