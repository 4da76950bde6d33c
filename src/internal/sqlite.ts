/**
 * Opens SQLite files the way every room wants them: write-ahead log, waiting for other processes instead of
 * failing, a schema that is brought up to date under a lock, and errors with codes.
 *
 * ```ts
 * using database = openDatabase("/var/lib/dray/dray.db", { migrations: ["CREATE TABLE t (a TEXT) STRICT"] });
 * database.transaction(() => database.run("INSERT INTO t VALUES (?)", "x"));
 * ```
 */
import type * as SqliteModule from "node:sqlite";
import type { DatabaseSync, SQLInputValue, StatementSync } from "node:sqlite";

import { DrayError } from "../errors.ts";

/**
 * - `DATABASE_NEWER`: written by a newer dray; this one would damage it
 * - `DATABASE_BUSY`: another process kept its lock for longer than we wait
 * - `DATABASE_DAMAGED`: not a database, or its pages make no sense
 * - `DATABASE_FULL`: the disk is full
 * - `DATABASE_UNAVAILABLE`: can't be opened, read or written
 */
export type DatabaseErrorCode =
  | "DATABASE_NEWER"
  | "DATABASE_BUSY"
  | "DATABASE_DAMAGED"
  | "DATABASE_FULL"
  | "DATABASE_UNAVAILABLE";

export class DatabaseError extends DrayError<DatabaseErrorCode> {}

export interface DatabaseOptions {
  /**
   * The schema, one step for each version, oldest first. A released step never changes; new ones are appended.
   * All missing steps run in one transaction.
   */
  readonly migrations: readonly string[];
  /**
   * `full` (default): a commit survives a power cut. `normal`: it survives the process, and a power cut may take
   * the last ones but leaves the file sound; much cheaper where losing a row only costs work.
   */
  readonly synchronous?: "full" | "normal" | undefined;
  /** How long to wait for locks of others, in milliseconds; 5 s by default. */
  readonly timeout?: number | undefined;
}

export interface Database extends Disposable {
  run(sql: string, ...values: readonly SQLInputValue[]): { readonly changes: number };
  /** The first row. */
  get<Row extends object>(sql: string, ...values: readonly SQLInputValue[]): Row | undefined;
  all<Row extends object>(sql: string, ...values: readonly SQLInputValue[]): Row[];
  /**
   * Runs `body` as one write transaction, which other processes see whole or not at all. `body` must not await:
   * everybody else's writes wait for it. Inside another transaction of this connection it joins that one.
   */
  transaction<Result>(body: () => Result): Result;
  /**
   * Changes with every commit, by whichever connection. Equal before and inside a transaction means that nothing
   * was written in between.
   */
  revision(): string;
  /** Harmless when called twice. */
  close(): void;
}

/**
 * Opens or creates the file `path`, or a private database in memory for `:memory:`. Its folder has to exist.
 *
 * @throws DatabaseError
 */
export function openDatabase(path: string, options: DatabaseOptions): Database {
  return translating("open", path, () => {
    const timeout = options.timeout ?? 5_000;
    const connection = new (loadSqlite().DatabaseSync)(path, { timeout });
    try {
      patiently(timeout, () => connection.exec("PRAGMA journal_mode = WAL"));
      connection.exec(`PRAGMA synchronous = ${options.synchronous === "normal" ? "NORMAL" : "FULL"}`);
      connection.exec("PRAGMA foreign_keys = ON");
      patiently(timeout, () => migrate(connection, path, options.migrations));
      return new SqliteDatabase(connection, path);
    } catch (error) {
      connection.close();
      throw error;
    }
  });
}

let sqlite: typeof SqliteModule | undefined;

/**
 * Loads Node's SQLite on first use, so that commands without a database don't pay for it. The first releases of
 * Node 24 warn on stderr that the module is experimental; only that warning, only while loading, is left out.
 */
export function loadSqlite(): typeof SqliteModule {
  if (sqlite !== undefined) return sqlite;
  const emitWarning = Reflect.get(process, "emitWarning") as (...values: readonly unknown[]) => void;
  process.emitWarning = (warning: string | Error, ...rest: unknown[]): void => {
    if (rest[0] === "ExperimentalWarning" && String(warning).includes("SQLite")) return;
    emitWarning.call(process, warning, ...rest);
  };
  try {
    sqlite = process.getBuiltinModule("node:sqlite");
  } finally {
    process.emitWarning = emitWarning;
  }
  return sqlite;
}

class SqliteDatabase implements Database {
  readonly #connection: DatabaseSync;
  readonly #path: string;
  readonly #statements = new Map<string, StatementSync>();
  /** Of these, those that change something and give rows back. */
  readonly #writers = new Set<string>();
  /** Here, since asking SQLite for its own count takes as long as asking for everybody else's. */
  #changes = 0;

  constructor(connection: DatabaseSync, path: string) {
    this.#connection = connection;
    this.#path = path;
  }

