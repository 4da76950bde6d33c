/**
 * The difference between two folders as a layer: applied to the old one, it makes the new one.
 *
 * Parents of what changed come along, once and first; a removed name is told by an empty marker. Of a file with
 * several names the first that is written carries the content, the others are links to it; names that were there
 * before are written again when the file gets one more, since they all have to be one file. Nothing in a layer tells
 * when, where or by whom it was made: equal folders give equal bytes.
 */
import { closeSync, fstatSync, readSync } from "node:fs";

import { encodeTarHeader, TAR_END, tarEntryPadding, type TarWriteEntry } from "../internal/tar-writer.ts";
import type { ByteConsumer, SignalOptions } from "../oci/index.ts";
import { startHelper } from "./attribute-helper.ts";
import { compareFolders } from "./compare-folders.ts";
import { UnpackError } from "./errors.ts";
import { FolderState } from "./folder-state.ts";
import { whiteoutOf } from "./whiteout.ts";

export interface DiffFoldersOptions extends SignalOptions {
  /** The folder before; without one, everything is new. */
  readonly from?: string | undefined;
  /** The folder after. */
  readonly to: string;
  /** Seconds since the epoch; later times become this one. */
  readonly sourceDateEpoch?: number | undefined;
  /** Extended attributes to keep beside `security.capability`. */
  readonly xattrs?: readonly string[] | undefined;
}

export interface DiffFacts {
  /** Whether extended attributes are in the layer; false where this machine has no program to read them. */
  readonly xattrs: boolean;
}

type Stat = ReturnType<FolderState["stat"]>;

const CHUNK = 256 * 1024;
const SECOND = 1_000_000_000n;

/**
 * Writes an uncompressed layer to `consume`, which may hold it back.
 *
 * @throws UnpackError `UNWRITABLE` for a file that changes while it is read; Error of `node:fs`
 */
export async function diffFolders(options: DiffFoldersOptions, consume: ByteConsumer): Promise<DiffFacts> {
  const { from, to, signal, xattrs = [] } = options;
  const helper = startHelper();
  const wanted = [...new Set(["security.capability", ...xattrs])];
  try {
    const fresh = new FolderState(to, wanted, helper);
    const writer = new DiffWriter(fresh, options, consume);
    if (from === undefined) await writer.addAll();
    else {
      for await (const change of compareFolders(new FolderState(from, wanted, helper), fresh, { signal })) {
        if (change.kind === "removed") await writer.remove(change.path);
        else if (change.kind === "linked") await writer.keepLinked(change.item.path, change.item.stat);
        else await writer.add(change.item.path, change.item.stat);
      }
    }
    await writer.end();
    return { xattrs: fresh.knowsXattrs };
  } finally {
    await helper?.close();
  }
}

class DiffWriter {
  readonly #state: FolderState;
  readonly #options: DiffFoldersOptions;
  readonly #consume: ByteConsumer;
  /** Folders that are in the layer already. */
  readonly #folders = new Set<string>([""]);
  /** Where each file with several names was written first. */
  readonly #sources = new Map<string, string>();
  /** Unchanged names of files that may yet get another one. */
  readonly #waiting = new Map<string, string[]>();

  constructor(state: FolderState, options: DiffFoldersOptions, consume: ByteConsumer) {
    this.#state = state;
    this.#options = options;
    this.#consume = consume;
  }

  /** Everything below a folder. */
  async addAll(path = ""): Promise<void> {
    for (const item of this.#state.list(path)) {
      this.#options.signal?.throwIfAborted();
      if (item.stat.isSocket()) continue;
      await this.add(item.path, item.stat);
      if (item.stat.isDirectory()) await this.addAll(item.path);
    }
  }

