/**
 * Where an image is unpacked until it is complete: beside its place, so that it gets there by being renamed.
 *
 * ```text
 * images/.dray-unpack-Xa41bc/
 *   lock       held for as long as somebody works here
 *   root/      becomes images/NAME
 *   layer-3    fetched before its turn
 *   old/       what was in the place, while it is replaced
 *   place      NAME, for whoever finds old/ after a crash
 * images/NAME/
 * ```
 *
 * A process that dies leaves a folder that nobody holds the lock of. Whoever unpacks next beside it clears it away.
 */
import { chmodSync, existsSync, lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync } from "node:fs";
import { realpathSync, renameSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";

import { FileLock } from "../internal/file-lock.ts";
import { makeFolder } from "../internal/make-folder.ts";
import { fileError, UnpackError } from "./errors.ts";
import { removeTreeSlowly } from "./remove-tree.ts";

const PREFIX = ".dray-unpack-";
/** Somebody who clears away may take a folder for left behind in the moment before it is locked. */
const TRIES = 10;

export class Staging implements AsyncDisposable {
  readonly #folder: string;
  readonly #place: string;
  readonly #lock: FileLock;
  readonly #replace: boolean;

  private constructor(
    folder: string,
    place: string,
    { lock, replace }: { lock: FileLock; replace: boolean },
  ) {
    this.#folder = folder;
    this.#place = place;
    this.#lock = lock;
    this.#replace = replace;
  }

  /**
   * Prepares to fill a place: nothing, or an empty folder; with `replace`, any folder.
   *
   * @throws UnpackError `FOLDER_OCCUPIED`, `UNWRITABLE`, `NO_SPACE`
   */
  static async open(
    target: string,
    { replace = false }: { readonly replace?: boolean } = {},
  ): Promise<Staging> {
    const place = existsSync(target) ? realpathSync(target) : resolve(target);
    const parent = dirname(place);
    try {
      assertFree(place, replace);
      makeFolder(parent);
      await clearAway(parent);
      const { folder, lock } = lockedFolder(parent);
      const root = join(folder, "root");
      mkdirSync(root);
      chmodSync(root, 0o755);
      return new Staging(folder, place, { lock, replace });
    } catch (error) {
      throw fileError("unpack into", target, error);
    }
  }

  /** Filled by the caller. */
  get root(): string {
    return join(this.#folder, "root");
  }

  /** For what is needed until the root is complete. */
  file(name: string): string {
    return join(this.#folder, name);
  }

  /**
   * Puts the root into its place.
   *
   * @throws UnpackError `FOLDER_OCCUPIED` when somebody else was there meanwhile
   */
  publish(): void {
    const old = join(this.#folder, "old");
    try {
      if (this.#replace && existsSync(this.#place)) {
        writeFileSync(join(this.#folder, "place"), basename(this.#place));
        renameSync(this.#place, old);
      }
      renameSync(this.root, this.#place);
    } catch (error) {
      restore(this.#folder);
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOTEMPTY" || code === "EEXIST" || code === "ENOTDIR")
        throw occupied(this.#place, "it is not empty");
      if (code === "EBUSY" || code === "EXDEV") {
        throw occupied(this.#place, "it is a mount point; a folder inside of it will do");
      }
      throw fileError("unpack into", this.#place, error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await removeTreeSlowly(this.#folder);
    } finally {
      this.#lock.release();
    }
  }
}

function assertFree(place: string, replace: boolean): void {
  if (dirname(place) === place) throw occupied(place, "it is the root of everything");
  const stat = lstatSync(place, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isDirectory()) throw occupied(place, "it is not a folder");
  if (!replace && readdirSync(place).length > 0) throw occupied(place, "it is not empty");
}

/** Removes what processes that died have left here. */
async function clearAway(parent: string): Promise<void> {
  for (const name of readdirSync(parent)) {
    if (!name.startsWith(PREFIX)) continue;
    const folder = join(parent, name);
    if (lstatSync(folder, { throwIfNoEntry: false })?.isDirectory() !== true) continue;
    // Somebody else's may not even be looked into; it is theirs to clear away.
    if (process.geteuid !== undefined && statSync(folder).uid !== process.geteuid()) continue;
    using lock = tryLock(folder);
    if (lock === undefined) continue;
    restore(folder);
    await removeTreeSlowly(folder);
  }
}

/** Brings back what was to be replaced, where the new thing never came. */
function restore(folder: string): void {
  const old = join(folder, "old");
  if (!existsSync(old)) return;
  const place = join(dirname(folder), readFileSync(join(folder, "place"), "utf8"));
  if (!existsSync(place)) renameSync(old, place);
}

function lockedFolder(parent: string): { readonly folder: string; readonly lock: FileLock } {
  for (let tries = 0; tries < TRIES; tries++) {
    const folder = mkdtempSync(join(parent, PREFIX));
    const lock = tryLock(folder);
    if (lock !== undefined && existsSync(folder)) return { folder, lock };
    lock?.release();
  }
  throw new UnpackError(
    "UNWRITABLE",
    `Cannot unpack into ${JSON.stringify(parent)}: no folder can be locked there`,
  );
}

function tryLock(folder: string): FileLock | undefined {
  try {
    return FileLock.tryAcquire(join(folder, "lock"));
  } catch (error) {
    // Somebody was faster, and it is gone.
    if (!existsSync(folder)) return undefined;
    throw error;
  }
}

function occupied(place: string, why: string): UnpackError {
  return new UnpackError("FOLDER_OCCUPIED", `Cannot unpack into ${JSON.stringify(place)}: ${why}`);
}
