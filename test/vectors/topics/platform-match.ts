import {
  anyPlatform,
  equalsCranePlatform,
  isWindowsCompatible,
  matchesPlatform,
  MEDIA_TYPES,
  onlyOsPlatform,
  onlyPlatform,
  onlyStrictPlatform,
  orderedPlatforms,
  parseDigest,
  parsePlatform,
  satisfiesCranePlatform,
  selectPlatform,
  sortPlatforms,
  windowsPlatform,
  type CranePlatform,
  type Descriptor,
  type Platform,
  type PlatformMatcher,
  type WindowsVersion,
} from "../../../src/oci/index.ts";
import { byOperation, text, type Topic, type Vector } from "../topic.ts";

const MATCHERS: Readonly<Record<string, (wanted: Platform) => PlatformMatcher>> = {
  only: onlyPlatform,
  onlyStrict: onlyStrictPlatform,
  onlyOS: onlyOsPlatform,
  ordered: orderedPlatforms,
  any: anyPlatform,
  windows: windowsPlatform,
};

export const topic: Topic = byOperation({
  match(vector) {
    const [wanted, candidate] = [platformOf(vector["wanted"]), platformOf(vector["candidate"])];
    const exact = vector["matcher"] === "exact";
    return {
      actual: exact ? matchesPlatform(wanted, candidate) : matcherOf(vector).matches(candidate),
      expected: vector["match"],
    };
  },
  windowsCompat: (vector) => ({
    actual: isWindowsCompatible(vector["host"] as WindowsVersion, vector["container"] as WindowsVersion),
    expected: vector["compatible"],
  }),
  sort(vector) {
    const candidates = (vector["candidates"] as unknown[]).map(platformOf);
    const expected = (vector["expected"] as unknown[]).map(platformOf);
    return { actual: sortPlatforms(candidates, matcherOf(vector)), expected };
  },
  sortFirst(vector) {
    const candidates = (vector["candidates"] as unknown[]).map(platformOf);
    return { actual: sortPlatforms(candidates, matcherOf(vector))[0], expected: platformOf(vector["first"]) };
  },
  selectFromIndex(vector) {
    const manifests = (vector["entries"] as unknown[]).map(descriptorFor);
    const order = selectPlatform({ manifests }, matcherOf(vector)).candidates.map(({ position }) => position);
    return {
      actual: { order, selected: order[0] ?? null },
      expected: { order: vector["order"], selected: vector["selected"] },
    };
  },
  "ggcr.equals": (vector) => ({
    actual: equalsCranePlatform(vector["a"] as CranePlatform, vector["b"] as CranePlatform),
    expected: vector["result"],
  }),
  "ggcr.satisfies": (vector) => ({
    actual: satisfiesCranePlatform(vector["have"] as CranePlatform, vector["spec"] as CranePlatform),
    expected: vector["result"],
  }),
});

function matcherOf(vector: Vector): PlatformMatcher {
  const make = MATCHERS[text(vector, "matcher")];
  if (make === undefined) throw new TypeError(`${vector.id}: unknown matcher`);
  return make(platformOf(vector["wanted"]));
}

function platformOf(value: unknown): Platform {
  if (typeof value !== "string") return value as Platform;
  return parsePlatform(value, { host: { os: "linux", architecture: "amd64" } });
}

function descriptorFor(entry: unknown, position: number): Descriptor {
  return {
    mediaType: MEDIA_TYPES.ociManifest,
    digest: parseDigest(`sha256:${position.toString(16).padStart(64, "0")}`),
    size: 1,
    ...(entry !== null && { platform: platformOf(entry) }),
  };
}