  run(sql: string, ...values: readonly SQLInputValue[]): { readonly changes: number } {
    return translating("write to", this.#path, () => {
      const changes = Number(this.#prepare(sql).run(...values).changes);
      if (changes > 0) this.#changes++;
      return { changes };
    });
  }

  get<Row extends object>(sql: string, ...values: readonly SQLInputValue[]): Row | undefined {
    return translating("read", this.#path, () => {
      const row = this.#prepare(sql).get(...values) as unknown as Row | undefined;
      if (this.#writers.has(sql)) this.#changes++;
      return row;
    });
  }

  all<Row extends object>(sql: string, ...values: readonly SQLInputValue[]): Row[] {
    return translating("read", this.#path, () => {
      const rows = this.#prepare(sql).all(...values) as unknown as Row[];
      if (this.#writers.has(sql)) this.#changes++;
      return rows;
    });
  }

  transaction<Result>(body: () => Result): Result {
    if (this.#connection.isTransaction) return body();
    // Immediate: a read lock that has to become a write lock can fail at once, whatever the timeout.
    translating("write to", this.#path, () => this.#connection.exec("BEGIN IMMEDIATE"));
    try {
      const result = body();
      translating("write to", this.#path, () => this.#connection.exec("COMMIT"));
      return result;
    } finally {
      if (this.#connection.isTransaction) this.#connection.exec("ROLLBACK");
    }
  }

  revision(): string {
    // The first tells commits of other connections, the second counts changes of our own.
    const others = this.get<{ data_version: number }>("PRAGMA data_version");
    return `${others?.data_version}.${this.#changes}`;
  }

  close(): void {
    if (!this.#connection.isOpen) return;
    this.#statements.clear();
    this.#connection.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      this.#statements.set(sql, (statement = this.#connection.prepare(sql)));
      if (/\bRETURNING\b/i.test(sql)) this.#writers.add(sql);
    }
    return statement;
  }
}

function migrate(connection: DatabaseSync, path: string, migrations: readonly string[]): void {
  if (schemaVersion(connection) === migrations.length) return;
  connection.exec("BEGIN IMMEDIATE");
  try {
    // Read again under the lock: another process may just have done it.
    const version = schemaVersion(connection);
    if (version > migrations.length) {
      throw new DatabaseError(
        "DATABASE_NEWER",
        `Cannot open database ${JSON.stringify(path)}: a newer dray wrote it ` +
          `(schema ${version}, this one knows ${migrations.length}); use that version or another data folder`,
      );
    }
    for (const step of migrations.slice(version)) connection.exec(step);
    connection.exec(`PRAGMA user_version = ${migrations.length}`);
    connection.exec("COMMIT");
  } finally {
    if (connection.isTransaction) connection.exec("ROLLBACK");
  }
}

function schemaVersion(connection: DatabaseSync): number {
  return Number(connection.prepare("PRAGMA user_version").get()?.["user_version"]);
}

/**
 * SQLite doesn't call its own busy handler where waiting could be a deadlock, as when two processes turn on the
 * write-ahead log of a new file at the same moment.
 */
function patiently(timeout: number, attempt: () => void): void {
  const end = performance.now() + timeout;
  for (;;) {
    try {
      return attempt();
    } catch (error) {
      if (codeOf(error) !== "DATABASE_BUSY" || performance.now() >= end) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 + Math.random() * 8);
    }
  }
}

const CODES: ReadonlyMap<number, DatabaseErrorCode> = new Map([
  [5, "DATABASE_BUSY"],
  [6, "DATABASE_BUSY"],
  [11, "DATABASE_DAMAGED"],
  [26, "DATABASE_DAMAGED"],
  [13, "DATABASE_FULL"],
  // No room for the index of the write-ahead log, which whoever opens the file needs first.
  [10 | (19 << 8), "DATABASE_FULL"],
  [3, "DATABASE_UNAVAILABLE"],
  [8, "DATABASE_UNAVAILABLE"],
  [10, "DATABASE_UNAVAILABLE"],
  [14, "DATABASE_UNAVAILABLE"],
]);

const STATES: Readonly<Record<DatabaseErrorCode, string>> = {
  DATABASE_NEWER: "a newer dray wrote it",
  DATABASE_BUSY: "another process keeps it locked",
  DATABASE_DAMAGED: "the file is damaged or not a database",
  DATABASE_FULL: "no space left on the disk",
  DATABASE_UNAVAILABLE: "the file cannot be opened, read or written",
};

/** Runs `body`; failures of the file become a {@link DatabaseError}, a mistake in the SQL stays what it is. */
export function translating<Result>(action: string, path: string, body: () => Result): Result {
  try {
    return body();
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    const message = `Cannot ${action} database ${JSON.stringify(path)}: ${STATES[code]}`;
    throw new DatabaseError(code, message, { cause: error });
  }
}

function codeOf(error: unknown): DatabaseErrorCode | undefined {
  if (!(error instanceof Error) || !("errcode" in error) || typeof error.errcode !== "number")
    return undefined;
  // The low byte is the primary code; the rest says which kind of it.
  return CODES.get(error.errcode) ?? CODES.get(error.errcode & 0xff);
}
