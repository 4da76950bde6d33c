import { openDatabase } from "../../internal/sqlite.ts";
import { MIGRATIONS } from "../sqlite-schema.ts";

export interface RepositoryUsage {
  readonly name: string;
  /** Of blobs and manifests that it shows. */
  readonly bytes: number;
  readonly tags: number;
}

export interface RegistryUsage {
  readonly repositories: number;
  readonly tags: number;
  readonly manifests: number;
  readonly blobs: number;
  /** Of blobs and manifests, each once however many repositories show it. */
  readonly bytes: number;
  /** Uploads that were begun and not ended. */
  readonly uploads: number;
  /** The largest first. */
  readonly largest: readonly RepositoryUsage[];
}

/**
 * Adds up what a registry's metadata file holds, whether or not somebody serves it.
 *
 * @throws DatabaseError
 */
export function readUsage(path: string, options: { readonly largest?: number } = {}): RegistryUsage {
  using database = openDatabase(path, { migrations: MIGRATIONS });
  const count = (sql: string): number => database.get<{ count: number | null }>(sql)?.count ?? 0;
  const distinct =
    "SELECT digest, max(size) AS size FROM " +
    "(SELECT digest, size FROM blobs UNION ALL SELECT digest, size FROM manifests) GROUP BY digest";
  return {
    repositories: count("SELECT count(*) AS count FROM repositories"),
    tags: count("SELECT sum(tags) AS count FROM repositories"),
    manifests: count("SELECT count(*) AS count FROM manifests"),
    blobs: count("SELECT count(DISTINCT digest) AS count FROM blobs"),
    bytes: count(`SELECT sum(size) AS count FROM (${distinct})`),
    uploads: count("SELECT count(*) AS count FROM uploads"),
    largest: database.all<RepositoryUsage>(
      "SELECT name, bytes, tags FROM repositories ORDER BY bytes DESC, name LIMIT ?",
      options.largest ?? 10,
    ),
  };
}
