import { openDatabase, type Database } from "../internal/sqlite.ts";
import type { Descriptor, Digest } from "../oci/index.ts";
import type { BlobLink, ManifestRecord, NewManifest, Page, PutManifestOptions } from "./metadata.ts";
import type { PutManifestOutcome, ReferrersPage, RegistryMetadata, Upload } from "./metadata.ts";
import { SqliteUploads } from "./sqlite-uploads.ts";

/** Text compares bytewise in SQLite, which is the order the protocol asks for; so every list is one index range. */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE repositories (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
  CREATE TABLE blobs (
    repository INTEGER NOT NULL REFERENCES repositories, digest TEXT NOT NULL, size INTEGER NOT NULL,
    linked_at INTEGER NOT NULL, PRIMARY KEY (repository, digest)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX blobs_by_digest ON blobs (digest);
  CREATE TABLE manifests (
    repository INTEGER NOT NULL REFERENCES repositories, digest TEXT NOT NULL, media_type TEXT NOT NULL,
    size INTEGER NOT NULL, pushed_at INTEGER NOT NULL, PRIMARY KEY (repository, digest)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE tags (
    repository INTEGER NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, tagged_at INTEGER NOT NULL,
    PRIMARY KEY (repository, name), FOREIGN KEY (repository, digest) REFERENCES manifests ON DELETE CASCADE
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tags_by_digest ON tags (repository, digest);
  CREATE TABLE referrers (
    repository INTEGER NOT NULL, subject TEXT NOT NULL, digest TEXT NOT NULL, artifact_type TEXT,
    descriptor TEXT NOT NULL, PRIMARY KEY (repository, subject, digest),
    FOREIGN KEY (repository, digest) REFERENCES manifests ON DELETE CASCADE
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX referrers_by_digest ON referrers (repository, digest);
  CREATE INDEX referrers_by_type ON referrers (repository, subject, artifact_type, digest);
  CREATE TABLE uploads (
    id TEXT PRIMARY KEY, repository TEXT NOT NULL, started_at INTEGER NOT NULL, algorithm TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX uploads_by_age ON uploads (started_at);
  `,
];

const IN_REPOSITORY = "repository = (SELECT id FROM repositories WHERE name = ?)";

export interface SqliteMetadataOptions {
  /** Milliseconds since the epoch. */
  readonly clock?: (() => number) | undefined;
}

/** Metadata in a file that others on this machine may look into, too. */
export interface SqliteMetadata extends RegistryMetadata {
  /**
   * All that some repository shows, as roots for collecting a store that the registry shares with others. Content
   * of several repositories comes several times.
   */
  listContent(): Iterable<Descriptor>;
}

/**
 * Opens or creates a registry's metadata in the file `path`, or in memory for `:memory:`.
 *
 * @throws DatabaseError
 */
export function openSqliteMetadata(path: string, options: SqliteMetadataOptions = {}): SqliteMetadata {
  return new FileMetadata(path, options.clock ?? Date.now);
}

class FileMetadata implements SqliteMetadata {
  readonly #database: Database;
  readonly #uploads: SqliteUploads;
  readonly #clock: () => number;
  #ownChanges = 0;
  #foreignVersion = -1;
  #generation = 0;

  constructor(path: string, clock: () => number) {
    this.#clock = clock;
    this.#database = openDatabase(path, { migrations: MIGRATIONS });
    this.#uploads = new SqliteUploads(path, this.#database, MIGRATIONS);
  }

  generation(): number {
    // The pragma sees commits of every other connection; our own are counted where they happen.
    const version = this.#database.get<{ data_version: number }>("PRAGMA data_version")?.data_version ?? -1;
    if (version !== this.#foreignVersion) {
      this.#foreignVersion = version;
      this.#generation++;
    }
    return this.#generation + this.#ownChanges;
  }

  async findBlob(repository: string, digest: Digest): Promise<BlobLink | undefined> {
    return this.#database.get<BlobLink>(
      `SELECT digest, size FROM blobs WHERE ${IN_REPOSITORY} AND digest = ?`,
      repository,
      digest,
    );
  }

  async linkBlob(repository: string, blob: BlobLink): Promise<void> {
    this.#database.transaction(() => this.#link(repository, blob));
  }

  async unlinkBlob(repository: string, digest: Digest): Promise<boolean> {
    const sql = `DELETE FROM blobs WHERE ${IN_REPOSITORY} AND digest = ?`;
    return this.#database.run(sql, repository, digest).changes > 0;
  }

  async findBlobRepositories(digest: Digest, page: Page): Promise<readonly string[]> {
    const sql =
      "SELECT name FROM repositories WHERE id IN (SELECT repository FROM blobs WHERE digest = ?) " +
      "AND name > ? ORDER BY name LIMIT ?";
    return this.#database
      .all<{ name: string }>(sql, digest, page.after ?? "", page.limit)
      .map((row) => row.name);
  }

  async findManifest(repository: string, digest: Digest): Promise<ManifestRecord | undefined> {
    return this.#database.get<ManifestRecord>(
      `SELECT digest, media_type AS mediaType, size FROM manifests WHERE ${IN_REPOSITORY} AND digest = ?`,
      repository,
      digest,
    );
  }

  async findTag(repository: string, tag: string): Promise<ManifestRecord | undefined> {
    return this.#database.get<ManifestRecord>(
      `SELECT m.digest, m.media_type AS mediaType, m.size FROM tags t
       JOIN manifests m ON m.repository = t.repository AND m.digest = t.digest
       WHERE t.repository = (SELECT id FROM repositories WHERE name = ?) AND t.name = ?`,
      repository,
      tag,
    );
  }

  async putManifest(
    repository: string,
    manifest: NewManifest,
    options: PutManifestOptions,
  ): Promise<PutManifestOutcome> {
    return this.#changing((): PutManifestOutcome => {
      const { expect } = options;
      if (expect !== undefined && !this.#isAsExpected(repository, expect)) return { kind: "conflict" };
      const missing = this.#findMissing(repository, options);
      if (missing.length > 0) return { kind: "missing", digests: missing };
      this.#store(this.#repositoryId(repository), manifest, options.tags);
      return { kind: "stored" };
    });
  }

  async deleteManifest(repository: string, digest: Digest): Promise<boolean> {
    const sql = `DELETE FROM manifests WHERE ${IN_REPOSITORY} AND digest = ?`;
    return this.#changing(() => this.#database.run(sql, repository, digest).changes > 0);
  }

  async deleteTag(repository: string, tag: string): Promise<boolean> {
    const sql = `DELETE FROM tags WHERE ${IN_REPOSITORY} AND name = ?`;
    return this.#changing(() => this.#database.run(sql, repository, tag).changes > 0);
  }

  async listTags(repository: string, page: Page): Promise<readonly string[] | undefined> {
    const id = this.#findRepositoryId(repository);
    if (id === undefined) return undefined;
    return this.#database
      .all<{ name: string }>(
        "SELECT name FROM tags WHERE repository = ? AND name > ? ORDER BY name LIMIT ?",
        id,
        page.after ?? "",
        page.limit,
      )
      .map((row) => row.name);
  }

  async listRepositories(page: Page): Promise<readonly string[]> {
    const sql = "SELECT name FROM repositories WHERE name > ? ORDER BY name LIMIT ?";
    return this.#database.all<{ name: string }>(sql, page.after ?? "", page.limit).map((row) => row.name);
  }

  async listReferrers(
    repository: string,
    subject: Digest,
    page: ReferrersPage,
  ): Promise<readonly Descriptor[]> {
    const ofType = page.artifactType === undefined ? "" : "AND artifact_type = ?";
    const sql = `SELECT descriptor FROM referrers WHERE ${IN_REPOSITORY} AND subject = ? ${ofType}
      AND digest > ? ORDER BY digest LIMIT ?`;
    const filter = page.artifactType === undefined ? [] : [page.artifactType];
    return this.#database
      .all<{ descriptor: string }>(sql, repository, subject, ...filter, page.after ?? "", page.limit)
      .map((row) => JSON.parse(row.descriptor) as Descriptor);
  }

  async createUpload(upload: Upload): Promise<void> {
    this.#uploads.create(upload);
  }

  async findUpload(id: string): Promise<Upload | undefined> {
    return this.#uploads.find(id);
  }

  async deleteUpload(id: string): Promise<boolean> {
    return this.#uploads.delete(id);
  }

  async finishUpload(upload: Upload, blob: BlobLink): Promise<void> {
    this.#database.transaction(() => {
      this.#link(upload.repository, blob);
      this.#database.run("DELETE FROM uploads WHERE id = ?", upload.id);
    });
  }

  async listUploads(startedBefore: number): Promise<readonly Upload[]> {
    return this.#uploads.list(startedBefore);
  }

  *listContent(): Iterable<Descriptor> {
    // A repository at a time: nothing of this has to fit into memory as a whole.
    for (const { id } of this.#database.all<{ id: number }>("SELECT id FROM repositories")) {
      yield* this.#database.all<Descriptor>(
        `SELECT digest, media_type AS mediaType, size FROM manifests WHERE repository = ?
         UNION ALL SELECT digest, 'application/octet-stream', size FROM blobs WHERE repository = ?`,
        id,
        id,
      );
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#uploads.close();
    this.#database.close();
  }

  #changing<Result>(body: () => Result): Result {
    try {
      return this.#database.transaction(body);
    } finally {
      this.#ownChanges++;
    }
  }

  #findRepositoryId(name: string): number | undefined {
    return this.#database.get<{ id: number }>("SELECT id FROM repositories WHERE name = ?", name)?.id;
  }

  #repositoryId(name: string): number {
    const known = this.#findRepositoryId(name);
    if (known !== undefined) return known;
    this.#database.run("INSERT INTO repositories (name) VALUES (?)", name);
    return this.#findRepositoryId(name) as number;
  }

  #link(repository: string, blob: BlobLink): void {
    this.#database.run(
      "INSERT INTO blobs VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET linked_at = excluded.linked_at",
      this.#repositoryId(repository),
      blob.digest,
      blob.size,
      this.#clock(),
    );
  }

  #isAsExpected(repository: string, expect: NonNullable<PutManifestOptions["expect"]>): boolean {
    const sql = `SELECT digest FROM tags WHERE ${IN_REPOSITORY} AND name = ?`;
    const digest = this.#database.get<{ digest: string }>(sql, repository, expect.tag)?.digest;
    if (expect.state === "absent") return digest === undefined;
    return digest !== undefined && (expect.state.includes("*") || expect.state.includes(digest));
  }

  #findMissing(repository: string, wanted: PutManifestOptions): Digest[] {
    const id = this.#findRepositoryId(repository) ?? -1;
    const has = (table: "blobs" | "manifests", digest: Digest): boolean =>
      this.#database.get(`SELECT 1 FROM ${table} WHERE repository = ? AND digest = ?`, id, digest) !==
      undefined;
    const blobs = [...new Set(wanted.blobs)].filter((digest) => !has("blobs", digest));
    const manifests = [...new Set(wanted.manifests)].filter(
      (digest) => !has("manifests", digest) && !has("blobs", digest),
    );
    return [...blobs, ...manifests];
  }

  #store(id: number, manifest: NewManifest, tags: readonly string[]): void {
    const now = this.#clock();
    const { digest, mediaType, size, referrer } = manifest;
    this.#database.run(
      `INSERT INTO manifests VALUES (?, ?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET media_type = excluded.media_type, pushed_at = excluded.pushed_at`,
      id,
      digest,
      mediaType,
      size,
      now,
    );
    if (referrer !== undefined) {
      const { subject, descriptor } = referrer;
      this.#database.run(
        "INSERT OR REPLACE INTO referrers VALUES (?, ?, ?, ?, ?)",
        id,
        subject,
        digest,
        descriptor.artifactType ?? null,
        JSON.stringify(descriptor),
      );
    }
    for (const tag of tags) {
      this.#database.run(
        `INSERT INTO tags VALUES (?, ?, ?, ?)
         ON CONFLICT DO UPDATE SET digest = excluded.digest, tagged_at = excluded.tagged_at`,
        id,
        tag,
        digest,
        now,
      );
    }
  }
}
