import type { Database } from "../internal/sqlite.ts";
import type { Digest } from "../oci/index.ts";
import type { Garbage, Inventory, Loose, LoosePage, TagRecord, Unshown } from "./collect/garbage.ts";
import type { BlobLink, ManifestRecord } from "./metadata.ts";
import type { SqliteLinks } from "./sqlite-links.ts";
import { reconcile } from "./sqlite-reconcile.ts";
import { IN_REPOSITORY } from "./sqlite-schema.ts";

export interface SqliteGarbageOptions {
  /** Durable when it says so. */
  readonly database: Database;
  /** The same file through a connection that may lose its last commits in a power cut. */
  readonly relaxed: Database;
  readonly links: SqliteLinks;
  readonly clock: () => number;
  /** Runs what changes manifests or tags as one transaction, and lets caches know. */
  readonly changing: <Result>(body: () => Result) => Result;
}

type Names = Pick<Loose, "repository" | "digest">;

type GarbageStatement =
  | "unread"
  | "looseBlobs"
  | "looseManifests"
  | "looseBlobsIn"
  | "looseManifestsIn"
  | "stillLoose"
  | "unshown"
  | "shown"
  | "forget";

/** Every statement is an index range: the plans are tested. */
export const GARBAGE_SQL: Readonly<Record<GarbageStatement, string>> = {
  unread: `SELECT name AS repository, m.digest, m.media_type AS mediaType, m.size FROM manifests m
    JOIN repositories r ON r.id = m.repository WHERE links_read = 0 LIMIT ?`,
  looseBlobs: looseSql("blobs", "l.kind = ?"),
  looseManifests: looseSql("manifests", "l.kind = ?"),
  looseBlobsIn: looseSql("blobs", "l.kind = ?", "in"),
  looseManifestsIn: looseSql("manifests", "l.kind = ?", "in"),
  stillLoose: "SELECT since FROM loose WHERE repository = ? AND kind = ? AND digest = ? AND since <= ?",
  unshown: `SELECT digest, since, (SELECT count(*) FROM blobs b WHERE b.digest = u.digest)
    + (SELECT count(*) FROM manifests m WHERE m.digest = u.digest) AS shown FROM unshown u
    WHERE since <= ? AND (since, digest) > (?, ?) ORDER BY since, digest LIMIT ?`,
  shown: `SELECT (SELECT count(*) FROM blobs WHERE digest = ?)
    + (SELECT count(*) FROM manifests WHERE digest = ?) AS shown`,
  forget: "DELETE FROM unshown WHERE digest = ? AND since <= ?",
};

/** Oldest first; only of one repository where that is asked for. */
function looseSql(table: "blobs" | "manifests", kind: string, scope: "in" | "all" = "all"): string {
  const [where, order] =
    scope === "in"
      ? [
          `l.${IN_REPOSITORY} AND ${kind} AND l.since <= ? AND (l.since, l.digest) > (?, ?)`,
          "l.since, l.digest",
        ]
      : [
          `${kind} AND l.since <= ? AND (l.since, l.repository, l.digest) > (?, (SELECT id FROM repositories WHERE name = ?), ?)`,
          "l.since, l.repository, l.digest",
        ];
  return `SELECT r.name AS repository, l.digest, t.size, l.since FROM loose l
    JOIN repositories r ON r.id = l.repository
    CROSS JOIN ${table} t ON t.repository = l.repository AND t.digest = l.digest
    WHERE ${where} ORDER BY ${order} LIMIT ?`;
}

export class SqliteGarbage implements Garbage, Inventory {
  readonly #database: Database;
  readonly #options: SqliteGarbageOptions;

  constructor(options: SqliteGarbageOptions) {
    this.#database = options.database;
    this.#options = options;
  }

