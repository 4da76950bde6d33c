import type { Database } from "../internal/sqlite.ts";
import type { DigestAlgorithm } from "../oci/index.ts";
import type { Upload } from "./metadata.ts";

interface Row {
  readonly id: string;
  readonly repository: string;
  readonly startedAt: number;
  readonly algorithm: DigestAlgorithm | null;
}

const COLUMNS = "id, repository, started_at AS startedAt, algorithm";

/**
 * The table of uploads under way. Beginning one costs no disk flush: what a power cut takes with it is a session that
 * nothing was acknowledged in.
 */
export class SqliteUploads {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  create(upload: Upload): void {
    this.#database.run(
      "INSERT INTO uploads (id, repository, started_at, algorithm) VALUES (?, ?, ?, ?)",
      upload.id,
      upload.repository,
      upload.startedAt,
      upload.algorithm ?? null,
    );
  }

  find(id: string): Upload | undefined {
    const row = this.#database.get<Row>(`SELECT ${COLUMNS} FROM uploads WHERE id = ?`, id);
    return row === undefined ? undefined : toUpload(row);
  }

  delete(id: string): boolean {
    return this.#database.run("DELETE FROM uploads WHERE id = ?", id).changes > 0;
  }

  list(startedBefore: number): Upload[] {
    const sql = `SELECT ${COLUMNS} FROM uploads WHERE started_at < ? ORDER BY started_at`;
    return this.#database.all<Row>(sql, startedBefore).map(toUpload);
  }

  /** What its bytes may come to; whoever counts what a repository holds counts this, too. */
  reserve(id: string, bytes: number): void {
    this.#database.run("UPDATE uploads SET reserved = ? WHERE id = ?", bytes, id);
  }
}

function toUpload(row: Row): Upload {
  const { id, repository, startedAt } = row;
  return { id, repository, startedAt, ...(row.algorithm === null ? {} : { algorithm: row.algorithm }) };
}
