import { randomUUID } from "node:crypto";
import { mkdir, open, rename, rm, stat } from "node:fs/promises";
import { dirname, join } from "node:path";

import { syncFolder } from "../internal/atomic-write.ts";
import { FileContent, openRegularFile, writeFully } from "../internal/file-content.ts";
import {
  type ContentSink,
  type ContentSource,
  type ContentStream,
  type Descriptor,
  type Digest,
  digestAlgorithm,
  digestEncoded,
  OciError,
  type OpenOptions,
  type WriteOptions,
  Verifier,
  type WriteOutcome,
} from "../oci/index.ts";
import { fileError } from "./errors.ts";

/** What a blob that is still being written is called, beside `blobs/`. */
export const INGEST_PREFIX = ".dray-ingest-";

/** Where a blob lies inside a layout. */
export function blobPath(digest: Digest): string {
  return `blobs/${digestAlgorithm(digest)}/${digestEncoded(digest)}`;
}

export interface BlobFolderOptions {
  /** Sync every blob to the disk before it becomes visible; true by default. */
  readonly durable?: boolean;
}

/** `blobs/<algorithm>/<hex>` under a folder: verified when written, checked for size when found. */
export class BlobFolder implements ContentSource, ContentSink {
  readonly root: string;
  readonly #durable: boolean;

  constructor(root: string, options: BlobFolderOptions = {}) {
    this.root = root;
    this.#durable = options.durable ?? true;
  }

  async has(descriptor: Descriptor): Promise<boolean> {
    return (await this.sizeOf(descriptor.digest)) === descriptor.size;
  }

  /** Bytes of a blob, or `undefined` when it isn't here. */
  async sizeOf(digest: Digest): Promise<number | undefined> {
    try {
      const found = await stat(join(this.root, blobPath(digest)));
      return found.isFile() ? found.size : undefined;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT" || code === "ENOTDIR") return undefined;
      throw fileError(error, "read blob in", this.root, "UNREADABLE");
    }
  }

  async open(descriptor: Descriptor, options: OpenOptions = {}): Promise<ContentStream> {
    const path = join(this.root, blobPath(descriptor.digest));
    try {
      const { handle } = await openRegularFile(path);
      return new FileContent(handle, { position: options.offset ?? 0, signal: options.signal });
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== "ENOENT" && code !== "ENOTDIR") throw fileError(error, "open", path, "UNREADABLE");
      const where = JSON.stringify(this.root);
      throw new OciError("BLOB_UNKNOWN", `Cannot open blob "${descriptor.digest}": not in ${where}`, {
        cause: error,
      });
    }
  }

  async write(
    descriptor: Descriptor,
    source: ContentSource,
    options: WriteOptions = {},
  ): Promise<WriteOutcome> {
    const { signal, onProgress } = options;
    signal?.throwIfAborted();
    if (await this.has(descriptor)) {
      onProgress?.(descriptor.size);
      return "exists";
    }
    const target = join(this.root, blobPath(descriptor.digest));
    const partial = join(this.root, INGEST_PREFIX + randomUUID());
    try {
      await mkdir(dirname(target), { recursive: true });
      await this.#ingest(partial, descriptor, source, options);
      await rename(partial, target);
      if (this.#durable) await syncFolder(dirname(target));
      return "written";
    } catch (error) {
      await rm(partial, { force: true }).catch(() => undefined);
      throw fileError(error, "write blob to", this.root, "UNWRITABLE");
    }
  }

  async #ingest(
    path: string,
    descriptor: Descriptor,
    source: ContentSource,
    options: WriteOptions,
  ): Promise<void> {
    const { signal, onProgress } = options;
    await using file = await open(path, "wx", 0o644);
    const verifier = new Verifier(descriptor);
    const stream = await source.open(descriptor, { signal });
    try {
      await stream.pump(async (chunk) => {
        signal?.throwIfAborted();
        const at = verifier.received;
        verifier.update(chunk);
        await writeFully(file, chunk, at);
        onProgress?.(verifier.received);
      });
    } finally {
      await stream.close();
    }
    verifier.end();
    if (this.#durable) await file.sync();
  }
}
