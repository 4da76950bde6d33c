import type { Database } from "../internal/sqlite.ts";

interface Looseness {
  readonly kind: string;
  readonly digest: string;
}

interface Counters {
  readonly bytes: number;
  readonly tags: number;
}

const NAMED = "EXISTS (SELECT 1 FROM links l WHERE l.repository = x.repository AND l.target = x.digest)";

/** What ought to be noted as loose in a repository, worked out anew. */
const LOOSE = `
  SELECT 'blob' AS kind, digest FROM blobs x WHERE repository = ? AND NOT ${NAMED}
  UNION ALL
  SELECT CASE WHEN r.subject IS NULL THEN 'manifest' ELSE 'referrer' END, x.digest FROM manifests x
  LEFT JOIN referrers r ON r.repository = x.repository AND r.digest = x.digest
  WHERE x.repository = ? AND NOT ${NAMED}
  AND NOT EXISTS (SELECT 1 FROM tags t WHERE t.repository = x.repository AND t.digest = x.digest)
  AND NOT EXISTS (SELECT 1 FROM manifests s WHERE s.repository = x.repository AND s.digest = r.subject)`;

/** Compares what is kept in step by every change with what it is derived from; how many notes differ. */
export function reconcile(
  database: Database,
  repository: number,
  options: { readonly repair: boolean; readonly now: number },
): number {
  return database.transaction(() => {
    const { repair, now } = options;
    const keyOf = ({ kind, digest }: Looseness): string => `${kind} ${digest}`;
    const expected = database.all<Looseness>(LOOSE, repository, repository);
    const noted = database.all<Looseness>("SELECT kind, digest FROM loose WHERE repository = ?", repository);
    const [right, known] = [new Set(expected.map(keyOf)), new Set(noted.map(keyOf))];
    const missing = expected.filter((one) => !known.has(keyOf(one)));
    const extra = noted.filter((one) => !right.has(keyOf(one)));
    const counters = countersOf(database, repository);
    const stored = database.get<Counters>("SELECT bytes, tags FROM repositories WHERE id = ?", repository);
    const miscounted = stored?.bytes !== counters.bytes || stored.tags !== counters.tags;
    if (repair) {
      for (const { kind, digest } of extra) {
        database.run(
          "DELETE FROM loose WHERE repository = ? AND kind = ? AND digest = ?",
          repository,
          kind,
          digest,
        );
      }
      for (const { kind, digest } of missing) {
        database.run("INSERT INTO loose VALUES (?, ?, ?, ?)", repository, kind, digest, now);
      }
      if (miscounted) {
        const sql = "UPDATE repositories SET bytes = ?, tags = ? WHERE id = ?";
        database.run(sql, counters.bytes, counters.tags, repository);
      }
    }
    return missing.length + extra.length + (miscounted ? 1 : 0);
  });
}

function countersOf(database: Database, repository: number): Counters {
  const sql = `SELECT (SELECT coalesce(sum(size), 0) FROM blobs WHERE repository = ?)
    + (SELECT coalesce(sum(size), 0) FROM manifests WHERE repository = ?) AS bytes,
    (SELECT count(*) FROM tags WHERE repository = ?) AS tags`;
  return database.get<Counters>(sql, repository, repository, repository) as Counters;
}
