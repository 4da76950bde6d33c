import { closeSync, constants, fstatSync, openSync, readSync } from "node:fs";
import { mkdtemp, open, rm, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { type Compressor, createCompressor } from "../internal/compression.ts";
import type { Compression } from "../internal/detect-compression.ts";
import { FileContent, writeFully } from "../internal/file-content.ts";
import { encodeTarHeader, TAR_END, tarEntryPadding, type TarWriteEntry } from "../internal/tar-writer.ts";
import {
  type ContentSource,
  type Digest,
  DigestHasher,
  type OpenOptions,
  type SignalOptions,
} from "../oci/index.ts";
import { BuildError, contextError } from "./errors.ts";
import type { FileNode, FolderNode, TreeNode } from "./file-tree.ts";

export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

export interface LayerOptions extends SignalOptions {
  readonly compression: Compression;
  /** Seconds since the epoch, for every entry. */
  readonly time: number;
  /** Of every entry; `preserve` takes the context's. */
  readonly owner: Owner | "preserve";
  /** Permission bits as they are instead of 0755 for folders and executables, 0644 for other files. */
  readonly preserveModes: boolean;
  readonly tempDir?: string | undefined;
}

/** A finished layer in a temporary file; `close()` drops it. */
export interface Layer {
  readonly digest: Digest;
  readonly size: number;
  /** Digest of the uncompressed tar. */
  readonly diffId: Digest;
  readonly source: ContentSource;
  close(): Promise<void>;
}

const CHUNK = 256 * 1024;

/**
 * Writes a tree as a layer: parents before children, siblings sorted by the bytes of their names, nothing in it that
 * tells when, where or by whom it was made.
 *
 * @throws BuildError `CONTEXT_CHANGED`, `CONTEXT_UNREADABLE`, `UNWRITABLE`
 */
export async function writeLayer(root: FolderNode, options: LayerOptions): Promise<Layer> {
  const file = await openSpool(options.tempDir);
  const diffId = new DigestHasher();
  const digest = new DigestHasher();
  let size = 0;
  const compressor = createCompressor(options.compression, async (chunk) => {
    digest.update(chunk);
    await store(file, chunk, size);
    size += chunk.length;
  });
  try {
    const writer = new LayerWriter(compressor, diffId, options);
    await writer.folder(root, "");
    await writer.end();
  } catch (error) {
    compressor.destroy();
    await file.close();
    throw error;
  }
  return {
    digest: digest.digest(),
    size,
    diffId: diffId.digest(),
    source: {
      open: (_descriptor, { offset = 0, signal }: OpenOptions = {}) =>
        Promise.resolve(new FileContent(file, { position: offset, owned: false, signal })),
    },
    close: () => file.close(),
  };
}

class LayerWriter {
  readonly #compressor: Compressor;
  readonly #diffId: DigestHasher;
  readonly #options: LayerOptions;
  /** Headers and small files are gathered: the compressor works in another thread, and a trip there costs. */
  readonly #buffer = Buffer.allocUnsafeSlow(CHUNK);
  #filled = 0;
  /** Where each file with several names was written first. */
  readonly #inodes = new Map<string, string>();

  constructor(compressor: Compressor, diffId: DigestHasher, options: LayerOptions) {
    this.#compressor = compressor;
    this.#diffId = diffId;
    this.#options = options;
  }

  async folder(folder: FolderNode, prefix: string): Promise<void> {
    // Byte strings compare as their bytes do.
    for (const name of [...folder.children.keys()].sort()) {
      this.#options.signal?.throwIfAborted();
      const node = folder.children.get(name) as TreeNode;
      const path = prefix + name;
      if (node.type === "file") await this.#file(node, path);
      else if (node.type === "symlink") {
        await this.#header({ type: "symlink", path, mode: 0o777, linkName: node.target, node });
      } else {
        const own = this.#options.preserveModes ? (node.mode ?? 0o755) : 0o755;
        await this.#header({ type: "directory", path, mode: node.base?.mode ?? own, node });
        await this.folder(node, `${path}/`);
      }
    }
  }

  async end(): Promise<void> {
    await this.#write(TAR_END);
    await this.#flush();
    await this.#compressor.end();
  }

  async #file(node: FileNode, path: string): Promise<void> {
    const mode = this.#options.preserveModes ? node.mode : node.executable ? 0o755 : 0o644;
    const first = node.inode === undefined ? undefined : this.#inodes.get(node.inode);
    if (first !== undefined) {
      await this.#header({ type: "link", path, mode, linkName: Buffer.from(first, "latin1"), node });
      return;
    }
    if (node.inode !== undefined) this.#inodes.set(node.inode, path);
    const fd = openContextFile(node.path);
    try {
      const stat = fstatSync(fd);
      if (!stat.isFile()) throw changed(node.path);
      const { size } = stat;
      await this.#header({ type: "file", path, mode, size, node });
      await this.#content(fd, size, node.path);
      await this.#write(tarEntryPadding(size));
    } finally {
      closeSync(fd);
    }
  }

  /** Exactly `size` bytes: the header has already promised them. */
  async #content(fd: number, size: number, path: Buffer): Promise<void> {
    let left = size;
    while (left > 0) {
      if (this.#filled === CHUNK) await this.#flush();
      const length = Math.min(left, CHUNK - this.#filled);
      const read = readSync(fd, this.#buffer, this.#filled, length, size - left);
      if (read === 0) throw changed(path);
      this.#filled += read;
      left -= read;
    }
    if (fstatSync(fd).size !== size) throw changed(path);
  }

  #header(entry: {
    readonly type: TarWriteEntry["type"];
    readonly path: string;
    readonly mode: number;
    readonly node: { readonly uid?: number; readonly gid?: number; readonly base?: Owner };
    readonly size?: number;
    readonly linkName?: Uint8Array;
  }): Promise<void> {
    const { type, path, mode, node, size, linkName } = entry;
    const { owner, time } = this.#options;
    const { uid = 0, gid = 0 } = node.base ?? (owner === "preserve" ? node : owner);
    const header = encodeTarHeader({
      type,
      name: Buffer.from(path, "latin1"),
      mode,
      uid,
      gid,
      mtime: time,
      ...(size === undefined ? undefined : { size }),
      ...(linkName === undefined ? undefined : { linkName }),
    });
    return this.#write(header);
  }

  async #write(bytes: Uint8Array): Promise<void> {
    let at = 0;
    while (at < bytes.length) {
      if (this.#filled === CHUNK) await this.#flush();
      const length = Math.min(bytes.length - at, CHUNK - this.#filled);
      this.#buffer.set(bytes.subarray(at, at + length), this.#filled);
      this.#filled += length;
      at += length;
    }
  }

  async #flush(): Promise<void> {
    const chunk = this.#buffer.subarray(0, this.#filled);
    this.#diffId.update(chunk);
    await this.#compressor.write(chunk);
    this.#filled = 0;
  }
}

