import { randomUUID } from "node:crypto";

import type { Database } from "../internal/sqlite.ts";
import type { Digest } from "../oci/index.ts";
import type { Lease, LeaseStore } from "./names.ts";

const DAY = 24 * 60 * 60 * 1000;

/** Leases in the store's database, seen by every process at once. */
export class SqliteLeases implements LeaseStore {
  readonly #database: Database;
  readonly #now: () => number;

  constructor(database: Database, now: () => number) {
    this.#database = database;
    this.#now = now;
  }

  create(options: { readonly ttl?: number | undefined } = {}): Lease {
    this.#database.run("DELETE FROM lease WHERE expires_at <= ?", this.#now());
    return new SqliteLease(this.#database, this.#now, options.ttl ?? DAY);
  }

  listDigests(): readonly Digest[] {
    const rows = this.#database.all<{ digest: Digest }>(
      "SELECT DISTINCT digest FROM leased JOIN lease ON lease.id = lease WHERE expires_at > ? ORDER BY digest",
      this.#now(),
    );
    return rows.map((row) => row.digest);
  }
}

class SqliteLease implements Lease {
  readonly id: string = randomUUID();
  readonly #database: Database;
  readonly #now: () => number;
  readonly #ttl: number;

  constructor(database: Database, now: () => number, ttl: number) {
    this.#database = database;
    this.#now = now;
    this.#ttl = ttl;
  }

  add(digest: Digest): void {
    this.#database.transaction(() => {
      this.#database.run(
        "INSERT INTO lease (id, expires_at) VALUES (?1, ?2) ON CONFLICT (id) DO UPDATE SET expires_at = ?2",
        this.id,
        this.#now() + this.#ttl,
      );
      this.#database.run("INSERT OR IGNORE INTO leased (lease, digest) VALUES (?, ?)", this.id, digest);
    });
  }

  remove(digests: Iterable<Digest>): void {
    this.#database.transaction(() => {
      for (const digest of digests) {
        this.#database.run("DELETE FROM leased WHERE lease = ? AND digest = ?", this.id, digest);
      }
    });
  }

  release(): void {
    this.#database.run("DELETE FROM lease WHERE id = ?", this.id);
  }

  [Symbol.dispose](): void {
    this.release();
  }
}
