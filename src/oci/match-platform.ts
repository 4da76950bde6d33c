/**
 * Deciding whether a platform will do for another, and which of several does best.
 *
 * | matcher      | accepts                                                                      |
 * | ------------ | ---------------------------------------------------------------------------- |
 * | `onlyPlatform` | the wanted platform, then older variants its processor runs; the default      |
 * | `onlyStrictPlatform` | the wanted platform                                                          |
 * | `onlyOsPlatform` | any architecture of the OS, the wanted one first                             |
 * | `orderedPlatforms` | several, in their order                                                      |
 * | `anyPlatform` | several, none before another                                                 |
 * | `windowsPlatform` | the wanted Windows, highest version first                                    |
 * | `allPlatforms` | everything                                                                   |
 */
import { normalizePlatform, type Platform } from "./platform.ts";
import { matchesWindowsVersion } from "./windows-version.ts";

/** How well a platform does; see {@link compareRanks}. */
export interface PlatformRank {
  /** The first preference it fulfils; infinite for none. */
  readonly order: number;
  /** More of the wanted features are better. */
  readonly features: number;
  /** A higher text is better. */
  readonly version: string;
  /** {@link PlatformRank.order} when features are left out of account. */
  readonly fallback: number;
}

export interface PlatformMatcher {
  matches(platform: Platform): boolean;
  rank(platform: Platform): PlatformRank;
}

/** Whether a single candidate is the wanted platform: equal OS, architecture and variant, no feature in excess. */
export function matchesPlatform(wanted: Platform, candidate: Platform): boolean {
  return exact(wanted)(candidate);
}

export function orderedPlatforms(...wanted: readonly Platform[]): PlatformMatcher {
  return fromTests(wanted.map(exact));
}

export function anyPlatform(...wanted: readonly Platform[]): PlatformMatcher {
  const tests = wanted.map(exact);
  return fromTests([(platform) => tests.some((test) => test(platform))]);
}

export function onlyStrictPlatform(wanted: Platform): PlatformMatcher {
  return orderedPlatforms(wanted);
}

export function onlyPlatform(wanted: Platform): PlatformMatcher {
  return orderedPlatforms(...compatiblePlatforms(wanted));
}

export function onlyOsPlatform(wanted: Platform): PlatformMatcher {
  const normal = normalizePlatform(wanted);
  const sameOs: Test = (platform) =>
    exact({ ...normal, variant: "" })({ ...platform, architecture: normal.architecture, variant: "" });
  return fromTests([
    (platform) => sameOs(platform) && normalizePlatform(platform).architecture === normal.architecture,
    sameOs,
  ]);
}

export function windowsPlatform(wanted: Platform): PlatformMatcher {
  const test = exact(wanted);
  return {
    matches: test,
    rank: (platform) =>
      test(platform)
        ? { order: 0, features: 0, version: platform["os.version"] ?? "", fallback: 0 }
        : { order: Infinity, features: 0, version: "", fallback: 0 },
  };
}

export const allPlatforms: PlatformMatcher = {
  matches: () => true,
  rank: () => ({ order: 0, features: 0, version: "", fallback: 0 }),
};

/** What a machine pulls for itself. */
export function hostPlatformMatcher(host: Platform): PlatformMatcher {
  return normalizePlatform(host).os === "windows" ? windowsPlatform(host) : onlyPlatform(host);
}

/** Negative when `a` is the better one; 0 for equals, whose order is to be kept. */
export function compareRanks(a: PlatformRank, b: PlatformRank): number {
  if (a.order !== b.order) return a.order < b.order ? -1 : 1;
  if (a.features !== b.features) return b.features - a.features;
  if (a.version !== b.version) return a.version > b.version ? -1 : 1;
  return a.fallback === b.fallback ? 0 : a.fallback < b.fallback ? -1 : 1;
}