/** The last component isn't followed: a link put there since the folder was listed must not be read through. */
function openContextFile(path: Buffer): number {
  try {
    return openSync(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
  } catch (error) {
    throw contextError(error, path.toString());
  }
}

function changed(path: Buffer): BuildError {
  return new BuildError(
    "CONTEXT_CHANGED",
    `Cannot read ${JSON.stringify(path.toString())}: it changed meanwhile`,
  );
}

/** A file that has no name any more, so that nothing is left behind however the build ends. */
async function openSpool(tempDir: string | undefined): Promise<FileHandle> {
  const parent = tempDir ?? tmpdir();
  try {
    const folder = await mkdtemp(join(parent, "dray-build-"));
    try {
      return await open(join(folder, "layer"), "wx+", 0o600);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  } catch (error) {
    throw spoolError(error, parent);
  }
}

async function store(file: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  try {
    await writeFully(file, chunk, position);
  } catch (error) {
    throw spoolError(error, "the temporary folder");
  }
}

function spoolError(error: unknown, where: string): BuildError {
  const { code } = error as NodeJS.ErrnoException;
  const state = code === "ENOSPC" ? "no space left" : (code ?? "failed");
  return new BuildError("UNWRITABLE", `Cannot keep the layer in ${JSON.stringify(where)}: ${state}`, {
    cause: error,
  });
}
