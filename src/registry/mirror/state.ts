import { openDatabase, type Database } from "../../internal/sqlite.ts";
import type { Descriptor, Digest } from "../../oci/index.ts";

/** Losing the last rows in a power cut costs a question or two, so nothing here waits for the disk. */
const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE tags (
    repository TEXT NOT NULL, tag TEXT NOT NULL, digest TEXT NOT NULL, media_type TEXT NOT NULL,
    size INTEGER NOT NULL, checked_at INTEGER NOT NULL, PRIMARY KEY (repository, tag)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tags_by_digest ON tags (repository, digest);
  CREATE TABLE sizes (
    repository TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL, PRIMARY KEY (repository, digest)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE blobs (
    repository TEXT NOT NULL, digest TEXT NOT NULL, size INTEGER NOT NULL, used_at INTEGER NOT NULL,
    PRIMARY KEY (repository, digest)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX blobs_by_use ON blobs (used_at);
  CREATE INDEX blobs_by_digest ON blobs (digest, size);
  `,
];

/** How stale, in milliseconds, the time of a blob's last use may get: writing it down each time costs a write each. */
export const USE_INTERVAL = 60_000;

/** What a tag stood for when the upstream was last asked. */
export interface KnownTag extends Descriptor {
  readonly checkedAt: number;
}

export interface UsedBlob {
  readonly repository: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  readonly usedAt: number;
}

/**
 * What a mirror remembers besides the registry's own metadata, by the names repositories have here: when tags were
 * checked, how large blobs will be that aren't here yet, and when those that are here were used. All of it can be
 * learned again.
 */
export class MirrorState implements Disposable {
  readonly #database: Database;
  readonly #clock: () => number;

  /** In the file `path`, or in memory for `:memory:`. @throws DatabaseError */
  constructor(path: string, clock: () => number) {
    this.#clock = clock;
    this.#database = openDatabase(path, { migrations: MIGRATIONS, synchronous: "normal" });
  }

  findTag(repository: string, tag: string): KnownTag | undefined {
    return this.#database.get<KnownTag>(
      `SELECT digest, media_type AS mediaType, size, checked_at AS checkedAt FROM tags
       WHERE repository = ? AND tag = ?`,
      repository,
      tag,
    );
  }

  setTag(repository: string, tag: string, { digest, mediaType, size }: Descriptor): void {
    this.#database.run(
      "INSERT OR REPLACE INTO tags VALUES (?, ?, ?, ?, ?, ?)",
      repository,
      tag,
      digest,
      mediaType,
      size,
      this.#clock(),
    );
  }

  deleteTag(repository: string, tag: string): void {
    this.#database.run("DELETE FROM tags WHERE repository = ? AND tag = ?", repository, tag);
  }

  /** The tags that were last seen to stand for a manifest. */
  tagsOf(repository: string, digest: Digest): readonly string[] {
    return this.#database
      .all<{
        tag: string;
      }>("SELECT tag FROM tags WHERE repository = ? AND digest = ? LIMIT 1000", repository, digest)
      .map((row) => row.tag);
  }

  findSize(repository: string, digest: Digest): number | undefined {
    return this.#database.get<{ size: number }>(
      "SELECT size FROM sizes WHERE repository = ? AND digest = ?",
      repository,
      digest,
    )?.size;
  }

  /** Sizes that a manifest or the upstream told; they say nothing about whether the blob is there. */
  learnSizes(repository: string, blobs: readonly { readonly digest: Digest; readonly size: number }[]): void {
    this.#database.transaction(() => {
      for (const { digest, size } of blobs) {
        this.#database.run("INSERT OR REPLACE INTO sizes VALUES (?, ?, ?)", repository, digest, size);
      }
    });
  }

  forgetSize(repository: string, digest: Digest): void {
    this.#database.run("DELETE FROM sizes WHERE repository = ? AND digest = ?", repository, digest);
  }

  /** A blob is here, and is used now. */
  useBlob(repository: string, digest: Digest, size: number): void {
    const now = this.#clock();
    const known = this.#database.get<{ used_at: number }>(
      "SELECT used_at FROM blobs WHERE repository = ? AND digest = ?",
      repository,
      digest,
    );
    if (known !== undefined && Math.abs(now - known.used_at) < USE_INTERVAL) return;
    this.#database.run("INSERT OR REPLACE INTO blobs VALUES (?, ?, ?, ?)", repository, digest, size, now);
  }

  forgetBlob(repository: string, digest: Digest): void {
    this.#database.run("DELETE FROM blobs WHERE repository = ? AND digest = ?", repository, digest);
  }

  /** Whether any repository has it. */
  hasBlob(digest: Digest): boolean {
    return this.#database.get("SELECT 1 FROM blobs WHERE digest = ?", digest) !== undefined;
  }

  /** Bytes of blobs that are here, each once however many repositories have it. */
  countBytes(): number {
    const sql = "SELECT coalesce(sum(size), 0) AS bytes FROM (SELECT DISTINCT digest, size FROM blobs)";
    return this.#database.get<{ bytes: number }>(sql)?.bytes ?? 0;
  }

  /** Those not used for the longest time. */
  listLeastUsed(limit: number): readonly UsedBlob[] {
    return this.#database.all<UsedBlob & Record<string, never>>(
      "SELECT repository, digest, size, used_at AS usedAt FROM blobs ORDER BY used_at, digest LIMIT ?",
      limit,
    );
  }

  [Symbol.dispose](): void {
    this.#database.close();
  }
}
