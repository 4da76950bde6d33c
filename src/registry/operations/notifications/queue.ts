/**
 * Events on their way to receivers, in a file of their own:
 *
 * ```text
 * add ─► queued ─┬─ delivered ─► gone
 *                └─ given up  ─► dead letter, kept for somebody to look at and send again
 * ```
 *
 * Both are bounded: what is oldest goes first, and is counted.
 */
import { openDatabase, type Database } from "../../../internal/sqlite.ts";

const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE queue (
    id INTEGER PRIMARY KEY AUTOINCREMENT, endpoint TEXT NOT NULL, event TEXT NOT NULL, queued_at INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX queue_by_endpoint ON queue (endpoint, id);
  CREATE TABLE dead (
    id INTEGER PRIMARY KEY, endpoint TEXT NOT NULL, event TEXT NOT NULL, queued_at INTEGER NOT NULL,
    died_at INTEGER NOT NULL, reason TEXT NOT NULL
  ) STRICT;
  CREATE INDEX dead_by_endpoint ON dead (endpoint, id);
  CREATE TABLE dropped (endpoint TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  `,
];

export interface QueuedEvent {
  readonly id: number;
  /** JSON. */
  readonly event: string;
  /** Milliseconds since the epoch. */
  readonly queuedAt: number;
  /** How often it was tried in vain. */
  readonly attempts: number;
}

export interface DeadEvent {
  readonly id: number;
  readonly endpoint: string;
  readonly event: string;
  readonly queuedAt: number;
  readonly diedAt: number;
  readonly reason: string;
}

export interface QueueTally {
  readonly endpoint: string;
  readonly queued: number;
  /** When the oldest was queued; milliseconds since the epoch. */
  readonly oldest: number | undefined;
  readonly dead: number;
  /** How many were lost because there were too many. */
  readonly dropped: number;
}

export interface QueueLimits {
  /** Events per endpoint. */
  readonly queued: number;
  readonly dead: number;
}

export class NotificationQueue implements Disposable {
  readonly #database: Database;
  readonly #limits: QueueLimits;
  /** Counted here and looked up anew now and then, since others may add and take, too. */
  readonly #room = new Map<string, number>();

  /** @throws DatabaseError */
  constructor(path: string, limits: QueueLimits = { queued: 100_000, dead: 10_000 }) {
    // A power cut may take the last events, never the file; the process's end takes none.
    this.#database = openDatabase(path, { migrations: MIGRATIONS, synchronous: "normal" });
    this.#limits = limits;
  }

  /** Queues all of them or none. */
  add(events: readonly { readonly endpoint: string; readonly event: string }[], now: number): void {
    this.#database.transaction(() => {
      for (const { endpoint, event } of events) {
        this.#makeRoom(endpoint);
        this.#database.run(
          "INSERT INTO queue (endpoint, event, queued_at) VALUES (?, ?, ?)",
          endpoint,
          event,
          now,
        );
      }
    });
  }

  /** The oldest ones. */
  peek(endpoint: string, limit: number): readonly QueuedEvent[] {
    return this.#database.all<QueuedEvent>(
      "SELECT id, event, queued_at AS queuedAt, attempts FROM queue WHERE endpoint = ? ORDER BY id LIMIT ?",
      endpoint,
      limit,
    );
  }

  delivered(ids: readonly number[]): void {
    this.#database.transaction(() => {
      for (const id of ids) this.#database.run("DELETE FROM queue WHERE id = ?", id);
    });
  }

  failed(ids: readonly number[]): void {
    this.#database.transaction(() => {
      for (const id of ids) this.#database.run("UPDATE queue SET attempts = attempts + 1 WHERE id = ?", id);
    });
  }

  /** Gives events up. */
  bury(ids: readonly number[], reason: string, now: number): void {
    this.#database.transaction(() => {
      for (const id of ids) {
        this.#database.run(
          `INSERT OR REPLACE INTO dead SELECT id, endpoint, event, queued_at, ?, ? FROM queue WHERE id = ?`,
          now,
          reason,
          id,
        );
        this.#database.run("DELETE FROM queue WHERE id = ?", id);
      }
      this.#database.run(
        `DELETE FROM dead WHERE id IN (SELECT id FROM (SELECT id, row_number() OVER
           (PARTITION BY endpoint ORDER BY id DESC) AS place FROM dead) WHERE place > ?)`,
        this.#limits.dead,
      );
    });
  }

  /** Newest first. */
  listDead(limit: number): readonly DeadEvent[] {
    return this.#database.all<DeadEvent>(
      `SELECT id, endpoint, event, queued_at AS queuedAt, died_at AS diedAt, reason FROM dead
       ORDER BY died_at DESC, id DESC LIMIT ?`,
      limit,
    );
  }

  /** Queues what was given up once more, behind all others; how many. */
  revive(now: number): number {
    return this.#database.transaction(() => {
      const { changes } = this.#database.run(
        "INSERT INTO queue (endpoint, event, queued_at) SELECT endpoint, event, ? FROM dead ORDER BY id",
        now,
      );
      this.#database.run("DELETE FROM dead");
      this.#room.clear();
      return changes;
    });
  }

  tallies(): readonly QueueTally[] {
    const rows = this.#database.all<Omit<QueueTally, "oldest"> & { readonly oldest: number | null }>(
      `SELECT endpoint, coalesce(queued, 0) AS queued, oldest, coalesce(dead, 0) AS dead,
         coalesce(dropped.count, 0) AS dropped
       FROM (SELECT endpoint FROM queue UNION SELECT endpoint FROM dead UNION SELECT endpoint FROM dropped)
       LEFT JOIN (SELECT endpoint, count(*) AS queued, min(queued_at) AS oldest FROM queue GROUP BY endpoint)
         USING (endpoint)
       LEFT JOIN (SELECT endpoint, count(*) AS dead FROM dead GROUP BY endpoint) USING (endpoint)
       LEFT JOIN dropped USING (endpoint) ORDER BY endpoint`,
    );
    return rows.map((row) => ({ ...row, oldest: row.oldest ?? undefined }));
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }

  #makeRoom(endpoint: string): void {
    const room = this.#room.get(endpoint) ?? 0;
    if (room > 0) {
      this.#room.set(endpoint, room - 1);
      return;
    }
    const count = this.#database.get<{ count: number }>(
      "SELECT count(*) AS count FROM queue WHERE endpoint = ?",
      endpoint,
    );
    const free = this.#limits.queued - (count?.count ?? 0);
    // Counting costs what there is to count, so it is done once for each tenth of the room.
    this.#room.set(endpoint, Math.max(0, Math.min(free, Math.ceil(this.#limits.queued / 10)) - 1));
    if (free > 0) return;
    this.#database.run(
      "DELETE FROM queue WHERE id = (SELECT id FROM queue WHERE endpoint = ? ORDER BY id LIMIT 1)",
      endpoint,
    );
    this.#database.run(
      "INSERT INTO dropped VALUES (?, 1) ON CONFLICT DO UPDATE SET count = count + 1",
      endpoint,
    );
  }
}
