import { closeSync, ftruncateSync, write, writeSync } from "node:fs";

import type { TarEntry } from "../internal/tar-header.ts";
import { SparsePlacer } from "./sparse-writer.ts";

/** From here on a write goes to another thread, unless this one has nothing else to do: a slow disk then holds nobody up. */
const LARGE = 64 * 1024;

export interface FileWriterOptions {
  /** Called before the file is closed. */
  readonly finish: () => void | Promise<void>;
  readonly blocking: boolean;
}

/** Puts an entry's data into a new file, and finishes it with the last byte. */
export class FileWriter {
  readonly #fd: number;
  readonly #finish: () => void | Promise<void>;
  readonly #sparse: SparsePlacer | undefined;
  readonly #realSize: number;
  readonly #large: number;
  #left: number;
  #position = 0;
  #open = true;

  /** Takes the descriptor over. */
  constructor(fd: number, entry: TarEntry, { finish, blocking }: FileWriterOptions) {
    this.#fd = fd;
    this.#finish = finish;
    this.#large = blocking ? Number.POSITIVE_INFINITY : LARGE;
    this.#left = entry.size;
    this.#realSize = entry.sparse?.realSize ?? entry.size;
    try {
      if (entry.sparse !== undefined) this.#sparse = new SparsePlacer(entry.sparse, entry.size);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** Finishes a file without data at once. */
  begin(): void | Promise<void> {
    return this.#left === 0 ? this.#end() : undefined;
  }

  write(chunk: Uint8Array): void | Promise<void> {
    const left = this.#left;
    this.#left -= chunk.length;
    if (this.#sparse !== undefined) return this.#writeSparse(this.#sparse, chunk, left);
    if (chunk.length >= this.#large) return this.#writeLarge(chunk);
    this.#position += writeAll(this.#fd, chunk, this.#position);
    return this.#left === 0 ? this.#end() : undefined;
  }

  close(): void {
    if (this.#open) closeSync(this.#fd);
    this.#open = false;
  }

  async #writeLarge(chunk: Uint8Array): Promise<void> {
    await writeElsewhere(this.#fd, chunk, this.#position);
    this.#position += chunk.length;
    if (this.#left === 0) await this.#end();
  }

  async #writeSparse(sparse: SparsePlacer, chunk: Uint8Array, left: number): Promise<void> {
    for (const { bytes, position } of sparse.place(chunk, left)) {
      await writeElsewhere(this.#fd, bytes, position);
    }
    if (this.#left === 0) await this.#end();
  }

  #end(): void | Promise<void> {
    // What lies behind the last stretch is a hole, too.
    if (this.#sparse !== undefined) ftruncateSync(this.#fd, this.#realSize);
    const pending = this.#finish();
    if (pending === undefined) this.close();
    else return pending.then(() => this.close());
  }
}

function writeAll(fd: number, bytes: Uint8Array, position: number): number {
  for (let at = 0; at < bytes.length;) at += writeSync(fd, bytes, at, bytes.length - at, position + at);
  return bytes.length;
}

async function writeElsewhere(fd: number, bytes: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await new Promise<number>((resolve, reject) => {
      write(fd, bytes, at, bytes.length - at, position + at, (error, written) => {
        if (error === null) resolve(written);
        else reject(error);
      });
    });
  }
}
