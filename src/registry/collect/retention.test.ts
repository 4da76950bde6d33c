import assert from "node:assert/strict";
import { test } from "node:test";

import { digestOf, MEDIA_TYPES, type Digest } from "../../oci/index.ts";
import { TestRegistry } from "../testing.ts";
import type { TagRecord } from "./garbage.ts";
import type { RetainVerdict } from "./retain.ts";
import { openRetention, type RetentionRule } from "./retention.ts";

const DAY = 24 * 60 * 60 * 1_000;
const NOW = 100 * DAY;

function tag(name: string, age: number): TagRecord {
  return { name, digest: digestOf(name), taggedAt: NOW - age };
}

/** `name` for a tag that stays, with the reason; `-name` for one that goes. */
function decide(
  rules: readonly RetentionRule[],
  tags: readonly TagRecord[],
  immutable: readonly string[] = [],
): string[] {
  const retention = openRetention(rules)("team/app");
  const state = {
    now: NOW,
    isImmutable: (name: string): boolean => immutable.includes(name),
    hasManifest: (digest: string): boolean => digest === digestOf("here"),
  };
  const verdicts = retention?.decide(tags, state) ?? [];
  return verdicts.map(({ name, keep, reason }) => (keep ? `${name} ${reason}` : `-${name} ${reason}`));
}

const TAGS = [tag("a", 3 * DAY), tag("b", DAY), tag("c", 2 * DAY), tag("v1", 9 * DAY), tag("v2", 9 * DAY)];

test("rules say which tags stay, and why", () => {
  const all = ["team/**"];
  const cases: readonly [readonly RetentionRule[], string][] = [
    [[{ repositories: all, keepLast: 2 }], "-a superseded, b last, c last, -v1 superseded, -v2 superseded"],
    [[{ repositories: all, keepLast: 4 }], "a last, b last, c last, -v1 superseded, v2 last"],
    [
      [{ repositories: all, keepLast: 0 }],
      "-a superseded, -b superseded, -c superseded, -v1 superseded, -v2 superseded",
    ],
    [
      [{ repositories: all, keepWithin: 2 * DAY }],
      "-a superseded, b young, c young, -v1 superseded, -v2 superseded",
    ],
    [
      [{ repositories: all, keepTags: ["v*"] }],
      "-a superseded, -b superseded, -c superseded, v1 pattern, v2 pattern",
    ],
    [
      [{ repositories: all, tags: ["v*"], keepLast: 1 }],
      "a other, b other, c other, -v1 superseded, v2 last",
    ],
    [
      [
        { repositories: all, keepLast: 1 },
        { repositories: ["**"], tags: ["v1"], keepWithin: 10 * DAY },
      ],
      "-a superseded, b last, -c superseded, v1 young, -v2 superseded",
    ],
    [[{ repositories: all, untaggedAfter: DAY }], "a other, b other, c other, v1 other, v2 other"],
    [[{ repositories: ["other/**"], keepLast: 0 }], ""],
  ];
  for (const [rules, expected] of cases)
    assert.equal(decide(rules, TAGS).join(", "), expected, JSON.stringify(rules));
});

test("immutable tags stay, and what describes a manifest that is here", () => {
  const name = (text: string, end = ""): string => digestOf(text).replace(":", "-") + end;
  const tags = [
    tag("v1", DAY),
    tag(name("here"), DAY),
    tag(name("here", ".sig"), DAY),
    tag(name("gone", ".sig"), DAY),
  ];
  const reasons = decide([{ repositories: ["**"], keepLast: 0 }], tags, ["v1"]).map(
    (line) => line.split(" ")[1],
  );
  assert.deepEqual(reasons, ["immutable", "describes", "describes", "superseded"]);
});

test("rules that say nothing, or nothing that could be, are refused", () => {
  for (const rule of [
    { repositories: ["**"] },
    { repositories: ["A"], keepLast: 1 },
    { repositories: ["**"], keepLast: -1 },
  ]) {
    assert.throws(() => openRetention([rule]), { code: "CONFIG_INVALID" });
  }
});

