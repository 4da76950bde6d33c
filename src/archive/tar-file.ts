import { mkdtemp, open, rm, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, posix } from "node:path";

import { type Pump, pumpDecompressed } from "../internal/compression.ts";
import { COMPRESSION_MAGIC_LENGTH, detectCompression } from "../internal/detect-compression.ts";
import { FileContent, openRegularFile, writeFully } from "../internal/file-content.ts";
import { TAR_BLOCK, type TarEntry, TarFormatError, tarPadding } from "../internal/tar-header.ts";
import { TarHeaderReader } from "../internal/tar-reader.ts";
import type { ContentStream, OpenOptions, SignalOptions } from "../oci/index.ts";
import { ArchiveError, fileError } from "./errors.ts";

export interface TarMember {
  /** Where its data begin in the tar. */
  readonly offset: number;
  readonly size: number;
}

type Members = Map<string, TarMember | { readonly target: string }>;

/** An archive of images has hundreds of members; one with many more is a way to fill the memory. */
const MAX_MEMBERS = 200_000;
const MAX_PATH = 4096;
const MAX_LINKS = 40;
/** Documents inside an archive; containerd reads no more either. */
export const MAX_DOCUMENT: number = 20 * 1024 * 1024;

export interface ArchiveInputOptions extends SignalOptions {
  /** Where a compressed archive, or one that comes from a stream, is unpacked to; the system's by default. */
  readonly tempDir?: string | undefined;
}

/** A path, or bytes from elsewhere (standard input). */
export type ArchiveInput = string | AsyncIterable<Uint8Array>;

/**
 * The members of a tar by cleaned path, without extracting any: opening one seeks to it. Nothing of a member's name
 * ever reaches the file system.
 */
export class TarFile {
  /** For messages: the path, or what stands for it. */
  readonly label: string;
  readonly #handle: FileHandle;
  readonly #members: Members;

  private constructor(label: string, handle: FileHandle, members: Members) {
    this.label = label;
    this.#handle = handle;
    this.#members = members;
  }

  /**
   * @throws ArchiveError `ARCHIVE_UNKNOWN`, `ARCHIVE_INVALID`, `UNREADABLE`
   */
  static async open(input: ArchiveInput, options: ArchiveInputOptions = {}): Promise<TarFile> {
    const label = typeof input === "string" ? input : "standard input";
    let handle: FileHandle | undefined;
    try {
      handle =
        typeof input === "string" ? await openPlain(input, options) : await spool(pumpOf(input), options);
      const { size } = await handle.stat();
      return new TarFile(label, handle, await indexMembers(handle, size, label, options.signal));
    } catch (error) {
      await handle?.close();
      if (isZlibError(error)) throw invalid(label, "its compressed data are damaged or cut off", error);
      if (error instanceof TarFormatError) throw invalid(label, error.message, error);
      throw fileError(error, "open archive", label, "UNREADABLE");
    }
  }

  /** The paths of all regular members and links. */
  paths(): Iterable<string> {
    return this.#members.keys();
  }

  /** A regular member, also behind links; `undefined` when there is none. */
  find(path: string): TarMember | undefined {
    return this.resolve(path)?.member;
  }

  /** A regular member together with the path it really lies at. */
  resolve(path: string): { readonly path: string; readonly member: TarMember } | undefined {
    let at: string | undefined = cleanPath(path);
    for (let hops = 0; at !== undefined && hops < MAX_LINKS; hops++) {
      const member = this.#members.get(at);
      if (member === undefined) return undefined;
      if (!("target" in member)) return { path: at, member };
      at = cleanPath(member.target);
    }
    return undefined;
  }

