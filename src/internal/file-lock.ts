/**
 * Locks between processes that the kernel lets go of when their holder dies, however it dies: no process ids that
 * somebody else may get, no clocks, nothing to clean up by hand, and as good between containers that share a folder.
 *
 * Node offers no file locks, but SQLite takes them: an exclusive transaction on an empty database locks the file
 * and writes nothing. A lock file belongs to this module alone. Opening and closing it in any other way would make
 * POSIX drop the locks that this process has on it.
 */
import type { DatabaseSync } from "node:sqlite";

import { DatabaseError, loadSqlite, translating } from "./sqlite.ts";

/** A lock that is held for a while; taken or refused at once. */
export class FileLock implements Disposable {
  readonly #connection: DatabaseSync;

  private constructor(connection: DatabaseSync) {
    this.#connection = connection;
  }

  /** Creates the file when it's missing; `undefined` while somebody else holds the lock. */
  static tryAcquire(path: string): FileLock | undefined {
    try {
      const connection = openLockFile(path, 0);
      begin(path, connection);
      return new FileLock(connection);
    } catch (error) {
      if (error instanceof DatabaseError && error.code === "DATABASE_BUSY") return undefined;
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

  /**
   * Runs `body` alone. It must neither await nor come back here.
   *
   * @throws DatabaseError when the lock can't be had
   */
  run<Result>(body: () => Result): Result {
    const connection = (this.#connection ??= openLockFile(this.#path, this.#timeout));
    translating("lock", this.#path, () => connection.exec("BEGIN EXCLUSIVE"));
    try {
      return body();
    } finally {
      connection.exec("ROLLBACK");
    }
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
  return translating("lock", path, () => {
    const connection = new (loadSqlite().DatabaseSync)(path, { timeout });
    try {
      // Otherwise every transaction would create and delete a journal beside the file.
      connection.exec("PRAGMA journal_mode = MEMORY");
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  });
}

function begin(path: string, connection: DatabaseSync): void {
  try {
    translating("lock", path, () => connection.exec("BEGIN EXCLUSIVE"));
  } catch (error) {
    connection.close();
    throw error;
  }
}
