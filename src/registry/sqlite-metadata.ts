import { openDatabase, type Database } from "../internal/sqlite.ts";
import type { Descriptor, Digest } from "../oci/index.ts";
import type { Garbage, Inventory, LooseKind } from "./collect/garbage.ts";
import type { QuotaFault } from "./limits.ts";
import type { BlobLink, DeleteManifestOptions, FindOptions, FoundManifest } from "./metadata.ts";
import type { ManifestRecord, NewManifest, Page, PutManifestOptions, QuotaOptions } from "./metadata.ts";
import type { PutManifestOutcome, ReferrersPage, RegistryMetadata, Upload } from "./metadata.ts";
import { SqliteGarbage } from "./sqlite-garbage.ts";
import { SqliteLinks, touchLoose } from "./sqlite-links.ts";
import { findRepositoryId, isShown, openRepository, SqliteManifests } from "./sqlite-manifests.ts";
import { IN_REPOSITORY, MIGRATIONS } from "./sqlite-schema.ts";
import { findQuotaFault } from "./sqlite-usage.ts";
import { SqliteUploads } from "./sqlite-uploads.ts";

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
  readonly garbage: Garbage & Inventory;
  readonly #database: Database;
  /** For what may be lost in a power cut, and so costs no disk flush. */
  readonly #relaxed: Database;
  readonly #uploads: SqliteUploads;
  readonly #links: SqliteLinks;
  readonly #manifests: SqliteManifests;
  readonly #clock: () => number;
  #ownChanges = 0;
  #foreignVersion = -1;
  #generation = 0;

  constructor(path: string, clock: () => number) {
    this.#clock = clock;
    this.#database = openDatabase(path, { migrations: MIGRATIONS });
    // Every connection to `:memory:` is another database.
    const own = path === ":memory:";
    this.#relaxed = own
      ? this.#database
      : openDatabase(path, { migrations: MIGRATIONS, synchronous: "normal" });
    this.#uploads = new SqliteUploads(this.#relaxed);
    this.#links = new SqliteLinks(this.#database, clock);
    this.#manifests = new SqliteManifests(this.#database, this.#links, clock);
    this.garbage = new SqliteGarbage({
      database: this.#database,
      relaxed: this.#relaxed,
      links: this.#links,
      clock,
      changing: (body) => this.#changing(body),
    });
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

  async findBlob(
    repository: string,
    digest: Digest,
    options: FindOptions = {},
  ): Promise<BlobLink | undefined> {
    // Before looking: what is seen afterwards stays for the time of grace.
    if (options.touch === true) this.#touch(repository, ["blob"], digest);
    return this.#database.get<BlobLink>(
      `SELECT digest, size FROM blobs WHERE ${IN_REPOSITORY} AND digest = ?`,
      repository,
      digest,
    );
  }

  async linkBlob(
    repository: string,
    blob: BlobLink,
    options: QuotaOptions = {},
  ): Promise<QuotaFault | undefined> {
    return this.#database.transaction(() => this.#link(repository, blob, options));
  }

  async unlinkBlob(repository: string, digest: Digest): Promise<boolean> {
    return this.#database.transaction(() => {
      const id = findRepositoryId(this.#database, repository);
      const sql = "DELETE FROM blobs WHERE repository = ? AND digest = ?";
      if (id === undefined || this.#database.run(sql, id, digest).changes === 0) return false;
      this.#links.blobHidden(id, digest);
      return true;
    });
  }

  async findBlobRepositories(digest: Digest, page: Page): Promise<readonly string[]> {
    const sql =
      "SELECT name FROM repositories WHERE id IN (SELECT repository FROM blobs WHERE digest = ?) " +
      "AND name > ? ORDER BY name LIMIT ?";
    return this.#database
      .all<{ name: string }>(sql, digest, page.after ?? "", page.limit)
      .map((row) => row.name);
  }

  async findManifest(
    repository: string,
    digest: Digest,
    options: FindOptions = {},
  ): Promise<FoundManifest | undefined> {
    const loose = options.touch === true && this.#touch(repository, ["manifest", "referrer"], digest);
    const found = this.#database.get<ManifestRecord>(
      `SELECT digest, media_type AS mediaType, size FROM manifests WHERE ${IN_REPOSITORY} AND digest = ?`,
      repository,
      digest,
    );
    return found !== undefined && options.touch === true ? { ...found, loose } : found;
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
    return this.#changing(() => this.#manifests.put(repository, manifest, options));
  }

  async deleteManifest(
    repository: string,
    digest: Digest,
    options: DeleteManifestOptions = {},
  ): Promise<boolean> {
    return this.#changing(() => this.#manifests.delete(repository, digest, options));
  }

  async deleteTag(repository: string, tag: string): Promise<boolean> {
    return this.#changing(() => this.#manifests.deleteTag(repository, tag));
  }

  async listTags(repository: string, page: Page): Promise<readonly string[] | undefined> {
    const id = findRepositoryId(this.#database, repository);
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

  async reserveUpload(
    upload: Pick<Upload, "id" | "repository">,
    bytes: number,
    options: QuotaOptions,
  ): Promise<QuotaFault | undefined> {
    return this.#relaxed.transaction(() => {
      const growth = { bytes, tags: 0 };
      const fault = findQuotaFault(this.#relaxed, options.quotas ?? [], growth, upload.id);
      if (fault === undefined) this.#uploads.reserve(upload.id, bytes);
      return fault;
    });
  }

  async finishUpload(
    upload: Upload,
    blob: BlobLink,
    options: QuotaOptions = {},
  ): Promise<QuotaFault | undefined> {
    return this.#database.transaction(() => {
      this.#database.run("DELETE FROM uploads WHERE id = ?", upload.id);
      return this.#link(upload.repository, blob, options);
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
    this.#relaxed.close();
    this.#database.close();
  }

  #changing<Result>(body: () => Result): Result {
    try {
      return this.#database.transaction(body);
    } finally {
      this.#ownChanges++;
    }
  }

  #touch(repository: string, kinds: readonly LooseKind[], digest: Digest): boolean {
    return touchLoose(this.#relaxed, { repository, kinds, digest, now: this.#clock() });
  }

  #link(repository: string, blob: BlobLink, options: QuotaOptions): QuotaFault | undefined {
    const { quotas = [] } = options;
    const { digest, size } = blob;
    if (
      quotas.length > 0 &&
      !isShown(this.#database, "blobs", { id: findRepositoryId(this.#database, repository), digest })
    ) {
      const fault = findQuotaFault(this.#database, quotas, { bytes: size, tags: 0 });
      if (fault !== undefined) return fault;
    }
    const id = openRepository(this.#database, repository);
    this.#database.run(
      "INSERT INTO blobs VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET linked_at = excluded.linked_at",
      id,
      digest,
      size,
      this.#clock(),
    );
    this.#links.blobShown(id, digest);
    return undefined;
  }
}
