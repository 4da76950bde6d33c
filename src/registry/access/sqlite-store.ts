import { closeSync, openSync } from "node:fs";

import { DatabaseError, openDatabase, type Database } from "../../internal/sqlite.ts";
import type { AccessStore, NamePage, RefreshTokenRecord, RobotRecord } from "./store.ts";
import type { SigningKeyRecord, UserRecord } from "./store.ts";

/** Robots and users are read as a whole and by name alone, so all but what is searched for lies in a document. */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE users (name TEXT PRIMARY KEY, password_hash TEXT NOT NULL, groups TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE robots (name TEXT PRIMARY KEY, revision INTEGER NOT NULL, document TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE refresh_tokens (
    hash TEXT PRIMARY KEY, login TEXT NOT NULL, credential TEXT NOT NULL,
    created_at INTEGER NOT NULL, expires_at INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX refresh_tokens_by_login ON refresh_tokens (login);
  CREATE INDEX refresh_tokens_by_end ON refresh_tokens (expires_at);
  CREATE TABLE signing_keys (
    id TEXT PRIMARY KEY, algorithm TEXT NOT NULL, created_at INTEGER NOT NULL, private_key TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
];

const TOKEN_COLUMNS = "hash, login, credential, created_at AS createdAt, expires_at AS expiresAt";

interface UserRow {
  readonly name: string;
  readonly passwordHash: string;
  readonly groups: string;
}

/**
 * Opens or creates the file `path`, readable by its owner alone, or a store in memory for `:memory:`.
 *
 * @throws DatabaseError
 */
export function openSqliteAccessStore(path: string): AccessStore {
  if (path !== ":memory:") createPrivate(path);
  return new SqliteAccessStore(openDatabase(path, { migrations: MIGRATIONS }));
}

/** SQLite gives its log files the permissions of the database, which has to exist for that. */
function createPrivate(path: string): void {
  try {
    closeSync(openSync(path, "a", 0o600));
  } catch (cause) {
    const message = `Cannot open database ${JSON.stringify(path)}: the file cannot be opened or created`;
    throw new DatabaseError("DATABASE_UNAVAILABLE", message, { cause });
  }
}

class SqliteAccessStore implements AccessStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  generation(): string {
    return this.#database.revision();
  }

  async findUser(name: string): Promise<UserRecord | undefined> {
    const sql = "SELECT name, password_hash AS passwordHash, groups FROM users WHERE name = ?";
    const row = this.#database.get<UserRow>(sql, name);
    return row === undefined ? undefined : toUser(row);
  }

  async putUser(user: UserRecord): Promise<void> {
    const { name, passwordHash, groups } = user;
    const sql = "INSERT OR REPLACE INTO users VALUES (?, ?, ?)";
    this.#database.run(sql, name, passwordHash, JSON.stringify(groups));
  }

  async deleteUser(name: string): Promise<boolean> {
    return this.#database.run("DELETE FROM users WHERE name = ?", name).changes > 0;
  }

  async listUsers(page: NamePage): Promise<readonly UserRecord[]> {
    const sql =
      "SELECT name, password_hash AS passwordHash, groups FROM users WHERE name > ? ORDER BY name LIMIT ?";
    return this.#database.all<UserRow>(sql, page.after ?? "", page.limit).map(toUser);
  }

  async findRobot(name: string): Promise<RobotRecord | undefined> {
    const row = this.#database.get<{ document: string }>("SELECT document FROM robots WHERE name = ?", name);
    return row === undefined ? undefined : toRobot(row);
  }

  async addRobot(robot: RobotRecord): Promise<boolean> {
    const sql = "INSERT INTO robots VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
    return this.#database.run(sql, robot.name, robot.revision, JSON.stringify(robot)).changes > 0;
  }

  async replaceRobot(robot: RobotRecord): Promise<boolean> {
    const { name, revision } = robot;
    const sql = "UPDATE robots SET revision = ?, document = ? WHERE name = ? AND revision = ?";
    return this.#database.run(sql, revision, JSON.stringify(robot), name, revision - 1).changes > 0;
  }

  async deleteRobot(name: string): Promise<boolean> {
    return this.#database.run("DELETE FROM robots WHERE name = ?", name).changes > 0;
  }

  async listRobots(page: NamePage): Promise<readonly RobotRecord[]> {
    const sql = "SELECT document FROM robots WHERE name > ? ORDER BY name LIMIT ?";
    return this.#database.all<{ document: string }>(sql, page.after ?? "", page.limit).map(toRobot);
  }

  async findRefreshToken(hash: string): Promise<RefreshTokenRecord | undefined> {
    const sql = `SELECT ${TOKEN_COLUMNS} FROM refresh_tokens WHERE hash = ?`;
    const row = this.#database.get<RefreshTokenRecord>(sql, hash);
    return row === undefined ? undefined : { ...row };
  }

  async addRefreshToken(token: RefreshTokenRecord): Promise<void> {
    const { hash, login, credential, createdAt, expiresAt } = token;
    this.#database.transaction(() => {
      this.#database.run("DELETE FROM refresh_tokens WHERE expires_at <= ?", createdAt);
      const sql = "INSERT INTO refresh_tokens VALUES (?, ?, ?, ?, ?)";
      this.#database.run(sql, hash, login, credential, createdAt, expiresAt);
    });
  }

  async deleteRefreshToken(hash: string): Promise<boolean> {
    return this.#database.run("DELETE FROM refresh_tokens WHERE hash = ?", hash).changes > 0;
  }

  async deleteRefreshTokens(login: string): Promise<number> {
    return this.#database.run("DELETE FROM refresh_tokens WHERE login = ?", login).changes;
  }

  async listKeys(): Promise<readonly SigningKeyRecord[]> {
    const sql = `SELECT id, algorithm, created_at AS createdAt, private_key AS privateKey FROM signing_keys
      ORDER BY created_at, id`;
    return this.#database.all<SigningKeyRecord>(sql).map((row) => ({ ...row }));
  }

  async addKey(key: SigningKeyRecord): Promise<void> {
    const { id, algorithm, createdAt, privateKey } = key;
    this.#database.run("INSERT INTO signing_keys VALUES (?, ?, ?, ?)", id, algorithm, createdAt, privateKey);
  }

  async deleteKey(id: string): Promise<boolean> {
    return this.#database.run("DELETE FROM signing_keys WHERE id = ?", id).changes > 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#database.close();
  }
}

function toUser(row: UserRow): UserRecord {
  return { name: row.name, passwordHash: row.passwordHash, groups: JSON.parse(row.groups) as string[] };
}

function toRobot(row: { readonly document: string }): RobotRecord {
  return JSON.parse(row.document) as RobotRecord;
}
