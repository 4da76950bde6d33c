import { open, type FileHandle } from "node:fs/promises";

import type { ByteConsumer, Digest } from "../../oci/index.ts";
import type { BlobStore } from "../../store/index.ts";
import type { ByteRange } from "../range.ts";
import { RequestAborted, type ResponseStream } from "../request.ts";

const BUFFER = 256 * 1024;

/** What is followed: content that grows. */
export interface Growing {
  readonly digest: Digest;
  readonly size: number;
  readonly path: string | undefined;
  readable(position: number, signal: AbortSignal): Promise<number | "complete">;
}

/** Reads a range of content while it comes in, at the reader's own pace. */
export class FollowingStream implements ResponseStream {
  readonly length: number;
  readonly #growing: Growing;
  readonly #range: ByteRange;
  readonly #seat: Disposable;
  readonly #blobs: BlobStore;
  readonly #left = new AbortController();
  #closed = false;
  #file: FileHandle | undefined;
  #reading: Promise<unknown> = Promise.resolve();

  constructor(
    growing: Growing,
    options: { readonly range: ByteRange; readonly seat: Disposable; readonly blobs: BlobStore },
  ) {
    this.#growing = growing;
    this.#range = options.range;
    this.#seat = options.seat;
    this.#blobs = options.blobs;
    this.length = options.range.last - options.range.first + 1;
  }

  async pump(consume: ByteConsumer): Promise<void> {
    try {
      await this.#pump(consume);
    } catch (error) {
      if (error instanceof RequestAborted) throw error;
      // Why it ended was told where it ended; to this reader it is a body that stops too early.
      throw new RequestAborted({ cause: error });
    }
  }

  cancel(): void {
    this.#left.abort(new RequestAborted());
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.cancel();
    this.#seat[Symbol.dispose]();
    await this.#reading;
    await this.#file?.close();
  }

  async #pump(consume: ByteConsumer): Promise<void> {
    const end = this.#range.last + 1;
    let position = this.#range.first;
    let buffer: Buffer | undefined;
    while (position < end) {
      const ready = await this.#growing.readable(position, this.#left.signal);
      if (this.#file === undefined && !(await this.#openFile())) {
        // It has no file, or that moved to its place just now: there it is, once it is complete.
        await this.#growing.readable(this.#growing.size, this.#left.signal);
        return await this.#pumpFromStore(position, consume);
      }
      const until = ready === "complete" ? end : Math.min(ready, end);
      buffer ??= Buffer.allocUnsafeSlow(Math.min(BUFFER, this.length));
      while (position < until) {
        const chunk = await this.#read(buffer, position, until);
        position += chunk.length;
        await consume(chunk);
      }
    }
  }

  /** It stays the same file when the blob is complete and moves to its place. */
  async #openFile(): Promise<boolean> {
    const { path } = this.#growing;
    if (path === undefined) return false;
    const opening = open(path, "r").catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    this.#reading = opening.then(
      (file) => {
        this.#file = file;
      },
      () => {},
    );
    await opening;
    await this.#reading;
    return this.#file !== undefined;
  }

  async #read(buffer: Buffer, position: number, until: number): Promise<Buffer> {
    this.#left.signal.throwIfAborted();
    const wanted = Math.min(buffer.length, until - position);
    const reading = (this.#file as FileHandle).read(buffer, 0, wanted, position);
    this.#reading = reading.catch(() => {});
    const { bytesRead } = await reading;
    if (bytesRead === 0) throw new Error("Cannot read what is coming in: its file ends too early");
    return buffer.subarray(0, bytesRead);
  }

  async #pumpFromStore(position: number, consume: ByteConsumer): Promise<void> {
    const { digest, size } = this.#growing;
    const descriptor = { digest, size, mediaType: "application/octet-stream" };
    const { signal } = this.#left;
    const stream = await this.#blobs.open(descriptor, { offset: position, signal });
    let left = this.#range.last + 1 - position;
    try {
      await stream.pump(async (chunk) => {
        // A source delivers to the end; a range may end before.
        const part = chunk.length > left ? chunk.subarray(0, left) : chunk;
        left -= part.length;
        if (part.length > 0) await consume(part);
      });
    } finally {
      await stream.close();
    }
  }
}