  async expectContent(digest: Digest): Promise<void> {
    const { relaxed, clock } = this.#options;
    relaxed.run(
      "INSERT INTO unshown VALUES (?, ?) ON CONFLICT DO UPDATE SET since = max(since, excluded.since)",
      digest,
      clock(),
    );
  }

  async listUnread(limit: number): Promise<readonly (ManifestRecord & { readonly repository: string })[]> {
    return this.#database.all(GARBAGE_SQL.unread, limit);
  }

  async recordLinks(repository: string, manifest: Digest, targets: readonly Digest[]): Promise<void> {
    this.#database.transaction(() => {
      const sql = `UPDATE manifests SET links_read = 1 WHERE ${IN_REPOSITORY} AND digest = ?`;
      if (this.#database.run(sql, repository, manifest).changes === 0) return;
      this.#database.run(`DELETE FROM links WHERE ${IN_REPOSITORY} AND manifest = ?`, repository, manifest);
      this.#options.links.manifestShown(this.#idOf(repository), manifest, [...new Set(targets)], true);
    });
  }

  async listLoose(page: LoosePage): Promise<readonly Loose[]> {
    const { kind, before, repository, after, limit } = page;
    const blobs = kind === "blob";
    const since = after?.since ?? Number.MIN_SAFE_INTEGER;
    if (repository !== undefined) {
      const sql = blobs ? GARBAGE_SQL.looseBlobsIn : GARBAGE_SQL.looseManifestsIn;
      return this.#database.all<Loose>(sql, repository, kind, before, since, after?.digest ?? "", limit);
    }
    const sql = blobs ? GARBAGE_SQL.looseBlobs : GARBAGE_SQL.looseManifests;
    const place = [after?.repository ?? "", after?.digest ?? ""];
    return this.#database.all<Loose>(sql, kind, before, since, ...place, limit);
  }

  async dropLooseBlobs(blobs: readonly Loose[], before: number): Promise<readonly Loose[]> {
    return this.#database.transaction(() => {
      if (this.#isUnread()) return [];
      return blobs.filter((blob) => {
        const id = this.#idOf(blob.repository);
        const still = this.#stillLoose(id, ["blob"], blob, before);
        if (still === undefined) return false;
        this.#database.run("DELETE FROM blobs WHERE repository = ? AND digest = ?", id, blob.digest);
        // It had its time of grace; its bytes don't get another one.
        this.#options.links.blobHidden(id, blob.digest, still);
        return true;
      });
    });
  }

  async dropLooseManifests(
    manifests: readonly Loose[],
    options: { readonly before: number; readonly since?: number | undefined },
  ): Promise<readonly Loose[]> {
    const { links } = this.#options;
    return this.#options.changing(() => {
      if (this.#isUnread()) return [];
      return manifests.filter((manifest) => {
        const { digest } = manifest;
        const id = this.#idOf(manifest.repository);
        const still = this.#stillLoose(id, ["manifest", "referrer"], manifest, options.before);
        if (still === undefined) return false;
        const left = links.dependants(id, digest);
        this.#database.run("DELETE FROM manifests WHERE repository = ? AND digest = ?", id, digest);
        links.manifestHidden(id, digest, { left, contentSince: still, dependantsSince: options.since });
        return true;
      });
    });
  }

  async listUnshown(page: {
    readonly before: number;
    readonly after?: Unshown | undefined;
    readonly limit: number;
  }): Promise<readonly Unshown[]> {
    const { before, after, limit } = page;
    const since = after?.since ?? Number.MIN_SAFE_INTEGER;
    return this.#database.all<Unshown>(GARBAGE_SQL.unshown, before, since, after?.digest ?? "", limit);
  }

  async isExpected(digest: Digest): Promise<boolean> {
    return this.#database.get("SELECT 1 FROM unshown WHERE digest = ?", digest) !== undefined;
  }

  async countShown(digest: Digest): Promise<number> {
    return this.#database.get<{ shown: number }>(GARBAGE_SQL.shown, digest, digest)?.shown ?? 0;
  }

  async forgetUnshown(digest: Digest, before: number): Promise<void> {
    this.#options.relaxed.run(GARBAGE_SQL.forget, digest, before);
  }

  async listTagRecords(
    repository: string,
    page: { readonly after?: string | undefined; readonly limit: number },
  ): Promise<readonly TagRecord[]> {
    const sql = `SELECT name, digest, tagged_at AS taggedAt FROM tags
      WHERE ${IN_REPOSITORY} AND name > ? ORDER BY name LIMIT ?`;
    return this.#database.all<TagRecord>(sql, repository, page.after ?? "", page.limit);
  }

  async dropTags(repository: string, tags: readonly TagRecord[]): Promise<readonly TagRecord[]> {
    return this.#options.changing(() => {
      const id = this.#idOf(repository);
      return tags.filter(({ name, digest, taggedAt }) => {
        const sql = "DELETE FROM tags WHERE repository = ? AND name = ? AND digest = ? AND tagged_at = ?";
        if (this.#database.run(sql, id, name, digest, taggedAt).changes === 0) return false;
        this.#options.links.weighManifest(id, digest);
        return true;
      });
    });
  }

  async listBlobs(
    repository: string,
    page: { readonly after?: string | undefined; readonly limit: number },
  ): Promise<readonly BlobLink[]> {
    const sql = `SELECT digest, size FROM blobs WHERE ${IN_REPOSITORY} AND digest > ? ORDER BY digest LIMIT ?`;
    return this.#database.all<BlobLink>(sql, repository, page.after ?? "", page.limit);
  }

  async listManifests(
    repository: string,
    page: { readonly after?: string | undefined; readonly limit: number },
  ): Promise<readonly ManifestRecord[]> {
    const sql = `SELECT digest, media_type AS mediaType, size FROM manifests
      WHERE ${IN_REPOSITORY} AND digest > ? ORDER BY digest LIMIT ?`;
    return this.#database.all<ManifestRecord>(sql, repository, page.after ?? "", page.limit);
  }

  async findLinks(
    repository: string,
    manifest: Digest,
  ): Promise<{ readonly targets: readonly Digest[]; readonly subject: Digest | undefined } | undefined> {
    const id = this.#idOf(repository);
    const read = this.#database.get<{ read: number }>(
      "SELECT links_read AS read FROM manifests WHERE repository = ? AND digest = ?",
      id,
      manifest,
    );
    if (read?.read !== 1) return undefined;
    const targets = this.#database.all<Names>(
      "SELECT target AS digest FROM links WHERE repository = ? AND manifest = ? ORDER BY target",
      id,
      manifest,
    );
    const referrer = "SELECT subject AS digest FROM referrers WHERE repository = ? AND digest = ?";
    const subject = this.#database.get<Names>(referrer, id, manifest)?.digest;
    return { targets: targets.map((row) => row.digest), subject };
  }

  async reconcile(repository: string, options: { readonly repair: boolean }): Promise<number> {
    const now = this.#options.clock();
    return reconcile(this.#database, this.#idOf(repository), { ...options, now });
  }

  #idOf(repository: string): number {
    const sql = "SELECT id FROM repositories WHERE name = ?";
    return this.#database.get<{ id: number }>(sql, repository)?.id ?? -1;
  }

  /** Whether some manifest may name anything. */
  #isUnread(): boolean {
    return this.#database.get("SELECT 1 FROM manifests WHERE links_read = 0 LIMIT 1") !== undefined;
  }

  /** Since when, for what may go. */
  #stillLoose(id: number, kinds: readonly string[], loose: Loose, before: number): number | undefined {
    for (const kind of kinds) {
      const row = this.#database.get<{ since: number }>(
        GARBAGE_SQL.stillLoose,
        id,
        kind,
        loose.digest,
        before,
      );
      if (row !== undefined) return row.since;
    }
    return undefined;
  }
}
