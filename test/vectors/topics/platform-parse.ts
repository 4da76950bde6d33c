import {
  cpuVariantFromMachine,
  formatCranePlatform,
  formatFullPlatform,
  formatPlatform,
  normalizePlatform,
  parseCranePlatform,
  parsePlatform,
  type CranePlatform,
  type Platform,
} from "../../../src/oci/index.ts";
import { byOperation, succeeds, text, type Check, type Topic, type Vector } from "../topic.ts";

const LINUX: Platform = { os: "linux", architecture: "amd64" };

export const topic: Topic = byOperation({
  parse: orFailure((vector) => {
    const host = (vector["host"] as Platform | undefined) ?? LINUX;
    const platform = parsePlatform(text(vector, "input"), { host });
    return {
      actual: { platform, format: formatPlatform(platform), formatAll: formatFullPlatform(platform) },
      expected: {
        platform: vector["platform"],
        format: vector["format"],
        formatAll: vector["formatAll"],
      },
    };
  }),
  formatAll(vector) {
    const platform = vector["platform"] as Platform;
    const formatted = formatFullPlatform(platform);
    const again = vector["roundTrips"] === true ? parsePlatform(formatted) : undefined;
    const expected = vector["roundTrips"] === true ? platform : undefined;
    return {
      actual: { formatted, again },
      expected: { formatted: vector["result"], again: expected },
    };
  },
  normalize: (vector) => ({
    actual: { variant: "", ...normalizePlatform(vector["platform"] as Platform) },
    expected: { variant: "", ...(vector["result"] as Platform) },
  }),
  cpuVariantFromMachine: orFailure((vector) => ({
    actual: cpuVariantFromMachine(text(vector, "input")),
    expected: vector["variant"],
  })),
  "ggcr.format": (vector) => ({
    actual: formatCranePlatform(vector["platform"] as CranePlatform),
    expected: vector["result"],
  }),
  "ggcr.parse": orFailure((vector) => ({
    actual: parseCranePlatform(text(vector, "input")),
    expected: vector["platform"],
  })),
});

/** A check for cases that say in `error` whether the call fails. */
function orFailure(check: (vector: Vector) => ReturnType<Check>): Check {
  return (vector) =>
    vector["error"] === true ? { actual: succeeds(() => check(vector)), expected: false } : check(vector);
}
