/**
 * Lines appended to a file that is set aside when it has grown:
 *
 * ```text
 * audit.log     written to
 * audit.log.1   the one before
 * audit.log.2   …
 * ```
 *
 * Lines that come together are one write, and one sync where syncs are wanted.
 */
import { constants } from "node:fs";
import { open, rename, rm, type FileHandle } from "node:fs/promises";
import { dirname } from "node:path";

import { syncFolder } from "../../internal/atomic-write.ts";
import { makeFolder } from "../../internal/make-folder.ts";

export interface AppendFileOptions {
  /** Bytes after which the file is set aside. */
  readonly maxSize: number;
  /** How many that were set aside are kept. */
  readonly keep: number;
  /**
   * When lines reach the disk: each before `append()` resolves, those of a second together soon after, or when the
   * system likes. What was written survives the process in any case, and a power cut only once it was synced.
   */
  readonly sync: "always" | "second" | "never";
}

/** Readable by its owner and group: paths and names of users are nobody else's business. */
const MODE = 0o640;
const SECOND = 1_000;

export class AppendFile implements AsyncDisposable {
  readonly #path: string;
  readonly #options: AppendFileOptions;
  #handle: FileHandle | undefined;
  #size = 0;
  #waiting: string[] = [];
  /** Settles when all is done that has to do with the open file. */
  #last: Promise<unknown> = Promise.resolve();
  /** The write that hasn't begun yet. */
  #next: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(path: string, options: AppendFileOptions) {
    this.#path = path;
    this.#options = options;
  }

  /** Resolves when the line is in the file. Lines keep the order in which they came. */
  append(line: string): Promise<void> {
    if (this.#closed) {
      return Promise.reject(new Error(`Cannot append to ${JSON.stringify(this.#path)}: it was closed`));
    }
    this.#waiting.push(line);
    return this.#flush();
  }

  /** Opens the file anew at the next line: somebody moved it away. */
  async reopen(): Promise<void> {
    await this.#inTurn(() => this.#release());
  }

  async close(): Promise<void> {
    this.#closed = true;
    if (this.#waiting.length > 0) await this.#flush();
    await this.#inTurn(() => this.#release());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  /** A line joins the write that hasn't begun yet. */
  #flush(): Promise<void> {
    return (this.#next ??= this.#inTurn(() => {
      this.#next = undefined;
      return this.#write();
    }));
  }

  /** One after the other: whoever lets go of the file must not take it from under a write. */
  #inTurn(work: () => Promise<void>): Promise<void> {
    const turn = this.#last.then(work);
    this.#last = turn.catch(() => {});
    return turn;
  }

  async #write(): Promise<void> {
    const lines = this.#waiting;
    if (lines.length === 0) return;
    this.#waiting = [];
    const bytes = Buffer.from(lines.map((line) => `${line}\n`).join(""));
    try {
      if (this.#size > 0 && this.#size + bytes.length > this.#options.maxSize) await this.#rotate();
      const handle = (this.#handle ??= await this.#open());
      await this.#writeAll(handle, bytes);
      if (this.#options.sync === "always") await handle.datasync();
      else if (this.#options.sync === "second") this.#syncSoon();
    } catch (error) {
      // The file may have been moved or the disk filled: the next line tries from the beginning.
      await this.#release().catch(() => {});
      // The system names the file where it opens one, and not where it writes to it.
      if (error instanceof Error && "syscall" in error && !("path" in error)) {
        throw Object.assign(error, { path: this.#path });
      }
      throw error;
    }
  }

  async #writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
    for (let at = 0; at < bytes.length;) {
      const { bytesWritten } = await handle.write(bytes, at);
      at += bytesWritten;
      this.#size += bytesWritten;
    }
  }

  async #open(): Promise<FileHandle> {
    makeFolder(dirname(this.#path));
    const { O_APPEND, O_CREAT, O_RDWR } = constants;
    const handle = await open(this.#path, O_APPEND | O_CREAT | O_RDWR, MODE);
    const { size } = await handle.stat();
    this.#size = size;
    // A write that a crash or a full disk cut short must not swallow the line after it.
    if (size > 0) {
      const last = Buffer.alloc(1);
      await handle.read(last, 0, 1, size - 1);
      if (last[0] !== 0x0a) await this.#writeAll(handle, Buffer.from("\n"));
    } else if (this.#options.sync !== "never") await syncFolder(dirname(this.#path));
    return handle;
  }

  async #rotate(): Promise<void> {
    await this.#release();
    const { keep } = this.#options;
    await rm(keep === 0 ? this.#path : `${this.#path}.${keep}`, { force: true });
    for (let index = keep - 1; index >= 0; index--) {
      const from = index === 0 ? this.#path : `${this.#path}.${index}`;
      await rename(from, `${this.#path}.${index + 1}`).catch((error: NodeJS.ErrnoException) => {
        if (error.code !== "ENOENT") throw error;
      });
    }
    this.#size = 0;
  }

  #syncSoon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      // A disk that fails says so at the next line, too.
      void this.#handle?.datasync().catch(() => {});
    }, SECOND).unref();
  }

  async #release(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const handle = this.#handle;
    this.#handle = undefined;
    if (handle === undefined) return;
    try {
      if (this.#options.sync !== "never") await handle.datasync();
    } finally {
      await handle.close();
    }
  }
}
