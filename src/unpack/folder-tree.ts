/**
 * The folder an image is unpacked into, entered through handles alone.
 *
 * ```text
 * root ── handle 12                     /proc/self/fd/12/usr
 *   └─ usr ── handle 13                 /proc/self/fd/13/bin
 *        └─ bin ── handle 14            /proc/self/fd/14/ping ◄── what node:fs is given
 * ```
 *
 * Node has no `openat`, but on Linux a path that begins with a handle in /proc is one: the kernel goes on from the
 * folder the handle stands for, wherever that is by now. Only one component follows each handle, and no call here
 * follows a link in that place. So whoever renames folders or puts links into the tree meanwhile can make unpacking
 * fail, or have it go on in a folder they moved away, but never lead it to a place that wasn't below the root.
 *
 * Folders are remembered, since looking at every component again for every entry would cost more than writing it.
 */
import { chmodSync, closeSync, constants, fstatSync, mkdirSync, openSync, readlinkSync } from "node:fs";
import { utimesSync } from "node:fs";

import { toFsPath, toText } from "./byte-path.ts";
import { fileError, UnpackError } from "./errors.ts";
import { exceeded } from "./limits.ts";
import { O_PATH, removeTree } from "./remove-tree.ts";

const HANDLE = O_PATH | (constants.O_NOFOLLOW ?? 0);
/** Handles open at a time. */
const MAX_HANDLES = 256;
/** As Linux has it for one path, and containerd for one name. */
const MAX_LINKS = 255;

/** A folder that is known to be one. */
export interface Folder {
  readonly parent: Folder | undefined;
  readonly name: string;
  readonly depth: number;
  readonly children: Map<string, Folder>;
  /** What the current layer has put here; opaque markers leave it alone. */
  fresh: Set<string> | undefined;
  /** Set at the very end, since everything that is put here changes them. */
  times: { readonly atime: number; readonly mtime: number } | undefined;
  /** Set at the very end where it would keep us out until then. */
  mode: number | undefined;
  fd: number;
}

/** Where a name leads: the folder, and what is missing from there on. */
export interface Place {
  readonly folder: Folder;
  readonly missing: readonly string[];
}

/** What of lower layers doesn't show through. */
export interface Hidden {
  /** A sign has this name, and stands for nothing. */
  has(folder: Folder, name: string): boolean;
  /** Nothing from below shows in the folder. */
  covers(folder: Folder): boolean;
}

export interface FolderTreeOptions {
  /** Folders inside one another. */
  readonly depth: number;
  /** Whether permission bits don't keep us out. */
  readonly privileged: boolean;
  /** The text of a link that a lower layer, in a folder of its own, has in a place where this one has nothing. */
  readonly linkBelow?: ((path: readonly string[]) => string | undefined) | undefined;
  readonly hidden?: (() => Hidden | undefined) | undefined;
}

export class FolderTree {
  readonly root: Folder;
  readonly #options: FolderTreeOptions;
  /** Folders with a handle, the one used longest ago first. */
  readonly #open = new Set<Folder>();

  constructor(path: string, options: FolderTreeOptions) {
    this.#options = options;
    this.root = createFolder(undefined, "");
    this.root.fd = openSync(path, O_PATH | (constants.O_DIRECTORY ?? 0));
  }

  /** For `node:fs`: the folder itself. */
  self(folder: Folder): string {
    return `/proc/self/fd/${this.#handle(folder)}`;
  }

  /** For `node:fs`: a name in a folder. Valid until the next call, which may close the handle. */
  at(folder: Folder, name: string): string | Buffer {
    return toFsPath(`/proc/self/fd/${this.#handle(folder)}/${name}`);
  }

  /** The same for another process. */
  atFromOutside(folder: Folder, name: string): string {
    return `/proc/${process.pid}/fd/${this.#handle(folder)}/${name}`;
  }

  /**
   * Follows a path inside the root: links that begin with a slash begin there again, and `..` ends there. What
   * doesn't exist is taken as it is.
   *
   * @throws UnpackError `ARCHIVE_INVALID` where a part is neither folder nor link
   */
  resolve(parts: readonly string[]): Place {
    let folder = this.root;
    let links = 0;
    const missing: string[] = [];
    const queue = parts.toReversed();
    for (let part = queue.pop(); part !== undefined; part = queue.pop()) {
      if (part === "" || part === ".") continue;
      if (part === "..") {
        if (missing.length > 0) missing.pop();
        else folder = folder.parent ?? folder;
        continue;
      }
      const hidden = this.#options.hidden?.();
      const sign = hidden?.has(folder, missing[0] ?? part) === true;
      const here = missing.length > 0 || sign ? undefined : this.#look(folder, part);
      const linkBelow = sign || hidden?.covers(folder) === true ? undefined : this.#options.linkBelow;
      const found = here ?? linkBelow?.([...partsOf(folder), ...missing, part]);
      if (found === undefined) missing.push(part);
      else if (typeof found !== "string") folder = found;
      else {
        if (++links > MAX_LINKS) throw invalid(parts, "it leads through too many symbolic links");
        if (found.startsWith("/")) {
          folder = this.root;
          missing.length = 0;
        }
        queue.push(...found.split("/").toReversed());
      }
    }
    if (folder.depth + missing.length > this.#options.depth) {
      throw exceeded(`folders lie more than ${this.#options.depth} deep`);
    }
    return { folder, missing };
  }

