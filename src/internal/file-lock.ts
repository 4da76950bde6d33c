/**
 * Locks between processes that the kernel lets go of when their holder dies, however it dies: no process ids that
 * somebody else may get, no clocks, nothing to clean up by hand, and as good between containers that share a folder.
 *
 * Node offers no file locks, but SQLite takes them: an exclusive transaction on an empty database locks the file
 * and writes nothing. A lock file belongs to this module alone. Opening and closing it in any other way would make
 * POSIX drop the locks that this process has on it.
 */
import type { DatabaseSync } from "node:sqlite";

import { loadSqlite } from "./sqlite.ts";

const SQLITE_BUSY = 5;

/** A lock that is held for a while; taken or refused at once. */
export class FileLock implements Disposable {
  readonly #connection: DatabaseSync;

  private constructor(connection: DatabaseSync) {
    this.#connection = connection;
  }

  /** Creates the file when it's missing; `undefined` while somebody else holds the lock. */
  static tryAcquire(path: string): FileLock | undefined {
    const connection = openLockFile(path, 0);
    try {
      prepare(connection);
      connection.exec("BEGIN EXCLUSIVE");
      return new FileLock(connection);
    } catch (error) {
      connection.close();
      if (isBusy(error)) return undefined;
      throw error;
    }
  }

  /** Harmless when called twice. */
  release(): void {
    if (this.#connection.isOpen) this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.release();
  }
}

/** One short thing at a time among all processes; costs about ten microseconds when nobody else is there. */
export class FileMutex implements Disposable {
  readonly #path: string;
  readonly #timeout: number;
  #connection: DatabaseSync | undefined;

  /** `timeout`: how long to wait for the others, in milliseconds. */
  constructor(path: string, options: { readonly timeout?: number } = {}) {
    this.#path = path;
    this.#timeout = options.timeout ?? 10_000;
  }

  /** Runs `body` alone. It must neither await nor come back here. */
  run<Result>(body: () => Result): Result {
    const connection = this.#open();
    connection.exec("BEGIN EXCLUSIVE");
    try {
      return body();
    } finally {
      connection.exec("ROLLBACK");
    }
  }

  #open(): DatabaseSync {
    if (this.#connection !== undefined) return this.#connection;
    const connection = openLockFile(this.#path, this.#timeout);
    try {
      prepare(connection);
    } catch (error) {
      connection.close();
      throw error;
    }
    return (this.#connection = connection);
  }

  close(): void {
    this.#connection?.close();
    this.#connection = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

function openLockFile(path: string, timeout: number): DatabaseSync {
  return new (loadSqlite().DatabaseSync)(path, { timeout });
}

/** Otherwise every transaction would create and delete a journal beside the file. Looks at it, so may find it locked. */
function prepare(connection: DatabaseSync): void {
  connection.exec("PRAGMA journal_mode = MEMORY");
}

function isBusy(error: unknown): boolean {
  return error instanceof Error && "errcode" in error && error.errcode === SQLITE_BUSY;
}
