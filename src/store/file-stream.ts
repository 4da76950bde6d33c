import { closeSync, read } from "node:fs";

import type { ByteConsumer, ContentStream } from "../oci/index.ts";
import { readError } from "./file-errors.ts";

const BUFFER_BYTES = 256 * 1024;

/** Reads an open file to its end through one buffer that is filled again and again; owns the descriptor. */
export class FileStream implements ContentStream {
  readonly #path: string;
  readonly #signal: AbortSignal | undefined;
  #fd: number | undefined;
  #position: number;
  #remaining: number;
  #pumping = false;
  #pumped = false;

  constructor(
    file: { readonly fd: number; readonly path: string; readonly size: number },
    options: Range = {},
  ) {
    this.#fd = file.fd;
    this.#path = file.path;
    this.#signal = options.signal;
    this.#position = options.offset ?? 0;
    this.#remaining = Math.max(0, file.size - this.#position);
  }

  async pump(consume: ByteConsumer): Promise<void> {
    if (this.#pumped) throw new TypeError("a content stream is pumped once");
    this.#pumped = this.#pumping = true;
    try {
      const buffer = Buffer.allocUnsafeSlow(Math.min(BUFFER_BYTES, this.#remaining));
      while (this.#remaining > 0 && this.#fd !== undefined) {
        this.#signal?.throwIfAborted();
        const bytes = await readAt(this.#fd, buffer, this.#position).catch((error: unknown) => {
          throw readError("read", this.#path, error);
        });
        if (bytes === 0) break;
        this.#position += bytes;
        this.#remaining -= bytes;
        const pending = consume(bytes === buffer.length ? buffer : buffer.subarray(0, bytes));
        if (pending !== undefined) await pending;
      }
    } finally {
      this.#pumping = false;
      await this.close();
    }
  }

  close(): Promise<void> {
    // While a read is under way its descriptor must not be closed, or the number could be somebody else's.
    if (this.#pumping) this.#remaining = 0;
    else if (this.#fd !== undefined) {
      closeSync(this.#fd);
      this.#fd = undefined;
    }
    return Promise.resolve();
  }
}

interface Range {
  readonly offset?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Fills `buffer` from `position` of a file as far as one read goes; 0 at the end. */
export function readAt(fd: number, buffer: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    read(fd, buffer, 0, buffer.length, position, (error, bytes) => {
      if (error === null) resolve(bytes);
      else reject(error);
    });
  });
}