  /** A folder that can be reached without any link. */
  find(parts: readonly string[]): Folder | undefined {
    let folder = this.root;
    for (const part of parts) {
      const found = this.#look(folder, part, false);
      if (found === undefined || typeof found === "string") return undefined;
      folder = found;
    }
    return folder;
  }

  /** Makes what a place is missing; calls back for each new folder. */
  make(place: Place, onMade: (parent: Folder, name: string) => void = () => {}): Folder {
    let { folder } = place;
    for (const name of place.missing) {
      mkdirSync(this.at(folder, name), 0o755);
      const made = this.add(folder, name);
      // What the umask took away.
      chmodSync(this.self(made), 0o755);
      onMade(folder, name);
      folder = made;
    }
    return folder;
  }

  /** Remembers a folder that has just been made, or was found. */
  add(parent: Folder, name: string): Folder {
    const known = parent.children.get(name);
    if (known !== undefined) return known;
    const folder = createFolder(parent, name);
    parent.children.set(name, folder);
    return folder;
  }

  /** Sets a folder's mode, now or, where it would keep us out, at the end. */
  setMode(folder: Folder, mode: number): void {
    const closed = !this.#options.privileged && (mode & 0o700) !== 0o700;
    folder.mode = closed ? mode : undefined;
    chmodSync(this.self(folder), closed ? mode | 0o700 : mode);
  }

  /** Removes whatever has a name, with all below it. */
  remove(folder: Folder, name: string): void {
    this.#forget(folder, name);
    try {
      removeTree(`/proc/self/fd/${this.#handle(folder)}/${name}`);
    } catch (error) {
      throw fileError("remove", pathOf(folder, name), error);
    }
  }

  /** Forgets which entries the current layer made. */
  endLayer(folder: Folder = this.root): void {
    folder.fresh = undefined;
    for (const child of folder.children.values()) this.endLayer(child);
  }

  /** Sets what could only be set last. */
  finish(folder: Folder = this.root): void {
    for (const child of folder.children.values()) this.finish(child);
    if (folder.times === undefined && folder.mode === undefined) return;
    const path = this.self(folder);
    if (folder.times !== undefined) utimesSync(path, folder.times.atime, folder.times.mtime);
    if (folder.mode !== undefined) chmodSync(path, folder.mode);
  }

  close(): void {
    for (const folder of this.#open) this.#shut(folder);
    this.#open.clear();
    if (this.root.fd >= 0) closeSync(this.root.fd);
    this.root.fd = -1;
  }

  /** A folder, the text of a link, or nothing. */
  #look(folder: Folder, name: string, strict = true): Folder | string | undefined {
    const known = folder.children.get(name);
    if (known !== undefined) return known;
    const path = this.at(folder, name);
    let fd: number;
    try {
      fd = openSync(path, HANDLE);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw fileError("look at", pathOf(folder, name), error);
    }
    const stat = fstatSync(fd);
    if (!stat.isDirectory()) {
      closeSync(fd);
      if (stat.isSymbolicLink()) return readlinkSync(path, "buffer").toString("latin1");
      if (!strict) return undefined;
      throw invalid([pathOf(folder, name)], "it is not a folder, and something lies below it");
    }
    const found = this.add(folder, name);
    found.fd = fd;
    this.#keep(found);
    if (!this.#options.privileged && (stat.mode & 0o700) !== 0o700) {
      this.setMode(found, stat.mode & 0o7777);
    }
    return found;
  }

  #handle(folder: Folder): number {
    if (folder.parent === undefined) return folder.fd;
    if (folder.fd >= 0) {
      // Used last.
      this.#open.delete(folder);
      this.#open.add(folder);
      return folder.fd;
    }
    const above = this.#handle(folder.parent);
    const path = toFsPath(`/proc/self/fd/${above}/${folder.name}`);
    folder.fd = openSync(path, HANDLE | (constants.O_DIRECTORY ?? 0));
    this.#keep(folder);
    return folder.fd;
  }

  #keep(folder: Folder): void {
    this.#open.add(folder);
    for (const oldest of this.#open) {
      if (this.#open.size <= MAX_HANDLES) break;
      this.#shut(oldest);
      this.#open.delete(oldest);
    }
  }

  #forget(folder: Folder, name: string): void {
    const gone = folder.children.get(name);
    if (gone === undefined) return;
    folder.children.delete(name);
    const close = (one: Folder): void => {
      this.#shut(one);
      this.#open.delete(one);
      for (const child of one.children.values()) close(child);
    };
    close(gone);
  }

  #shut(folder: Folder): void {
    if (folder.fd >= 0) closeSync(folder.fd);
    folder.fd = -1;
  }
}

/** For messages: the path below the root. */
export function pathOf(folder: Folder, name: string): string {
  return toText([...partsOf(folder), name].join("/"));
}

/** The names on the way from the root. */
export function partsOf(folder: Folder): string[] {
  const parts: string[] = [];
  for (let at: Folder | undefined = folder; at?.parent !== undefined; at = at.parent) parts.push(at.name);
  return parts.reverse();
}

function createFolder(parent: Folder | undefined, name: string): Folder {
  return {
    parent,
    name,
    depth: parent === undefined ? 0 : parent.depth + 1,
    children: new Map(),
    fresh: undefined,
    times: undefined,
    mode: undefined,
    fd: -1,
  };
}

function invalid(parts: readonly string[], why: string): UnpackError {
  return new UnpackError(
    "ARCHIVE_INVALID",
    `Cannot unpack ${JSON.stringify(toText(parts.join("/")))}: ${why}`,
  );
}
