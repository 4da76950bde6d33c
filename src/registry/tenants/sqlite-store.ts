import { closeSync, openSync } from "node:fs";

import { DatabaseError, openDatabase, type Database } from "../../internal/sqlite.ts";
import type { NamePage } from "../access/store.ts";
import type { TenantStore } from "./store.ts";
import type { TenantRecord } from "./tenant.ts";

/** Tenants are read as a whole and by name alone, so all but that lies in a document. */
const MIGRATIONS: readonly string[] = [
  "CREATE TABLE tenants (name TEXT PRIMARY KEY, revision INTEGER NOT NULL, document TEXT NOT NULL) STRICT, WITHOUT ROWID;",
];

/** In the registry's folder, beside `access.db` with the robots' hashes. */
export const TENANTS_FILE = "tenants.db";

/**
 * Opens or creates the file `path`, readable by its owner alone, or a store in memory for `:memory:`.
 *
 * @throws DatabaseError
 */
export function openSqliteTenantStore(path: string): TenantStore {
  if (path !== ":memory:") createPrivate(path);
  return new SqliteTenantStore(openDatabase(path, { migrations: MIGRATIONS }));
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

class SqliteTenantStore implements TenantStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  async find(name: string): Promise<TenantRecord | undefined> {
    const row = this.#database.get<Row>("SELECT document FROM tenants WHERE name = ?", name);
    return row === undefined ? undefined : toTenant(row);
  }

  async add(tenant: TenantRecord): Promise<boolean> {
    const { name, revision } = tenant;
    const sql = "INSERT INTO tenants VALUES (?, ?, ?) ON CONFLICT DO NOTHING";
    return this.#database.run(sql, name, revision, JSON.stringify(tenant)).changes > 0;
  }

  async replace(tenant: TenantRecord): Promise<boolean> {
    const { name, revision } = tenant;
    const sql = "UPDATE tenants SET revision = ?, document = ? WHERE name = ? AND revision = ?";
    return this.#database.run(sql, revision, JSON.stringify(tenant), name, revision - 1).changes > 0;
  }

  async delete(name: string, revision: number): Promise<boolean> {
    const sql = "DELETE FROM tenants WHERE name = ? AND revision = ?";
    return this.#database.run(sql, name, revision).changes > 0;
  }

  async list(page: NamePage): Promise<readonly TenantRecord[]> {
    const sql = "SELECT document FROM tenants WHERE name > ? ORDER BY name LIMIT ?";
    return this.#database.all<Row>(sql, page.after ?? "", page.limit).map(toTenant);
  }

  generation(): string {
    return this.#database.revision();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#database.close();
  }
}

interface Row {
  readonly document: string;
}

function toTenant(row: Row): TenantRecord {
  return JSON.parse(row.document) as TenantRecord;
}
