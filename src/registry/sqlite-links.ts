import type { Database } from "../internal/sqlite.ts";
import type { Digest } from "../oci/index.ts";
import { LOOSE_TOUCH_INTERVAL, type LooseKind } from "./collect/garbage.ts";

/** What only a manifest may have kept. */
export interface Dependants {
  readonly named: readonly Digest[];
  readonly referrers: readonly Digest[];
}

export interface HiddenOptions {
  readonly left: Dependants;
  /** Since when its bytes count as shown by nobody; now by default. */
  readonly contentSince?: number | undefined;
  /** Since when manifests it led to count as loose; now by default, as blobs always do. */
  readonly dependantsSince?: number | undefined;
}

/**
 * Keeps `links`, `loose` and `unshown` in step with what repositories show. Every method runs inside the caller's
 * transaction and looks at one digest by its index.
 */
export class SqliteLinks {
  readonly #database: Database;
  readonly #clock: () => number;

  constructor(database: Database, clock: () => number) {
    this.#database = database;
    this.#clock = clock;
  }

  /** A blob is shown, maybe again: somebody counts on it from now on. */
  blobShown(repository: number, digest: Digest): void {
    this.#forgetUnshown(digest);
    if (!this.#isNamed(repository, digest)) this.#setLoose(repository, "blob", digest);
  }

  blobHidden(repository: number, digest: Digest, since: number = this.#clock()): void {
    this.#unsetLoose(repository, "blob", digest);
    this.#contentHidden(digest, since);
  }

  /** A manifest is stored; `fresh` when nobody noted before what it names. */
  manifestShown(repository: number, digest: Digest, targets: readonly Digest[], fresh: boolean): void {
    this.#forgetUnshown(digest);
    for (const target of targets) {
      if (fresh)
        this.#database.run("INSERT OR IGNORE INTO links VALUES (?, ?, ?)", repository, digest, target);
      this.#database.run(
        "DELETE FROM loose WHERE repository = ? AND kind IN ('blob', 'manifest', 'referrer') AND digest = ?",
        repository,
        target,
      );
    }
    this.#database.run(
      `DELETE FROM loose WHERE repository = ? AND kind = 'referrer'
       AND digest IN (SELECT digest FROM referrers WHERE repository = ? AND subject = ?)`,
      repository,
      repository,
      digest,
    );
    this.weighManifest(repository, digest);
  }

  /** What has to be looked at again once a manifest is gone. Asked before it goes. */
  dependants(repository: number, digest: Digest): Dependants {
    const named = this.#digests(
      "SELECT target AS digest FROM links WHERE repository = ? AND manifest = ?",
      repository,
      digest,
    );
    const referrers = this.#digests(
      "SELECT digest FROM referrers WHERE repository = ? AND subject = ?",
      repository,
      digest,
    );
    return { named, referrers };
  }

  /** A manifest is gone, with its tags and links. */
  manifestHidden(repository: number, digest: Digest, options: HiddenOptions): void {
    const { left, contentSince, dependantsSince = this.#clock() } = options;
    this.#unsetLoose(repository, "manifest", digest);
    this.#unsetLoose(repository, "referrer", digest);
    this.#contentHidden(digest, contentSince ?? this.#clock());
    for (const target of left.named) this.weigh(repository, target, dependantsSince);
    for (const referrer of left.referrers) this.weighManifest(repository, referrer, dependantsSince);
  }

  /** Notes whether what a manifest named has a reason left to stay. */
  weigh(repository: number, target: Digest, since?: number): void {
    if (this.#isNamed(repository, target)) return;
    if (this.#has("blobs", repository, target)) this.#setLoose(repository, "blob", target);
    this.weighManifest(repository, target, since);
  }

  /** Notes whether a manifest has a reason to stay. */
  weighManifest(repository: number, digest: Digest, since: number = this.#clock()): void {
    if (!this.#has("manifests", repository, digest)) return;
    const kept = this.#has("tags", repository, digest) || this.#isNamed(repository, digest);
    const subjects = kept
      ? []
      : this.#digests(
          "SELECT subject AS digest FROM referrers WHERE repository = ? AND digest = ?",
          repository,
          digest,
        );
    const kind = subjects.length === 0 ? "manifest" : "referrer";
    const stays = kept || subjects.some((subject) => this.#has("manifests", repository, subject));
    for (const other of ["manifest", "referrer"] as const) {
      if (stays || other !== kind) this.#unsetLoose(repository, other, digest);
    }
    if (!stays) this.#setLoose(repository, kind, digest, since);
  }

  /** Content that maybe nobody shows any more. */
  #contentHidden(digest: Digest, since: number): void {
    this.#database.run(
      `INSERT INTO unshown SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM blobs WHERE digest = ?)
       AND NOT EXISTS (SELECT 1 FROM manifests WHERE digest = ?)
       ON CONFLICT DO UPDATE SET since = max(since, excluded.since)`,
      digest,
      since,
      digest,
      digest,
    );
  }

  isLoose(repository: number, kind: string, digest: Digest): boolean {
    const sql = "SELECT 1 FROM loose WHERE repository = ? AND kind = ? AND digest = ?";
    return this.#database.get(sql, repository, kind, digest) !== undefined;
  }

  #isNamed(repository: number, digest: Digest): boolean {
    const sql = "SELECT 1 FROM links WHERE repository = ? AND target = ? LIMIT 1";
    return this.#database.get(sql, repository, digest) !== undefined;
  }

  #has(table: "blobs" | "manifests" | "tags", repository: number, digest: Digest): boolean {
    const sql = `SELECT 1 FROM ${table} WHERE repository = ? AND digest = ? LIMIT 1`;
    return this.#database.get(sql, repository, digest) !== undefined;
  }

  #digests(sql: string, repository: number, digest: Digest): readonly Digest[] {
    return this.#database.all<{ digest: Digest }>(sql, repository, digest).map((row) => row.digest);
  }

  #setLoose(repository: number, kind: LooseKind, digest: Digest, since: number = this.#clock()): void {
    this.#database.run(
      "INSERT INTO loose VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET since = max(since, excluded.since)",
      repository,
      kind,
      digest,
      since,
    );
  }

  #unsetLoose(repository: number, kind: string, digest: Digest): void {
    this.#database.run(
      "DELETE FROM loose WHERE repository = ? AND kind = ? AND digest = ?",
      repository,
      kind,
      digest,
    );
  }

  #forgetUnshown(digest: Digest): void {
    this.#database.run("DELETE FROM unshown WHERE digest = ?", digest);
  }
}

/** Who was told that something is here counts on it for a while. Whether it is loose at all. */
export function touchLoose(
  database: Database,
  wanted: {
    readonly repository: string;
    readonly kinds: readonly string[];
    readonly digest: Digest;
    readonly now: number;
  },
): boolean {
  const { repository, kinds, digest, now } = wanted;
  const where = `repository = (SELECT id FROM repositories WHERE name = ?)
    AND kind IN (${kinds.map((kind) => `'${kind}'`).join(", ")}) AND digest = ?`;
  const row = database.get<{ since: number }>(`SELECT since FROM loose WHERE ${where}`, repository, digest);
  if (row === undefined) return false;
  if (row.since <= now - LOOSE_TOUCH_INTERVAL) {
    database.run(`UPDATE loose SET since = ? WHERE ${where}`, now, repository, digest);
  }
  return true;
}
