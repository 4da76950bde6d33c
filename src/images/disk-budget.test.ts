import assert from "node:assert/strict";
import { test } from "node:test";

import type { Digest } from "../oci/index.ts";
import { decideDiskBudget, type DiskBudgetFacts } from "./disk-budget.ts";

const digest = (character: string): Digest => `sha256:${character.repeat(64)}` as Digest;

const FACTS: DiskBudgetFacts = {
  contents: [
    { digest: digest("a"), size: 100 },
    { digest: digest("b"), size: 40, diffId: digest("0") },
    { digest: digest("a"), size: 100 },
    { digest: digest("c"), size: 60, diffId: digest("1") },
  ],
  presentLayers: new Set([digest("0")]),
  fileSystem: { capacityBytes: 1000, availableBytes: 500 },
  unpackRatio: 0,
};

test("what images share counts once, and layers that are here not at all", () => {
  const { transfer, disk, present, verdict, limits } = decideDiskBudget(FACTS);
  assert.deepEqual(
    { transfer, disk, present, verdict, limits },
    {
      transfer: 160,
      disk: 160,
      present: 40,
      verdict: "fits",
      limits: [],
    },
  );
});

test("limits count what travels, and what it takes on the disk", () => {
  for (const [given, excess] of [
    [{ maxBytes: 160 }, [0]],
    [{ maxBytes: 159 }, [1]],
    [{ keepFree: () => 340 }, [0]],
    [{ keepFree: () => 341 }, [1]],
    [{ keepFree: () => 341, unpackRatio: 1.5 }, [241]],
    [{ keepFree: (capacity: number) => capacity * 0.7, maxBytes: 0 }, [160, 160]],
  ] as const) {
    const { limits, verdict } = decideDiskBudget({ ...FACTS, ...given });
    assert.deepEqual(
      limits.map((limit) => limit.excess),
      excess,
    );
    assert.equal(verdict, excess.some((bytes) => bytes > 0) ? "exceeds" : "fits");
  }
});

test("a disk nobody can measure is told of, and one that is too full takes what needs nothing", () => {
  const unknown = decideDiskBudget({ ...FACTS, fileSystem: {}, keepFree: () => 10 });
  assert.deepEqual([unknown.verdict, unknown.diskUnknown, unknown.limits], ["fits", true, []]);
  const full = { capacityBytes: 1000, availableBytes: 1 };
  const nothing = decideDiskBudget({ ...FACTS, contents: [], fileSystem: full, keepFree: () => 150 });
  assert.equal(nothing.verdict, "fits");
});
