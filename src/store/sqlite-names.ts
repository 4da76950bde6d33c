import type { Database } from "../internal/sqlite.ts";
import type { Descriptor, Digest } from "../oci/index.ts";
import type { NamedImage, NameStore } from "./names.ts";
import type { SpaceReserve } from "./space-reserve.ts";

interface Row {
  readonly name: string;
  readonly target: string;
  readonly created_at: number;
  readonly updated_at: number;
}

const COLUMNS = "name, target, created_at, updated_at";

/** Names in the store's database; a change is durable when its method returns. */
export class SqliteNames implements NameStore {
  readonly #database: Database;
  readonly #now: () => number;
  readonly #reserve: SpaceReserve | undefined;

  /** @param reserve for removals, which a full disk must not hinder */
  constructor(database: Database, now: () => number, reserve?: SpaceReserve) {
    this.#database = database;
    this.#now = now;
    this.#reserve = reserve;
  }

  find(name: string): NamedImage | undefined {
    const row = this.#database.get<Row>(`SELECT ${COLUMNS} FROM name WHERE name = ?`, name);
    return row && toImage(row);
  }

  put(name: string, target: Descriptor): NamedImage {
    const now = this.#now();
    const row = this.#database.get<Row>(
      `INSERT INTO name (name, digest, target, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?4)
       ON CONFLICT (name) DO UPDATE SET digest = ?2, target = ?3, updated_at = ?4
       RETURNING ${COLUMNS}`,
      name,
      target.digest,
      JSON.stringify(target),
      now,
    );
    return toImage(row as Row);
  }

  delete(name: string): boolean {
    for (;;) {
      try {
        return this.#database.run("DELETE FROM name WHERE name = ?", name).changes > 0;
      } catch (error) {
        if (this.#reserve?.makesWay(error) !== true) throw error;
      }
    }
  }

  list(): readonly NamedImage[] {
    return this.#database.all<Row>(`SELECT ${COLUMNS} FROM name ORDER BY name`).map(toImage);
  }

  findByTarget(digest: Digest): readonly NamedImage[] {
    const sql = `SELECT ${COLUMNS} FROM name WHERE digest = ? ORDER BY name`;
    return this.#database.all<Row>(sql, digest).map(toImage);
  }
}

function toImage(row: Row): NamedImage {
  const target = JSON.parse(row.target) as Descriptor;
  return { name: row.name, target, createdAt: row.created_at, updatedAt: row.updated_at };
}
