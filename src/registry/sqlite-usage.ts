import type { Database } from "../internal/sqlite.ts";
import type { Quota, QuotaFault } from "./limits.ts";

/** What somebody wants to add to a repository. */
export interface Growth {
  readonly bytes: number;
  readonly tags: number;
}

interface Usage {
  readonly bytes: number;
  readonly tags: number;
}

/**
 * The first quota that `growth` would exceed, counting what uploads under way have been promised, all but `own`.
 * Inside the transaction that grows, no two can take the same room.
 */
export function findQuotaFault(
  database: Database,
  quotas: readonly Quota[],
  growth: Growth,
  own = "",
): QuotaFault | undefined {
  for (const quota of quotas) {
    const { maxBytes, maxTags } = quota;
    const used = usageOf(database, quota);
    // What takes no room is let in, even where a quota was lowered below what is there.
    if (maxTags !== undefined && growth.tags > 0 && used.tags + growth.tags > maxTags) {
      return { quota, kind: "tags", used: used.tags, wanted: growth.tags };
    }
    if (maxBytes === undefined || growth.bytes === 0) continue;
    const bytes = used.bytes + reservedOf(database, quota, own);
    if (bytes + growth.bytes > maxBytes) return { quota, kind: "bytes", used: bytes, wanted: growth.bytes };
  }
  return undefined;
}

function usageOf(database: Database, quota: Quota): Usage {
  const sql = (where: string): string =>
    `SELECT coalesce(sum(bytes), 0) AS bytes, coalesce(sum(tags), 0) AS tags FROM repositories WHERE ${where}`;
  const alone = database.get<Usage>(sql("name = ?"), quota.name) as Usage;
  if (!quota.below) return alone;
  const below = database.get<Usage>(sql("name > ? AND name < ?"), ...boundsBelow(quota)) as Usage;
  return { bytes: alone.bytes + below.bytes, tags: alone.tags + below.tags };
}

function reservedOf(database: Database, quota: Quota, own: string): number {
  const sql = (where: string): string =>
    `SELECT coalesce(sum(reserved), 0) AS bytes FROM uploads WHERE ${where} AND id <> ?`;
  const alone = database.get<{ bytes: number }>(sql("repository = ?"), quota.name, own)?.bytes ?? 0;
  if (!quota.below) return alone;
  const range = sql("repository > ? AND repository < ?");
  return alone + (database.get<{ bytes: number }>(range, ...boundsBelow(quota), own)?.bytes ?? 0);
}

/** Names between these two begin with the name and a slash: "0" comes right after it. */
function boundsBelow(quota: Quota): readonly [string, string] {
  return [`${quota.name}/`, `${quota.name}0`];
}
