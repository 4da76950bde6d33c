import {
  constants,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  type BigIntStats,
  closeSync,
} from "node:fs";

import type { AttributeHelper } from "./attribute-helper.ts";
import { toFsPath } from "./byte-path.ts";

/** One thing in a folder that is compared. Paths and names are byte strings. */
export interface Item {
  /** Below the folder's root, without a slash in front. */
  readonly path: string;
  readonly name: string;
  readonly stat: BigIntStats;
}

/** A folder that is read, never changed. It isn't expected to change meanwhile either. */
export class FolderState {
  readonly #root: string;
  readonly #helper: AttributeHelper | undefined;
  readonly #xattrs: readonly string[];
  /** Whether attributes could be asked for; false where this machine has no program for it. */
  knowsXattrs = true;

  /** `xattrs`: the attributes that count. */
  constructor(root: string, xattrs: readonly string[], helper: AttributeHelper | undefined) {
    this.#root = Buffer.from(root).toString("latin1");
    this.#xattrs = xattrs;
    this.#helper = helper;
  }

  /** What is in a folder, sorted by the bytes of names. The root's path is empty. */
  list(path: string): readonly Item[] {
    const names = readdirSync(toFsPath(this.#at(path)), "buffer").map((name) => name.toString("latin1"));
    return names.sort().map((name) => {
      const below = path === "" ? name : `${path}/${name}`;
      return { path: below, name, stat: lstatSync(toFsPath(this.#at(below)), { bigint: true }) };
    });
  }

  stat(path: string): BigIntStats {
    return lstatSync(toFsPath(this.#at(path)), { bigint: true });
  }

  linkTarget(path: string): Buffer {
    return readlinkSync(toFsPath(this.#at(path)), "buffer");
  }

  /** A regular file, to be closed by the caller. */
  open(path: string): number {
    return openSync(
      toFsPath(this.#at(path)),
      constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK,
    );
  }

  async readXattrs(path: string): Promise<ReadonlyMap<string, Uint8Array>> {
    const found = new Map<string, Uint8Array>();
    for (const name of this.#xattrs) {
      const value = await this.#helper?.getXattr(this.#at(path), name);
      if (value instanceof Uint8Array) found.set(name, value);
      else if (value === undefined || value === "ENOSYS") this.knowsXattrs = false;
    }
    return found;
  }

  #at(path: string): string {
    return path === "" ? this.#root : `${this.#root}/${path}`;
  }
}

const CHUNK = 256 * 1024;

/** Whether two files of one size have the same bytes. */
export function haveSameBytes(a: FolderState, b: FolderState, path: string): boolean {
  const [one, other] = [a.open(path), b.open(path)];
  try {
    const [left, right] = [Buffer.allocUnsafe(CHUNK), Buffer.allocUnsafe(CHUNK)];
    for (;;) {
      const read = readSync(one, left);
      if (readFully(other, right, read) !== read) return false;
      if (!left.subarray(0, read).equals(right.subarray(0, read))) return false;
      if (read === 0) return true;
    }
  } finally {
    closeSync(one);
    closeSync(other);
  }
}

function readFully(fd: number, buffer: Buffer, length: number): number {
  let at = 0;
  while (at < length) {
    const read = readSync(fd, buffer, at, length - at, null);
    if (read === 0) break;
    at += read;
  }
  return at;
}
