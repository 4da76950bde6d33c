import { fdatasync, ftruncateSync, write, writeSync } from "node:fs";

import type { RunningDigest } from "./running-digest.ts";

/** Chunks below this size are gathered, so that a socket's small reads don't become a system call each. */
const DIRECT_BYTES = 32 * 1024;
const GATHER_BYTES = 64 * 1024;
/** From here on a chunk is written by another thread while this one hashes it. */
const PARALLEL_BYTES = 128 * 1024;
/** Dirty bytes after which the disk starts writing in the background, so that little is left to wait for at the end. */
const SYNC_BYTES = 8 * 1024 * 1024;

/**
 * Appends to an open file and hashes what it appends. Small chunks go to the page cache at once, without a promise:
 * that never waits for the disk unless memory is full of unwritten bytes, and then waiting is right.
 */
export class FileAppender {
  readonly fd: number;
  #digest: RunningDigest;
  #gathered: Buffer | undefined;
  #gatheredBytes = 0;
  #syncedTo: number;
  #syncing: Promise<void> | undefined;
  #syncFailure: Error | undefined;
  #writing = 0;
  #writeFailure: Error | undefined;
  #idle: PromiseWithResolvers<void> | undefined;

  /** The file's first `digest.offset` bytes are those that `digest` has hashed. */
  constructor(fd: number, digest: RunningDigest) {
    this.fd = fd;
    this.#digest = digest;
    this.#syncedTo = digest.offset;
  }

  get offset(): number {
    return this.#digest.offset + this.#gatheredBytes;
  }

  /** Of all bytes up to `offset`. */
  get digest(): RunningDigest {
    this.flush();
    return this.#digest;
  }

  /** What a background sync was refused. The system says so once, and a later sync may succeed all the same. */
  get syncFailure(): Error | undefined {
    return this.#syncFailure;
  }

  /**
   * The chunk must stay as it is until the promise settles.
   *
   * @throws the file system's error; the file then has to be measured anew before it is continued
   */
  write(chunk: Uint8Array): void | Promise<void> {
    if (chunk.length >= DIRECT_BYTES) {
      this.flush();
      if (chunk.length >= PARALLEL_BYTES) return this.#appendBeside(chunk);
      this.#append(chunk);
      return;
    }
    if (this.#gatheredBytes + chunk.length > GATHER_BYTES) this.flush();
    this.#gathered ??= Buffer.allocUnsafeSlow(GATHER_BYTES);
    this.#gathered.set(chunk, this.#gatheredBytes);
    this.#gatheredBytes += chunk.length;
  }

  flush(): void {
    if (this.#gatheredBytes === 0 || this.#gathered === undefined) return;
    const bytes = this.#gathered.subarray(0, this.#gatheredBytes);
    // First of all, so that a failure doesn't count these bytes twice: they are written, or lost to this file.
    this.#gatheredBytes = 0;
    this.#append(bytes);
  }

  /** Goes back to where `digest` ends. */
  cut(digest: RunningDigest): void {
    this.flush();
    ftruncateSync(this.fd, digest.offset);
    this.adopt(digest);
  }

  /** The file has grown, or shrunk, to where `digest` ends by other hands. */
  adopt(digest: RunningDigest): void {
    this.#digest = digest;
    this.#syncedTo = Math.min(this.#syncedTo, digest.offset);
  }

  /** A write failed whose bytes were hashed already: what the file holds is no longer what was hashed. */
  get torn(): boolean {
    return this.#writeFailure !== undefined;
  }

  /**
   * Waits until everything is written and no sync is under way.
   *
   * @throws what a write was refused
   */
  async settle(): Promise<void> {
    if (this.#writing > 0) await (this.#idle ??= Promise.withResolvers()).promise;
    await this.#syncing;
    if (this.#writeFailure !== undefined) throw this.#writeFailure;
  }

  /** Forgets the buffer; the file is the caller's to close. */
  release(): void {
    this.#gathered = undefined;
  }

  #appendBeside(chunk: Uint8Array): Promise<void> {
    const written = this.#writeAll(chunk, this.#digest.offset);
    this.#digest.update(chunk);
    this.#syncWhenDue();
    return written;
  }

  #writeAll(bytes: Uint8Array, position: number): Promise<void> {
    this.#writing++;
    return new Promise((resolve, reject) => {
      const end = (error?: Error): void => {
        this.#writeFailure ??= error;
        if (--this.#writing === 0) this.#idle?.resolve();
        if (this.#writing === 0) this.#idle = undefined;
        if (error === undefined) resolve();
        else reject(error);
      };
      const from = (done: number): void => {
        write(this.fd, bytes, done, bytes.length - done, position + done, (error, count) => {
          if (error !== null) end(error);
          else if (done + count < bytes.length) from(done + count);
          else end();
        });
      };
      from(0);
    });
  }

  #append(bytes: Uint8Array): void {
    let done = 0;
    try {
      while (done < bytes.length) {
        done += writeSync(this.fd, bytes, done, bytes.length - done, this.#digest.offset + done);
      }
    } catch (error) {
      if (done > 0) this.#digest.update(bytes.subarray(0, done));
      throw error;
    }
    this.#digest.update(bytes);
    this.#syncWhenDue();
  }

  #syncWhenDue(): void {
    if (this.#digest.offset - this.#syncedTo < SYNC_BYTES || this.#syncing !== undefined) return;
    this.#syncedTo = this.#digest.offset;
    this.#syncing = new Promise((resolve) => {
      fdatasync(this.fd, (error) => {
        // The system reports a failed write once, to whoever syncs first: commit has to hear of it.
        this.#syncFailure ??= error ?? undefined;
        this.#syncing = undefined;
        resolve();
      });
    });
  }
}
