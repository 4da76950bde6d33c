import { type Descriptor } from "./descriptor.ts";
import { type Index } from "./manifest.ts";
import { compareRanks, type PlatformMatcher, type PlatformRank } from "./match-platform.ts";
import { isManifestOrIndexType } from "./media-types.ts";
import { formatFullPlatform } from "./platform.ts";

/**
 * - `MATCHES`: its platform will do
 * - `PLATFORM_UNSTATED`: it states none, so its own config decides
 * - `OTHER_PLATFORM`: its platform won't do
 * - `ATTESTATION`: it is about another entry, or of unknown platform, and never runs
 * - `NOT_AN_IMAGE`: neither a manifest nor an index
 */
export type EntryVerdict =
  | "MATCHES"
  | "PLATFORM_UNSTATED"
  | "OTHER_PLATFORM"
  | "ATTESTATION"
  | "NOT_AN_IMAGE";

export interface JudgedEntry {
  /** In the index. */
  readonly position: number;
  readonly descriptor: Descriptor;
  readonly verdict: EntryVerdict;
}

/** What an index offers for a platform, with a reason for each of its entries. */
export interface PlatformSelection {
  /** Entries worth trying, the best first. Those of unstated platform come last, to be used if their config fits. */
  readonly candidates: readonly JudgedEntry[];
  /** Every entry, in the index's order. */
  readonly entries: readonly JudgedEntry[];
}

/**
 * Chooses from an index. Take the first candidate; if its platform is unstated and its config names another one, or
 * if it is a nested index without anything fitting, go on with the next.
 */
export function selectPlatform(index: Pick<Index, "manifests">, matcher: PlatformMatcher): PlatformSelection {
  const entries = index.manifests.map((descriptor, position) => ({
    position,
    descriptor,
    verdict: judge(descriptor, matcher),
  }));
  const ranked: { readonly entry: JudgedEntry; readonly rank: PlatformRank }[] = [];
  const unstated: JudgedEntry[] = [];
  for (const entry of entries) {
    if (entry.verdict === "PLATFORM_UNSTATED") unstated.push(entry);
    const { platform } = entry.descriptor;
    if (entry.verdict === "MATCHES" && platform !== undefined)
      ranked.push({ entry, rank: matcher.rank(platform) });
  }
  ranked.sort((a, b) => compareRanks(a.rank, b.rank));
  return { candidates: [...ranked.map(({ entry }) => entry), ...unstated], entries };
}

/** The platforms an index offers, each once, for messages and listings. */
export function listPlatforms(index: Pick<Index, "manifests">): readonly string[] {
  const platforms = index.manifests.flatMap(({ platform }) =>
    platform === undefined || isUnknown(platform.os) || isUnknown(platform.architecture)
      ? []
      : [formatFullPlatform(platform)],
  );
  return [...new Set(platforms)];
}

function judge({ mediaType, platform }: Descriptor, matcher: PlatformMatcher): EntryVerdict {
  if (!isManifestOrIndexType(mediaType)) return "NOT_AN_IMAGE";
  if (platform === undefined) return "PLATFORM_UNSTATED";
  if (isUnknown(platform.os) || isUnknown(platform.architecture)) return "ATTESTATION";
  return matcher.matches(platform) ? "MATCHES" : "OTHER_PLATFORM";
}

function isUnknown(name: string): boolean {
  return name.toLowerCase() === "unknown";
}