  async add(path: string, stat: Stat): Promise<void> {
    if (stat.isDirectory()) {
      // It may be here as the parent of something.
      if (this.#folders.has(path)) return;
      await this.#addParents(path);
      this.#folders.add(path);
      return await this.#entry({ type: "directory", path, stat });
    }
    const inode = inodeOf(stat);
    const source = inode === undefined ? undefined : this.#sources.get(inode);
    await this.#addParents(path);
    if (source !== undefined) return await this.#entry({ type: "link", path, stat, linkName: source });
    await this.#object(path, stat);
    if (inode === undefined) return;
    this.#sources.set(inode, path);
    for (const other of this.#waiting.get(inode) ?? []) {
      await this.#addParents(other);
      await this.#entry({ type: "link", path: other, stat, linkName: path });
    }
    this.#waiting.delete(inode);
  }

  /** An unchanged file with several names, one of which may be in the layer, or come to be. */
  async keepLinked(path: string, stat: Stat): Promise<void> {
    const inode = inodeOf(stat) ?? "";
    if (this.#sources.has(inode)) return await this.add(path, stat);
    const waiting = this.#waiting.get(inode);
    if (waiting === undefined) this.#waiting.set(inode, [path]);
    else waiting.push(path);
  }

  async remove(path: string): Promise<void> {
    await this.#addParents(path);
    const cut = path.lastIndexOf("/") + 1;
    const name = path.slice(0, cut) + whiteoutOf(path.slice(cut));
    await this.#consume(encodeTarHeader({ type: "file", name: bytesOf(name), mode: 0, size: 0, mtime: 0 }));
  }

  async end(): Promise<void> {
    await this.#consume(TAR_END);
  }

  async #addParents(path: string): Promise<void> {
    const cut = path.lastIndexOf("/");
    const parent = cut < 0 ? "" : path.slice(0, cut);
    if (!this.#folders.has(parent)) await this.add(parent, this.#state.stat(parent));
  }

  async #object(path: string, stat: Stat): Promise<void> {
    if (stat.isSymbolicLink()) {
      const linkName = this.#state.linkTarget(path);
      return await this.#entry({ type: "symlink", path, stat, linkName });
    }
    if (stat.isFile()) return await this.#file(path, stat);
    if (stat.isFIFO()) return await this.#entry({ type: "fifo", path, stat });
    await this.#entry({ type: stat.isBlockDevice() ? "block-device" : "character-device", path, stat });
  }

  /** Exactly as many bytes as the header promises. */
  async #file(path: string, stat: Stat): Promise<void> {
    const fd = this.#state.open(path);
    try {
      const size = fstatSync(fd).size;
      await this.#entry({ type: "file", path, stat, size });
      const buffer = Buffer.allocUnsafe(Math.min(CHUNK, Math.max(1, size)));
      for (let left = size; left > 0;) {
        const read = readSync(fd, buffer, 0, Math.min(buffer.length, left), size - left);
        if (read === 0) throw changed(path);
        left -= read;
        await this.#consume(buffer.subarray(0, read));
      }
      if (fstatSync(fd).size !== size) throw changed(path);
      await this.#consume(tarEntryPadding(size));
    } finally {
      closeSync(fd);
    }
  }

  async #entry({ type, path, stat, size, linkName }: EntryToWrite): Promise<void> {
    const plain = type === "file" || type === "directory";
    const device = type === "character-device" || type === "block-device";
    const header = encodeTarHeader({
      type,
      name: bytesOf(path),
      mode: Number(stat.mode) & 0o7777,
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      mtime: this.#time(stat),
      ...(size !== undefined && { size }),
      ...(linkName !== undefined && {
        linkName: typeof linkName === "string" ? bytesOf(linkName) : linkName,
      }),
      ...(device && splitDevice(stat.rdev)),
      ...(plain && { xattrs: await this.#state.readXattrs(path) }),
    });
    await this.#consume(header);
  }

  #time(stat: Stat): number {
    // Rounded down, before 1970 as well.
    const seconds = Number((stat.mtimeNs - (((stat.mtimeNs % SECOND) + SECOND) % SECOND)) / SECOND);
    return Math.min(seconds, this.#options.sourceDateEpoch ?? seconds);
  }
}

interface EntryToWrite {
  readonly type: TarWriteEntry["type"];
  readonly path: string;
  readonly stat: Stat;
  readonly size?: number;
  /** A path, or the bytes of a link's text. */
  readonly linkName?: string | Uint8Array;
}

/** What the names of one file have in common; `undefined` where there is but one. */
function inodeOf(stat: Stat): string | undefined {
  return stat.nlink > 1n ? `${stat.dev}:${stat.ino}` : undefined;
}

function splitDevice(device: bigint): { readonly deviceMajor: number; readonly deviceMinor: number } {
  return {
    deviceMajor: Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & ~0xfffn)),
    deviceMinor: Number((device & 0xffn) | ((device >> 12n) & ~0xffn)),
  };
}

function bytesOf(path: string): Buffer {
  return Buffer.from(path, "latin1");
}

function changed(path: string): UnpackError {
  return new UnpackError(
    "UNWRITABLE",
    `Cannot read ${JSON.stringify(bytesOf(path).toString())}: it changed meanwhile`,
  );
}