async function push(
  scene: TestRegistry,
  repository: string,
  reference: string,
  fields: object,
): Promise<Digest> {
  const mediaType = "manifests" in fields ? MEDIA_TYPES.ociIndex : MEDIA_TYPES.ociManifest;
  const document = { schemaVersion: 2, mediaType, ...fields };
  const answer = await scene.put(`/v2/${repository}/manifests/${reference}`, document);
  assert.equal(answer.status, 201, await answer.text());
  return digestOf(JSON.stringify(document));
}

test("a run lets tags and then what is untagged go, and keeps the referrers of what stays", async () => {
  await using scene = new TestRegistry({
    limits: { rules: [{ repositories: ["**"], immutableTags: ["release"] }] },
    collection: {
      retention: [{ repositories: ["r"], keepLast: 1, untaggedAfter: 7 * DAY, danglingAfter: 7 * DAY }],
    },
  });
  scene.now = NOW;
  const digest = await scene.pushBlob("r", "layer");
  const config = { mediaType: MEDIA_TYPES.ociConfig, digest, size: 5 };
  const image = async (reference: string, mark: string, fields: object = {}): Promise<Digest> =>
    await push(scene, "r", reference, { config, layers: [], annotations: { mark }, ...fields });
  const subject = (of: Digest): object => ({ mediaType: MEDIA_TYPES.ociManifest, digest: of, size: 1 });
  const byDigest = async (mark: string, fields: object): Promise<Digest> => {
    const document = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config,
      layers: [],
      annotations: { mark },
      ...fields,
    };
    return await image(digestOf(JSON.stringify(document)), mark, fields);
  };
  await image("release", "0");
  scene.now += 1;
  const old = await image("old", "1");
  const oldSbom = await byDigest("sbom of 1", { subject: subject(old) });
  scene.now += 1;
  const child = await image("child", "2");
  await push(scene, "r", "new", {
    manifests: [{ mediaType: MEDIA_TYPES.ociManifest, digest: child, size: 1 }],
  });
  const newSbom = await byDigest("sbom of 2", { subject: subject(child) });
  scene.now += 1;
  const tags = async (): Promise<string[]> => {
    const answer = (await (await scene.send("GET", "/v2/r/tags/list")).json()) as { tags: string[] };
    return answer.tags;
  };
  const verdicts: RetainVerdict[] = [];
  const run = async (dryRun = false): Promise<{ tags: number; manifests: number } | undefined> => {
    const { retained } = await scene.registry.collect({
      dryRun,
      onVerdict: (verdict) =>
        (verdict.kind === "tag" || verdict.kind === "manifest") && verdicts.push(verdict),
    });
    return retained?.repositories.get("r");
  };
  // Without asking the registry: what is asked for stays.
  const status = async (of: Digest): Promise<number> =>
    (await scene.metadata.findManifest("r", of)) === undefined ? 404 : 200;
  assert.deepEqual(await run(true), { tags: 2, manifests: 0 });
  assert.deepEqual(await tags(), ["child", "new", "old", "release"]);
  assert.deepEqual(await run(), { tags: 2, manifests: 0 });
  assert.deepEqual(await tags(), ["new", "release"]);
  scene.now += 7 * DAY;
  assert.deepEqual(await run(), { tags: 0, manifests: 1 });
  assert.deepEqual([await status(old), await status(child), await status(newSbom)], [404, 200, 200]);
  // Its subject was there a moment ago: it begins its own time, less what it shared.
  assert.equal(await status(oldSbom), 200);
  scene.now += 2 * DAY;
  assert.deepEqual(await run(), { tags: 0, manifests: 1 });
  assert.equal(await status(oldSbom), 404);
  assert.deepEqual(scene.failures, []);
  assert.ok(verdicts.some((verdict) => verdict.kind === "manifest" && verdict.reason === "dangling"));
});
