import assert from "node:assert/strict";
import { describe, it } from "node:test";

import fc from "fast-check";

import { canonicalQuantity } from "./quantity.ts";
import { canonicalTime, timeFromSeconds } from "./time.ts";

describe("canonicalQuantity()", () => {
  const table: Readonly<Record<string, string>> = {
    "1000m": "1",
    "0.5": "500m",
    "1.5": "1500m",
    "100.0": "100",
    "100000": "100k",
    "1024Mi": "1Gi",
    "0.5Gi": "512Mi",
    "1.5Ki": "1536",
    "512Ki": "512Ki",
    "0Mi": "0",
    "0.0": "0",
    "-0.5": "-500m",
    "1e3": "1e3",
    "1500e-3": "1500e-3",
    "0.1n": "1n",
    "16Ei": "9223372036854775807",
    "1000E": "1000E",
    "9007199254740988Ki": "9007199254740988Ki",
    "1e-99999": "1e-9",
  };
  for (const [given, canonical] of Object.entries(table)) {
    it(`makes ${canonical} of ${given}`, () => assert.equal(canonicalQuantity(given), canonical));
  }

  it("changes nothing the second time, and never the amount", () => {
    const amounts = fc.tuple(
      fc.integer({ min: 0, max: 10_000_000 }),
      fc.constantFrom("", "m", "k", "M", "G", "Ki", "Mi", "e3", "e-2", ".5", ".25Gi"),
    );
    fc.assert(
      fc.property(amounts, ([number, suffix]) => {
        const once = canonicalQuantity(`${number}${suffix}`);
        assert.equal(canonicalQuantity(once), once);
        assert.equal(amount(once), amount(`${number}${suffix}`));
      }),
    );
  });

  it("refuses what is none", () => {
    assert.throws(() => canonicalQuantity(""), /must match the regular expression/);
    assert.throws(() => canonicalQuantity("1 Gi"), /must match the regular expression/);
    assert.throws(() => canonicalQuantity("1mm"), /unable to parse quantity's suffix/);
  });
});

describe("canonicalTime()", () => {
  it("writes the moment in UTC, without fractions or with six digits of them", () => {
    assert.equal(canonicalTime("2026-01-02T03:04:05.999+02:30", "seconds"), "2026-01-02T00:34:05Z");
    assert.equal(canonicalTime("2026-01-02T03:04:05.123456Z", "micro"), "2026-01-02T03:04:05.123456Z");
    assert.equal(canonicalTime("0001-01-01T00:00:00Z", "seconds"), undefined);
    assert.equal(timeFromSeconds(1n, 5_000, "micro"), "1970-01-01T00:00:01.000005Z");
    assert.equal(timeFromSeconds(1n, -1_000, "micro"), "1970-01-01T00:00:00.999999Z");
  });

  const wrong: Readonly<Record<string, string>> = {
    "2026-13-01T00:00:00Z": `parsing time "2026-13-01T00:00:00Z": month out of range`,
    "2026-02-29T00:00:00Z": `parsing time "2026-02-29T00:00:00Z": day out of range`,
    "2026-02-01T24:00:00Z": `parsing time "2026-02-01T24:00:00Z": hour out of range`,
    "2026-02-01": `parsing time "2026-02-01" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "T"`,
    "2026-02-01T00:00:00": `parsing time "2026-02-01T00:00:00" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "Z07:00"`,
    "2026-02-01T00:00:00Zz": `parsing time "2026-02-01T00:00:00Zz": extra text: "z"`,
  };
  for (const [given, message] of Object.entries(wrong)) {
    it(`refuses ${given}`, () => assert.throws(() => canonicalTime(given, "seconds"), { message }));
  }
});

const FACTORS: Readonly<Record<string, number>> = {
  n: 1e-9,
  u: 1e-6,
  m: 1e-3,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  P: 1e15,
};

function amount(text: string): number {
  const [, number = "", suffix = ""] = /^([\d.]+)(.*)$/.exec(text) ?? [];
  const power = ["", "Ki", "Mi", "Gi", "Ti", "Pi"].indexOf(suffix);
  const factor =
    power >= 0 ? 1024 ** power : suffix.startsWith("e") ? Number(`1${suffix}`) : (FACTORS[suffix] ?? 1);
  return Number((Number(number) * factor).toPrecision(12));
}
