import { chmodSync, chownSync, closeSync, constants, fchmodSync, fchownSync, fstatSync } from "node:fs";
import { futimesSync, lchownSync, linkSync, lutimesSync, mkdirSync, openSync, symlinkSync } from "node:fs";
import { utimesSync } from "node:fs";

import type { TarEntry } from "../internal/tar-header.ts";
import type { NodeType } from "./attribute-helper.ts";
import { toByteString, toFsPath } from "./byte-path.ts";
import { fileError, UnpackError } from "./errors.ts";
import { type Folder, type FolderTree, pathOf } from "./folder-tree.ts";
import type { LayerApplierOptions } from "./layer-applier.ts";
import { O_PATH } from "./remove-tree.ts";
import { parseTarTime } from "./tar-time.ts";

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_WRONLY } = constants;
const SETUID = 0o6000;

interface Times {
  readonly atime: number;
  readonly mtime: number;
}

/** Makes one entry in a folder that is known, and gives it what it should have. */
export class EntryWriter {
  readonly #tree: FolderTree;
  readonly #options: LayerApplierOptions;

  constructor(options: LayerApplierOptions) {
    this.#tree = options.tree;
    this.#options = options;
  }

  /** A new, empty file that nobody else may read yet. */
  createFile(folder: Folder, name: string): number {
    const create = (): number =>
      openSync(this.#tree.at(folder, name), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
    return this.#replacing(folder, name, create);
  }

  createLink(target: { readonly folder: Folder; readonly name: string }, folder: Folder, name: string): void {
    const create = (): void => {
      const from = this.#tree.at(target.folder, target.name);
      linkSync(from, this.#tree.at(folder, name));
    };
    try {
      this.#replacing(folder, name, create);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT" && code !== "EPERM") throw error;
      const why = code === "ENOENT" ? "does not exist" : "takes no further name";
      throw new UnpackError(
        "ARCHIVE_INVALID",
        `Cannot unpack ${quote(folder, name)}: it links to ${quote(target.folder, target.name)}, which ${why}`,
        { cause: error },
      );
    }
  }

  /** Folders, symbolic links, devices and pipes; `false` when that is left out. */
  async createOther(entry: TarEntry, folder: Folder, name: string): Promise<boolean> {
    if (entry.type === "directory") this.#createFolder(folder, name);
    else if (entry.type === "symlink") {
      const target = toFsPath(toByteString(entry.linkName, entry.rawLinkName));
      this.#replacing(folder, name, () => symlinkSync(target, this.#tree.at(folder, name)));
    } else return await this.#createNode(entry, entry.type as NodeType, folder, name);
    return true;
  }

  /** A file's metadata, through its own descriptor. */
  finishFile(fd: number, entry: TarEntry, folder: Folder, name: string): void | Promise<void> {
    const owned = this.#setOwner(entry, folder, name, (uid, gid) => fchownSync(fd, uid, gid));
    const rest = (): void => {
      fchmodSync(fd, this.#modeOf(entry, owned, folder, name));
      const { atime, mtime } = timesOf(entry);
      futimesSync(fd, atime, mtime);
    };
    if (entry.xattrs === undefined) return rest();
    return this.#setXattrs(entry, folder, name).then(rest);
  }

  /** The metadata of anything else that has just been made. */
  async setMetadata(entry: TarEntry, folder: Folder, name: string): Promise<void> {
    if (entry.type === "directory") return await this.#setFolderMetadata(entry, folder, name);
    // A handle on what was made: whatever takes its name meanwhile, this goes to the right one.
    const fd = openSync(this.#tree.at(folder, name), O_PATH | O_NOFOLLOW);
    try {
      const isLink = fstatSync(fd).isSymbolicLink();
      const self = `/proc/self/fd/${fd}`;
      const owned = this.#setOwner(entry, folder, name, (uid, gid) => {
        if (isLink) lchownSync(this.#tree.at(folder, name), uid, gid);
        else chownSync(self, uid, gid);
      });
      if (entry.xattrs !== undefined) await this.#setXattrs(entry, folder, name);
      const { atime, mtime } = timesOf(entry);
      if (isLink) lutimesSync(this.#tree.at(folder, name), atime, mtime);
      else {
        chmodSync(self, this.#modeOf(entry, owned, folder, name));
        utimesSync(self, atime, mtime);
      }
    } finally {
      closeSync(fd);
    }
  }

  /**
   * Sets one attribute, or notes why it can't be.
   *
   * @throws UnpackError for a refusal that nobody has to expect
   */
  async setXattr(folder: Folder, name: string, xattr: XattrToSet): Promise<void> {
    const helper = this.#options.helper();
    const { key, value, plain } = xattr;
    const outcome =
      helper === undefined
        ? "ENOSYS"
        : await helper.setXattr(this.#tree.atFromOutside(folder, name), key, value);
    if (outcome === undefined) return;
    const refused = outcome === "EPERM" || outcome === "EACCES";
    // The kernel lets users' attributes be on files and folders alone; nobody misses them elsewhere.
    if (refused && key.startsWith("user.") && !plain) return;
    const reason = REASONS[outcome] ?? (refused && !this.#options.powers.privileged ? NEEDS_ROOT : undefined);
    if (reason === undefined) {
      const what = `set extended attribute ${JSON.stringify(key)} of`;
      throw fileError(what, pathOf(folder, name), Object.assign(new Error(outcome), { code: outcome }));
    }
    this.#options.leftOut.add({ what: "extended attribute", name: key, reason, path: pathOf(folder, name) });
  }

  #createFolder(folder: Folder, name: string): void {
    try {
      mkdirSync(this.#tree.at(folder, name), 0o700);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      if (this.#isFolder(folder, name)) return;
      this.#tree.remove(folder, name);
      mkdirSync(this.#tree.at(folder, name), 0o700);
    }
    this.#tree.add(folder, name);
  }

  /** A folder that is there is remembered as one. */
  #isFolder(folder: Folder, name: string): boolean {
    if (folder.children.has(name)) return true;
    const fd = openSync(this.#tree.at(folder, name), O_PATH | O_NOFOLLOW);
    try {
      if (!fstatSync(fd).isDirectory()) return false;
    } finally {
      closeSync(fd);
    }
    this.#tree.add(folder, name);
    return true;
  }

  async #createNode(entry: TarEntry, type: NodeType, folder: Folder, name: string): Promise<boolean> {
    const { powers, leftOut } = this.#options;
    this.#tree.remove(folder, name);
    const leave = (reason: string): false => {
      leftOut.add({ what: "device", reason, path: pathOf(folder, name) });
      return false;
    };
    if (type !== "fifo" && !powers.devices) {
      return leave(powers.privileged ? "no devices can be made inside a user namespace" : NEEDS_ROOT);
    }
    const helper = this.#options.helper();
    if (helper === undefined) return leave(NO_PROGRAM);
    const request = { type, major: entry.deviceMajor, minor: entry.deviceMinor };
    const outcome = await helper.makeNode(this.#tree.atFromOutside(folder, name), request);
    if (outcome === undefined) return true;
    if (outcome === "ENOSYS") return leave(NO_PROGRAM);
    throw Object.assign(new Error(outcome), { code: outcome });
  }

  async #setFolderMetadata(entry: TarEntry, parent: Folder, name: string): Promise<void> {
    const folder = this.#tree.add(parent, name);
    const owned = this.#setOwner(entry, parent, name, (uid, gid) =>
      chownSync(this.#tree.self(folder), uid, gid),
    );
    if (entry.xattrs !== undefined) await this.#setXattrs(entry, parent, name);
    this.#tree.setMode(folder, this.#modeOf(entry, owned, parent, name));
    folder.times = timesOf(entry);
  }

  /** Whether the entry has the owner it names. */
  #setOwner(
    entry: TarEntry,
    folder: Folder,
    name: string,
    chown: (uid: number, gid: number) => void,
  ): boolean {
    const { sameOwner, powers, leftOut } = this.#options;
    const own = entry.uid === powers.uid && entry.gid === powers.gid;
    if (!sameOwner) return own;
    if (powers.privileged) {
      chown(entry.uid, entry.gid);
      return true;
    }
    if (!own) leftOut.add({ what: "owner", reason: NEEDS_ROOT, path: pathOf(folder, name) });
    return own;
  }

  /** A program that runs as its owner must not run as somebody it never belonged to. */
  #modeOf(entry: TarEntry, owned: boolean, folder: Folder, name: string): number {
    if (owned || entry.type === "directory" || (entry.mode & SETUID) === 0) return entry.mode;
    const reason = "the owner is another one than the image says";
    this.#options.leftOut.add({ what: "setuid bits", reason, path: pathOf(folder, name) });
    return entry.mode & ~SETUID;
  }

  async #setXattrs(entry: TarEntry, folder: Folder, name: string): Promise<void> {
    const plain = entry.type === "file" || entry.type === "directory";
    for (const [key, value] of entry.xattrs ?? []) {
      // These belong to the machine, not to images: one of them would make an overlay hide what is below.
      if (!key.startsWith("trusted.")) await this.setXattr(folder, name, { key, value, plain });
    }
  }

  /** Makes something under a name; what has the name goes away first. */
  #replacing<T>(folder: Folder, name: string, create: () => T): T {
    try {
      return create();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      this.#tree.remove(folder, name);
      return create();
    }
  }
}

export interface XattrToSet {
  readonly key: string;
  readonly value: Uint8Array;
  /** Whether it is for a regular file or a folder. */
  readonly plain: boolean;
}

const NEEDS_ROOT = "only root may set that";
const NO_PROGRAM = "this machine has neither perl, python3 nor the commands for it";

const REASONS: Readonly<Record<string, string>> = {
  ENOTSUP: "the file system doesn't keep it",
  ENOSYS: NO_PROGRAM,
};

function timesOf(entry: TarEntry): Times {
  const mtime = parseTarTime(entry.mtime);
  return { atime: parseTarTime(Math.max(entry.atime ?? entry.mtime, entry.mtime)), mtime };
}

function quote(folder: Folder, name: string): string {
  return JSON.stringify(pathOf(folder, name));
}
