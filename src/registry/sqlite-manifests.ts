import type { Database } from "../internal/sqlite.ts";
import type { Digest } from "../oci/index.ts";
import type { QuotaFault } from "./limits.ts";
import type {
  DeleteManifestOptions,
  NewManifest,
  PutManifestOptions,
  PutManifestOutcome,
} from "./metadata.ts";
import type { SqliteLinks } from "./sqlite-links.ts";
import { findQuotaFault } from "./sqlite-usage.ts";

/** Stores and deletes manifests and tags, each method inside the caller's transaction. */
export class SqliteManifests {
  readonly #database: Database;
  readonly #links: SqliteLinks;
  readonly #clock: () => number;

  constructor(database: Database, links: SqliteLinks, clock: () => number) {
    this.#database = database;
    this.#links = links;
    this.#clock = clock;
  }

  put(repository: string, manifest: NewManifest, options: PutManifestOptions): PutManifestOutcome {
    const { expect } = options;
    if (expect !== undefined && !this.#isAsExpected(repository, expect)) return { kind: "conflict" };
    const tag = options.immutable?.find((one) => this.#hasMoved(repository, one, manifest.digest));
    if (tag !== undefined) return { kind: "immutable", tag };
    const missing = this.#findMissing(repository, options);
    if (missing.length > 0) return { kind: "missing", digests: missing };
    const fault = this.#findQuotaFault(repository, manifest, options);
    if (fault !== undefined) return { kind: "quota", fault };
    this.#store(openRepository(this.#database, repository), manifest, options);
    return { kind: "stored" };
  }

  delete(repository: string, digest: Digest, options: DeleteManifestOptions): boolean {
    const { unlessTagged } = options;
    const id = findRepositoryId(this.#database, repository);
    if (id === undefined) return false;
    if (unlessTagged !== undefined) {
      const sql = "SELECT name FROM tags WHERE repository = ? AND digest = ?";
      if (this.#database.all<{ name: string }>(sql, id, digest).some(({ name }) => unlessTagged(name)))
        return false;
    }
    const left = this.#links.dependants(id, digest);
    const sql = "DELETE FROM manifests WHERE repository = ? AND digest = ?";
    if (this.#database.run(sql, id, digest).changes === 0) return false;
    this.#links.manifestHidden(id, digest, { left });
    return true;
  }

  deleteTag(repository: string, tag: string): boolean {
    const id = findRepositoryId(this.#database, repository);
    const digest = this.#findTagged(id ?? -1, tag);
    if (id === undefined || digest === undefined) return false;
    this.#database.run("DELETE FROM tags WHERE repository = ? AND name = ?", id, tag);
    this.#links.weighManifest(id, digest);
    return true;
  }

  #findQuotaFault(
    repository: string,
    manifest: NewManifest,
    options: PutManifestOptions,
  ): QuotaFault | undefined {
    const { quotas = [], tags } = options;
    if (quotas.length === 0) return undefined;
    const id = findRepositoryId(this.#database, repository);
    const growth = {
      bytes: this.#shows("manifests", id, manifest.digest) ? 0 : manifest.size,
      tags: tags.filter((tag) => this.#findTagged(id ?? -1, tag) === undefined).length,
    };
    return findQuotaFault(this.#database, quotas, growth);
  }

  #shows(table: "blobs" | "manifests", id: number | undefined, digest: Digest): boolean {
    return isShown(this.#database, table, { id, digest });
  }

  #findTagged(id: number, tag: string): Digest | undefined {
    const sql = "SELECT digest FROM tags WHERE repository = ? AND name = ?";
    return this.#database.get<{ digest: Digest }>(sql, id, tag)?.digest;
  }

  #hasMoved(repository: string, tag: string, digest: Digest): boolean {
    const known = this.#findTagged(findRepositoryId(this.#database, repository) ?? -1, tag);
    return known !== undefined && known !== digest;
  }

  #isAsExpected(repository: string, expect: NonNullable<PutManifestOptions["expect"]>): boolean {
    const digest = this.#findTagged(findRepositoryId(this.#database, repository) ?? -1, expect.tag);
    if (expect.state === "absent") return digest === undefined;
    return digest !== undefined && (expect.state.includes("*") || expect.state.includes(digest));
  }

  #findMissing(repository: string, wanted: PutManifestOptions): Digest[] {
    const id = findRepositoryId(this.#database, repository) ?? -1;
    const blobs = [...new Set(wanted.blobs)].filter((digest) => !this.#shows("blobs", id, digest));
    const manifests = [...new Set(wanted.manifests)].filter(
      (digest) => !this.#shows("manifests", id, digest) && !this.#shows("blobs", id, digest),
    );
    return [...blobs, ...manifests];
  }

  #store(id: number, manifest: NewManifest, options: PutManifestOptions): void {
    const now = this.#clock();
    const { digest, mediaType, size, referrer } = manifest;
    const known = this.#database.get<{ mediaType: string; read: number }>(
      "SELECT media_type AS mediaType, links_read AS read FROM manifests WHERE repository = ? AND digest = ?",
      id,
      digest,
    );
    const fresh = known?.mediaType !== mediaType || known.read !== 1;
    if (known !== undefined && fresh) this.#forgetWhatItNamed(id, digest);
    this.#database.run(
      `INSERT INTO manifests (repository, digest, media_type, size, pushed_at, links_read) VALUES (?, ?, ?, ?, ?, 1)
       ON CONFLICT DO UPDATE SET media_type = excluded.media_type, pushed_at = excluded.pushed_at, links_read = 1`,
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
    const moved = options.tags.map((tag) => this.#tag(id, { tag, digest, now }));
    const targets = new Set(options.links ?? [...options.blobs, ...options.manifests]);
    this.#links.manifestShown(id, digest, [...targets], fresh);
    for (const old of new Set(moved)) if (old !== digest) this.#links.weighManifest(id, old);
  }

  /** The same bytes under another type name something else, or nothing. */
  #forgetWhatItNamed(id: number, digest: Digest): void {
    const { named } = this.#links.dependants(id, digest);
    this.#database.run("DELETE FROM links WHERE repository = ? AND manifest = ?", id, digest);
    this.#database.run("DELETE FROM referrers WHERE repository = ? AND digest = ?", id, digest);
    for (const target of named) this.#links.weigh(id, target);
  }

  /** What the tag stood for before, or stands for now. */
  #tag(id: number, wanted: { readonly tag: string; readonly digest: Digest; readonly now: number }): Digest {
    const { tag, digest, now } = wanted;
    const before = this.#findTagged(id, tag);
    this.#database.run(
      `INSERT INTO tags VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET digest = excluded.digest, tagged_at = excluded.tagged_at`,
      id,
      tag,
      digest,
      now,
    );
    return before ?? digest;
  }
}

export function findRepositoryId(database: Database, name: string): number | undefined {
  return database.get<{ id: number }>("SELECT id FROM repositories WHERE name = ?", name)?.id;
}

/** A repository begins to exist with the first thing it shows. */
export function openRepository(database: Database, name: string): number {
  const known = findRepositoryId(database, name);
  if (known !== undefined) return known;
  database.run("INSERT INTO repositories (name) VALUES (?)", name);
  return findRepositoryId(database, name) as number;
}

export function isShown(
  database: Database,
  table: "blobs" | "manifests",
  wanted: { readonly id: number | undefined; readonly digest: Digest },
): boolean {
  const sql = `SELECT 1 FROM ${table} WHERE repository = ? AND digest = ?`;
  return database.get(sql, wanted.id ?? -1, wanted.digest) !== undefined;
}
