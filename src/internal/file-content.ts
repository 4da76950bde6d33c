import { constants } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";

type Consume = (chunk: Uint8Array) => void | Promise<void>;

const CHUNK = 256 * 1024;

export interface FileContentOptions {
  /** First byte of the stretch in the file, 0 by default. */
  readonly position?: number;
  /** Bytes to deliver; to the end of the file by default. */
  readonly length?: number;
  /** Close the handle with the stream; true by default. */
  readonly owned?: boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A stretch of an open file as a content stream: positioned reads into one buffer, so that several streams can share
 * a handle.
 */
export class FileContent {
  readonly #handle: FileHandle;
  readonly #options: FileContentOptions;
  #closed = false;

  constructor(handle: FileHandle, options: FileContentOptions = {}) {
    this.#handle = handle;
    this.#options = options;
  }

  /** A file that ends early simply delivers less: whoever reads counts and verifies. */
  async pump(consume: Consume): Promise<void> {
    const { signal, length = Number.POSITIVE_INFINITY } = this.#options;
    const buffer = Buffer.allocUnsafeSlow(Math.max(1, Math.min(CHUNK, length)));
    let position = this.#options.position ?? 0;
    let left = length;
    try {
      while (left > 0) {
        signal?.throwIfAborted();
        const { bytesRead } = await this.#handle.read(buffer, 0, Math.min(buffer.length, left), position);
        if (bytesRead === 0) break;
        position += bytesRead;
        left -= bytesRead;
        const pending = consume(buffer.subarray(0, bytesRead));
        if (pending !== undefined) await pending;
      }
    } finally {
      await this.close();
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#options.owned !== false) await this.#handle.close();
  }
}

/**
 * Opens a regular file for reading; anything else (a pipe would block for ever) is refused.
 *
 * @throws Error of node:fs, or one with code `EINVAL` for what isn't a regular file
 */
export async function openRegularFile(path: string): Promise<{ handle: FileHandle; size: number }> {
  const handle = await open(path, constants.O_RDONLY | (constants.O_NONBLOCK ?? 0));
  try {
    const stat = await handle.stat();
    if (stat.isFile()) return { handle, size: stat.size };
    throw Object.assign(new Error("not a regular file"), { code: "EINVAL" });
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Writes a whole chunk, however many system calls that takes. */
export async function writeFully(handle: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  let at = 0;
  while (at < chunk.length) {
    const { bytesWritten } = await handle.write(chunk, at, chunk.length - at, position + at);
    at += bytesWritten;
  }
}