/** The best first; equals stay in their order. */
export function sortPlatforms(platforms: readonly Platform[], matcher: PlatformMatcher): Platform[] {
  return platforms
    .map((platform) => ({ platform, rank: matcher.rank(platform) }))
    .sort((a, b) => compareRanks(a.rank, b.rank))
    .map(({ platform }) => platform);
}

/** The wanted platform and all that its processor also runs, best first. */
export function compatiblePlatforms(wanted: Platform): readonly Platform[] {
  const normal = normalizePlatform(wanted);
  const { architecture, variant = "" } = normal;
  const { variant: _, ...base } = normal;
  const platform = (name: string, version: string): Platform => ({
    ...base,
    architecture: name,
    ...(version !== "" && { variant: version }),
  });
  switch (architecture) {
    case "amd64":
      return [normal, ...countDown(variant, 1).map((v) => platform("amd64", v)), platform("386", "")];
    case "arm":
      return [normal, ...countDown(variant, 5).map((v) => platform("arm", v))];
    case "arm64": {
      const variants = arm64Variants(variant === "" ? "v8" : variant);
      if (variants.length === 0) return [];
      const arm32 = ["v8", "v7", "v6", "v5"].map((v) => platform("arm", v));
      return [...variants.map((v) => platform("arm64", v)), ...arm32];
    }
    default:
      return [normal];
  }
}

type Test = (platform: Platform) => boolean;

function fromTests(tests: readonly Test[]): PlatformMatcher {
  const order = (platform: Platform): number => {
    const found = tests.findIndex((test) => test(platform));
    return found < 0 ? Infinity : found;
  };
  return {
    matches: (platform) => order(platform) !== Infinity,
    rank: (platform) => {
      const features = platform["os.features"]?.length ?? 0;
      const found = order(platform);
      if (found !== Infinity) return { order: found, features, version: "", fallback: 0 };
      const fallback = features === 0 ? Infinity : order({ ...platform, "os.features": [] });
      return { order: Infinity, features: 0, version: "", fallback };
    },
  };
}

function exact(wanted: Platform): Test {
  const normal = normalizePlatform(wanted);
  const isWindows = normal.os === "windows";
  const features = new Set(normal["os.features"]);
  // Windows images carry this mark although every Windows has it.
  if (isWindows) features.add("win32k");
  return (candidate) => {
    const other = normalizePlatform(candidate);
    return (
      other.os === normal.os &&
      other.architecture === normal.architecture &&
      (other.variant ?? "") === (normal.variant ?? "") &&
      (other["os.features"] ?? []).every((feature) => features.has(feature)) &&
      (!isWindows || matchesWindowsVersion(normal["os.version"] ?? "", other["os.version"] ?? ""))
    );
  };
}

/** Far more than any processor's variants; keeps an invented one from filling the memory. */
const MAX_VARIANT = 100;

/** The variants below `vN`, down to `last`. */
function countDown(variant: string, last: number): readonly string[] {
  const match = /^v?(\d{1,9})$/.exec(variant);
  const from = Math.min(match === null ? 0 : Number(match[1]) - 1, MAX_VARIANT);
  return Array.from({ length: Math.max(0, from - last + 1) }, (_, index) => `v${from - index}`);
}

/** v8.0 to v8.9 and v9.0 to v9.7. v9.0 grew out of v8.5, so v9.x runs what v8.(x+5) runs. */
function arm64Variants(variant: string): readonly string[] {
  const match = /^v([89])(?:\.(\d))?$/.exec(variant);
  const major = Number(match?.[1] ?? 0);
  const minor = Number(match?.[2] ?? 0);
  if (major === 8) return minorsDown(8, minor);
  if (major !== 9 || minor > 7) return [];
  return [...minorsDown(9, minor), ...minorsDown(8, Math.min(minor + 5, 9))];
}

function minorsDown(major: number, minor: number): readonly string[] {
  return Array.from({ length: minor + 1 }, (_, index) => {
    const each = minor - index;
    return each === 0 ? `v${major}` : `v${major}.${each}`;
  });
}
