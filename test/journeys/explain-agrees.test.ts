/**
 * Explaining and the node can't disagree: hundreds of worlds by chance, in each of which explaining says what would
 * become of a Pod's images, and a node of ours finds out. `DRAY_SEED` and `DRAY_WORLDS` ask for others, and for more:
 * 2000 take about 20 seconds.
 */
import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { after, before, test } from "node:test";

import fc from "fast-check";

import { compareAnswers } from "./compare-answers.ts";
import { world } from "./random-worlds.ts";
import { askTwice } from "./two-answers.ts";
import { makePrograms } from "./world-lab.ts";

const SEED = Number(process.env["DRAY_SEED"] ?? 20_260_105);
const WORLDS = Number(process.env["DRAY_WORLDS"] ?? 600);

let folder = "";
before(async () => {
  folder = await makePrograms();
});
after(() => rm(folder, { recursive: true }));

test("explaining says of every world what the node makes of it", { timeout: 120_000 }, async () => {
  const met = new Map<string, number>();
  const property = fc.asyncProperty(world, async (one) => {
    const answers = await askTwice(one, folder);
    const differences = compareAnswers(one, answers);
    assert.deepEqual(differences, []);
    for (const { outcome } of answers.looks?.flat() ?? []) {
      const name = outcome.state === "failed" ? outcome.reason : outcome.state;
      met.set(name, (met.get(name) ?? 0) + 1);
    }
  });
  await fc.assert(property, { seed: SEED, numRuns: WORLDS, endOnFailure: false });
  // A generator that always goes the same way would prove nothing.
  for (const name of [
    "present",
    "pulled",
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
  ]) {
    assert.ok((met.get(name) ?? 0) >= WORLDS / 100, `${name}: ${met.get(name)} times in ${WORLDS} worlds`);
  }
});
