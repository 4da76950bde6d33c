import assert from "node:assert/strict";
import { test } from "node:test";

import { digestOf, MEDIA_TYPES, type Digest } from "../../oci/index.ts";
import { TestRegistry } from "../testing.ts";
import type { CollectResult } from "./collector.ts";
import type { RetentionRule } from "./retention.ts";

const DAY = 24 * 60 * 60 * 1_000;

interface Sum {
  tags: number;
  manifests: number;
  blobs: number;
  bytes: number;
}

/** What one run takes from repositories, or would, with what would follow. */
function sumOf({ retained, collected, later }: CollectResult, names: readonly string[]): Sum[] {
  return names.map((name) => {
    const rules = retained?.repositories.get(name);
    const blobs = collected.repositories.get(name);
    const rest = later?.get(name);
    return {
      tags: rules?.tags ?? 0,
      manifests: (rules?.manifests ?? 0) + (rest?.manifests ?? 0),
      blobs: (blobs?.count ?? 0) + (rest?.blobs.count ?? 0),
      bytes: (blobs?.bytes ?? 0) + (rest?.blobs.bytes ?? 0),
    };
  });
}

/** The same numbers each time, for the same seed. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return Math.floor((state / 2 ** 32) * sides);
  };
}

const RULES: readonly (readonly RetentionRule[])[] = [
  [{ repositories: ["a", "b"], keepLast: 2, untaggedAfter: DAY, danglingAfter: DAY }],
  [{ repositories: ["a"], keepTags: ["t1*"], untaggedAfter: DAY }],
  [{ repositories: ["**"], danglingAfter: DAY }],
  [{ repositories: ["b"], keepLast: 1 }],
  [],
];

/** Images with shared layers, indexes, referrers of what is here and of what isn't, blobs that nothing names. */
async function fill(scene: TestRegistry, repository: string, roll: (sides: number) => number): Promise<void> {
  const known: Digest[] = [];
  for (let step = 0; step < 12; step++) {
    scene.now += 1_000;
    const kind = roll(8);
    if (kind === 0) {
      await scene.pushBlob(repository, `loose ${step}`);
      continue;
    }
    const pick = (): object => {
      const digest = known[roll(known.length)] ?? digestOf("nothing");
      return { mediaType: MEDIA_TYPES.ociManifest, digest, size: 1 };
    };
    const layers = [`layer ${roll(5)}`, `layer ${step}`];
    const describe = async (text: string): Promise<object> => ({
      mediaType: MEDIA_TYPES.ociLayer,
      digest: await scene.pushBlob(repository, text),
      size: text.length,
    });
    const [config, layer] = [await describe(layers[0] ?? ""), await describe(layers[1] ?? "")];
    const content =
      kind === 1 && known.length > 0 ? { manifests: [pick(), pick()] } : { config, layers: [layer] };
    const document = {
      schemaVersion: 2,
      mediaType: "manifests" in content ? MEDIA_TYPES.ociIndex : MEDIA_TYPES.ociManifest,
      ...content,
      ...(kind < 4 && { subject: roll(3) === 0 ? { ...pick(), digest: digestOf("gone") } : pick() }),
      annotations: { step: String(step) },
    };
    const digest = digestOf(JSON.stringify(document));
    const reference = roll(2) === 0 ? digest : `t${step}`;
    assert.equal((await scene.put(`/v2/${repository}/manifests/${reference}`, document)).status, 201);
    known.push(digest);
  }
}

for (const [index, retention] of RULES.entries()) {
  test(`a dry run foretells what all later runs take together: rules ${index}`, async () => {
    const names = ["a", "b"];
    let followed = 0;
    for (let seed = 1; seed <= 8; seed++) {
      await using scene = new TestRegistry({ collection: { retention } });
      const roll = dice(seed * 7_919 + index);
      for (const name of names) await fill(scene, name, roll);
      const dry = await scene.registry.collect({ dryRun: true });
      const foretold = sumOf(dry, names);
      const first = sumOf(await scene.registry.collect(), names);
      const all = first.map((sum) => ({ ...sum }));
      for (let run = 0; run < 12; run++) {
        scene.now += 3 * DAY;
        const taken = sumOf(await scene.registry.collect(), names);
        for (const [at, sum] of all.entries()) {
          for (const key of ["tags", "manifests", "blobs", "bytes"] as const)
            sum[key] += taken[at]?.[key] ?? 0;
        }
      }
      assert.deepEqual(foretold, all, `seed ${seed}`);
      followed += dry.later?.size ?? 0;
    }
    assert.ok(followed > 0, "there was something to foretell");
  });
}