  open(member: TarMember, options: OpenOptions = {}): ContentStream {
    const skipped = Math.min(options.offset ?? 0, member.size);
    return new FileContent(this.#handle, {
      position: member.offset + skipped,
      length: member.size - skipped,
      owned: false,
      signal: options.signal,
    });
  }

  /**
   * A whole document.
   *
   * @throws ArchiveError `ARCHIVE_INVALID` when it is larger than `limit`
   */
  async read(path: string, limit: number = MAX_DOCUMENT): Promise<Buffer | undefined> {
    const member = this.find(path);
    if (member === undefined) return undefined;
    if (member.size > limit) {
      throw invalid(this.label, `${JSON.stringify(path)} is larger than ${limit} bytes`);
    }
    const bytes = Buffer.alloc(member.size);
    let at = 0;
    await this.open(member).pump((chunk) => {
      bytes.set(chunk, at);
      at += chunk.length;
    });
    if (at < member.size) throw invalid(this.label, "it changed while being read");
    return bytes;
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

export function invalid(label: string, state: string, cause?: unknown): ArchiveError {
  return new ArchiveError("ARCHIVE_INVALID", `Cannot read archive ${JSON.stringify(label)}: ${state}`, {
    cause,
  });
}

/** `./a//b/` → `a/b`; `undefined` for what leads outside. */
export function cleanPath(path: string): string | undefined {
  const clean = posix.normalize(`./${path}`).replace(/\/$/, "");
  return clean === ".." || clean.startsWith("../") ? undefined : clean;
}

async function openPlain(path: string, options: ArchiveInputOptions): Promise<FileHandle> {
  const { handle } = await openRegularFile(path);
  try {
    const head = Buffer.alloc(COMPRESSION_MAGIC_LENGTH);
    const { bytesRead } = await handle.read(head, 0, head.length, 0);
    if (detectCompression(head.subarray(0, bytesRead)) === "none") return handle;
    const spooled = await spool(new FileContent(handle, { owned: false, signal: options.signal }), options);
    await handle.close();
    return spooled;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Unpacks into a file that has no name any more, so that nothing is left behind however this ends. */
async function spool(source: Pump, options: ArchiveInputOptions): Promise<FileHandle> {
  const folder = await mkdtemp(join(options.tempDir ?? tmpdir(), "dray-archive-"));
  let handle: FileHandle | undefined;
  try {
    const file = await open(join(folder, "archive.tar"), "wx+", 0o600);
    handle = file;
    let size = 0;
    await pumpDecompressed(source, async (chunk) => {
      options.signal?.throwIfAborted();
      await writeFully(file, chunk, size);
      size += chunk.length;
    });
    return file;
  } catch (error) {
    await handle?.close();
    throw error;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function pumpOf(input: AsyncIterable<Uint8Array>): Pump {
  return {
    async pump(consume) {
      for await (const chunk of input) await consume(chunk);
    },
  };
}

async function indexMembers(
  handle: FileHandle,
  size: number,
  label: string,
  signal: AbortSignal | undefined,
): Promise<Members> {
  const members: Members = new Map();
  const headers = new TarHeaderReader();
  let block = Buffer.alloc(8192);
  let position = 0;
  while (position + headers.need <= size) {
    signal?.throwIfAborted();
    const { need } = headers;
    if (need > block.length) block = Buffer.alloc(need);
    const { bytesRead } = await handle.read(block, 0, need, position);
    if (bytesRead < need) break;
    position += need;
    const entry = acceptHeader(headers, block.subarray(0, need), position, label);
    if (entry === "end") return members;
    if (entry === undefined) continue;
    addMember(members, entry, position, label);
    position += entry.size;
    if (position > size) throw invalid(label, `it is cut off inside ${JSON.stringify(entry.name)}`);
    position += tarPadding(entry.size);
  }
  if (position < size) throw invalid(label, "it is cut off");
  headers.finish();
  return members;
}

function acceptHeader(
  headers: TarHeaderReader,
  bytes: Buffer,
  position: number,
  label: string,
): TarEntry | "end" | undefined {
  try {
    return headers.accept(bytes);
  } catch (error) {
    if (position === TAR_BLOCK) throw invalid(label, "it is not a tar archive", error);
    throw error;
  }
}

function addMember(members: Members, entry: TarEntry, offset: number, label: string): void {
  if (entry.type !== "file" && entry.type !== "symlink" && entry.type !== "link") return;
  const path = entry.name.length > MAX_PATH ? undefined : cleanPath(entry.name);
  if (path === undefined) {
    const shown = JSON.stringify(entry.name.slice(0, 100));
    throw invalid(label, `its member ${shown} leads outside the archive or is too long`);
  }
  if (entry.sparse !== undefined) throw invalid(label, `its member ${JSON.stringify(path)} is a sparse file`);
  if (members.size >= MAX_MEMBERS) throw invalid(label, `it has more than ${MAX_MEMBERS} members`);
  if (entry.type === "file") members.set(path, { offset, size: entry.size });
  // A symbolic link counts from its folder, a hard link from the root.
  else if (entry.type === "link") members.set(path, { target: entry.linkName });
  else if (entry.linkName.startsWith("/")) members.set(path, { target: entry.linkName });
  else members.set(path, { target: `${posix.dirname(path)}/${entry.linkName}` });
}

function isZlibError(error: unknown): boolean {
  const { code, message } = error as NodeJS.ErrnoException;
  return (typeof code === "string" && /^Z(?:STD)?_/.test(code)) || /zstd (?:data|frame)/.test(message ?? "");
}
