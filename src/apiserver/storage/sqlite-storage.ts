/**
 * Objects in one SQLite file. Every state of every object is a row of `versions`; the row that replaced it is named
 * in `superseded`. So one table is the newest state, the past that lists go on in, and the log that watches resume
 * from, and compaction deletes the rows that were superseded long enough ago.
 *
 * What is newest lives in memory too, as text: reads don't touch the file. Writes of one turn of the event loop
 * share one commit.
 */
import { openDatabase, type Database } from "../../internal/sqlite.ts";
import { encodeRevision, EncodedObject } from "./encode-object.ts";
import { StorageError } from "./errors.ts";
import { ResourceIndex } from "./resource-index.ts";
import type {
  ApiStorage,
  Change,
  ListedObjects,
  ListRange,
  ObjectKey,
  ResourceName,
  Scope,
  StoredObject,
  Write,
} from "./storage.ts";

export interface SqliteStorageOptions {
  /** How many of the last changes stay readable; 10,000 by default. */
  readonly history?: number | undefined;
}

const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE versions (
    revision INTEGER PRIMARY KEY,
    resource TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    previous INTEGER,
    superseded INTEGER,
    deleted INTEGER NOT NULL,
    expires INTEGER,
    text TEXT NOT NULL
  ) STRICT;
  CREATE INDEX versions_by_key ON versions (resource, namespace, name, revision);
  CREATE INDEX versions_superseded ON versions (superseded) WHERE superseded IS NOT NULL;
  CREATE INDEX versions_expiring ON versions (expires) WHERE expires IS NOT NULL AND superseded IS NULL;
  CREATE TABLE counters (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO counters VALUES ('revision', 1), ('compacted', 1);
  `,
];

/** So many changes are kept ready in memory for watches that begin a little in the past. */
const RECENT = 1_000;

interface VersionRow {
  readonly revision: number;
  readonly resource: string;
  readonly namespace: string;
  readonly name: string;
  readonly text: string;
}

interface ChangeRow extends VersionRow {
  readonly previous: number | null;
  readonly deleted: number;
  readonly before: string | null;
}

interface PendingWrite {
  readonly write: Write;
  readonly resolve: (stored: StoredObject) => void;
  readonly reject: (error: unknown) => void;
}

export class SqliteStorage implements ApiStorage {
  readonly #database: Database;
  readonly #history: number;
  readonly #resources = new Map<ResourceName, ResourceIndex>();
  readonly #listeners = new Set<(changes: readonly Change[]) => void>();
  #recent: Change[] = [];
  /** The revision this began with: what was changed by then isn't known by resource. */
  readonly #opened: number;
  #revision: number;
  #compacted: number;
  #queue: PendingWrite[] = [];
  #flushing: Promise<void> | undefined;
  #closed = false;

  /** @throws DatabaseError */
  static open(path: string, options: SqliteStorageOptions = {}): SqliteStorage {
    return new SqliteStorage(openDatabase(path, { migrations: MIGRATIONS }), options);
  }

  private constructor(database: Database, options: SqliteStorageOptions) {
    this.#database = database;
    this.#history = options.history ?? 10_000;
    this.#opened = this.#revision = this.#readCounter("revision");
    this.#compacted = this.#readCounter("compacted");
    const rows = database.all<VersionRow>(
      "SELECT revision, resource, namespace, name, text FROM versions WHERE superseded IS NULL AND deleted = 0",
    );
    for (const row of rows) this.#indexOf(row.resource).set(toStored(row));
    const start = Math.max(this.#compacted, this.#revision - RECENT);
    this.#recent = this.#readChanges(start, RECENT);
  }

  get revision(): number {
    return this.#revision;
  }

  get compacted(): number {
    return this.#compacted;
  }

  find(key: ObjectKey): Promise<StoredObject | undefined> {
    return Promise.resolve(this.#resources.get(key.resource)?.get(key));
  }

  list(scope: Scope, range: ListRange = {}): Promise<ListedObjects> {
    // An executor that throws rejects, so that callers meet one kind of failure.
    return new Promise((resolve) => resolve(this.#list(scope, range)));
  }

  #list(scope: Scope, range: ListRange): ListedObjects {
    const index = this.#indexOf(scope.resource);
    const at = range.at ?? this.#revision;
    if (at < this.#compacted) throw compacted(at, this.#compacted);
    // Nothing of this resource changed since: the newest state is the one that was asked for.
    const now = index.changed <= at;
    const found = now ? index.list(scope.namespace, range.after) : this.#listPast(scope, range, at);
    const { limit } = range;
    if (limit === undefined || found.length <= limit) return { items: found, revision: at, remaining: 0 };
    return { items: found.slice(0, limit), revision: at, remaining: found.length - limit };
  }

  write(write: Write): Promise<StoredObject> {
    if (this.#closed)
      return Promise.reject(new StorageError("CLOSED", "Cannot write: the storage is closed"));
    return new Promise((resolve, reject) => {
      this.#queue.push({ write, resolve, reject });
      this.#flushing ??= new Promise((done) => {
        setImmediate(() => {
          this.#flushing = undefined;
          this.#flush();
          done();
        });
      });
    });
  }

  listChanges(after: number, limit: number): Promise<readonly Change[]> {
    return new Promise((resolve) => {
      if (after < this.#compacted) throw compacted(after, this.#compacted);
      const first = this.#recent[0]?.stored.revision;
      if (first !== undefined && after >= first - 1) {
        const start = this.#recent.findIndex((change) => change.stored.revision > after);
        resolve(start === -1 ? [] : this.#recent.slice(start, start + limit));
      } else resolve(this.#readChanges(after, limit));
    });
  }

  subscribe(listener: (changes: readonly Change[]) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  listExpired(now: number, limit: number): Promise<readonly StoredObject[]> {
    return new Promise((resolve) => {
      const rows = this.#database.all<VersionRow>(
        `SELECT revision, resource, namespace, name, text FROM versions
         WHERE expires IS NOT NULL AND superseded IS NULL AND deleted = 0 AND expires <= ?
         ORDER BY expires LIMIT ?`,
        now,
        limit,
      );
      resolve(rows.map((row) => toStored(row)));
    });
  }

  count(): ReadonlyMap<ResourceName, number> {
    return new Map([...this.#resources].map(([resource, index]) => [resource, index.size]));
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#flushing;
    this.#listeners.clear();
    this.#database.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** All waiting writes in one commit; then, and only then, they can be seen. */
  #flush(): void {
    const queue = this.#queue;
    this.#queue = [];
    const settle: (() => void)[] = [];
    const changes: Change[] = [];
    try {
      this.#database.transaction(() => {
        const fresh = new Map<string, StoredObject | undefined>();
        let revision = this.#revision;
        for (const { write, resolve, reject } of queue) {
          const { key } = write;
          const place = `${key.resource} ${key.namespace} ${key.name}`;
          const current = fresh.has(place) ? fresh.get(place) : this.#resources.get(key.resource)?.get(key);
          if ((current?.revision ?? 0) !== write.expected || (write.object ?? current) === undefined) {
            settle.push(() => reject(conflict(key, current)));
            continue;
          }
          const change = this.#insert(write, current, (revision += 1));
          fresh.set(place, write.object === undefined ? undefined : change.stored);
          changes.push(change);
          settle.push(() => resolve(change.stored));
        }
        if (changes.length > 0) this.#writeCounter("revision", revision);
      });
    } catch (error) {
      for (const { reject } of queue) reject(error);
      return;
    }
    this.#publish(changes);
    for (const each of settle) each();
    this.#compact();
  }

  #insert(write: Write, current: StoredObject | undefined, revision: number): Change {
    const { key, object, expires } = write;
    const last = object ?? (current as StoredObject).object;
    const stored = encodeRevision(key, last, revision);
    if (current !== undefined) {
      this.#database.run("UPDATE versions SET superseded = ? WHERE revision = ?", revision, current.revision);
    }
    this.#database.run(
      `INSERT INTO versions (revision, resource, namespace, name, previous, deleted, expires, text)
       VALUES (?1, ?2, ?3, ?4, ?5, ?6, coalesce(?7, (SELECT expires FROM versions WHERE revision = ?5)), ?8)`,
      revision,
      key.resource,
      key.namespace,
      key.name,
      current?.revision ?? null,
      object === undefined ? 1 : 0,
      expires ?? null,
      stored.text,
    );
    if (current === undefined) return { type: "ADDED", stored };
    return { type: object === undefined ? "DELETED" : "MODIFIED", stored, previous: current };
  }

  #publish(changes: readonly Change[]): void {
    if (changes.length === 0) return;
    for (const { type, stored } of changes) {
      const index = this.#indexOf(stored.key.resource);
      if (type === "DELETED") index.delete(stored);
      else index.set(stored);
      this.#revision = stored.revision;
    }
    this.#recent.push(...changes);
    if (this.#recent.length > 2 * RECENT) this.#recent = this.#recent.slice(-RECENT);
    for (const listener of this.#listeners) listener(changes);
  }

  #listPast(scope: Scope, range: ListRange, at: number): readonly StoredObject[] {
    const rows = this.#database.all<VersionRow>(
      `SELECT revision, resource, namespace, name, text FROM versions
       WHERE resource = ?1 AND revision <= ?2 AND (superseded IS NULL OR superseded > ?2) AND deleted = 0
         AND (?3 = '' OR namespace = ?3) AND (namespace > ?4 OR (namespace = ?4 AND name > ?5))
       ORDER BY namespace, name`,
      scope.resource,
      at,
      scope.namespace ?? "",
      range.after?.namespace ?? "",
      range.after?.name ?? "",
    );
    return rows.map((row) => toStored(row));
  }

  #readChanges(after: number, limit: number): Change[] {
    const rows = this.#database.all<ChangeRow>(
      `SELECT v.revision, v.resource, v.namespace, v.name, v.text, v.previous, v.deleted, p.text AS before
       FROM versions v LEFT JOIN versions p ON p.revision = v.previous
       WHERE v.revision > ? ORDER BY v.revision LIMIT ?`,
      after,
      limit,
    );
    return rows.map((row) => toChange(row));
  }

  /** In strides, so that not every write pays for it. */
  #compact(): void {
    const excess = this.#revision - this.#compacted - this.#history;
    if (excess < Math.max(1, this.#history / 10)) return;
    const target = this.#revision - this.#history;
    this.#database.transaction(() => {
      this.#database.run("DELETE FROM versions WHERE superseded IS NOT NULL AND superseded <= ?", target);
      this.#database.run("DELETE FROM versions WHERE deleted = 1 AND revision <= ?", target);
      this.#writeCounter("compacted", target);
    });
    this.#compacted = target;
    this.#recent = this.#recent.filter((change) => change.stored.revision > target);
  }

  #indexOf(resource: ResourceName): ResourceIndex {
    let index = this.#resources.get(resource);
    if (index === undefined) this.#resources.set(resource, (index = new ResourceIndex(this.#opened)));
    return index;
  }

  #readCounter(name: string): number {
    const row = this.#database.get<{ value: number }>("SELECT value FROM counters WHERE name = ?", name);
    return row?.value ?? 1;
  }

  #writeCounter(name: string, value: number): void {
    this.#database.run("UPDATE counters SET value = ? WHERE name = ?", value, name);
  }
}

function toStored(row: VersionRow): StoredObject {
  const { resource, namespace, name } = row;
  return new EncodedObject({ resource, namespace, name }, row.revision, row.text);
}

function toChange(row: ChangeRow): Change {
  const stored = toStored(row);
  if (row.previous === null || row.before === null) return { type: "ADDED", stored };
  const previous = new EncodedObject(stored.key, row.previous, row.before);
  return { type: row.deleted === 1 ? "DELETED" : "MODIFIED", stored, previous };
}

function conflict(key: ObjectKey, current: StoredObject | undefined): StorageError {
  const state = current === undefined ? "it is not there" : `it is at revision ${current.revision}`;
  const message = `Cannot write ${key.resource} ${JSON.stringify(key.name)}: ${state}`;
  return new StorageError("REVISION_CONFLICT", message, { current });
}

function compacted(asked: number, oldest: number): StorageError {
  return new StorageError(
    "REVISION_COMPACTED",
    `Cannot read revision ${asked}: only those from ${oldest} on are kept`,
    { oldest },
  );
}
