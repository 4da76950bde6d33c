import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { runFolder, VectorFolderError, type FileResult } from "./folder.ts";

const OWN = fileURLToPath(new URL(".", import.meta.url));

test("every vector of the project's own copy passes", async (t) => {
  for (const result of await collect(OWN)) {
    await t.test(result.file, () => {
      assert.deepEqual(result.differences, []);
      assert.equal(result.uncovered, 0, "cases that are not covered");
    });
  }
});

test("a wrong expectation is reported with its case", async () => {
  const result = await runOne("platform-parse.json", {
    cases: [
      { id: "right", op: "ggcr.parse", input: "linux", error: false, platform: { os: "linux" } },
      { id: "wrong", op: "ggcr.parse", input: "linux", error: false, platform: { os: "windows" } },
    ],
  });
  assert.equal(result.passed, 1);
  assert.deepEqual(
    result.differences.map(({ id }) => id),
    ["wrong"],
  );
  assert.match(result.differences[0]?.why ?? "", /expected .*windows.*\n.*but got .*linux/);
});

test("what isn't there may be null, empty or left out, as in Go", async () => {
  const files: Readonly<Record<string, readonly object[]>> = {
    "container-waiting-state.json": [
      {
        operation: "getPullSecretsForPod",
        pod: { namespace: "ns", name: "p", imagePullSecrets: null },
        expect: { secrets: [], events: [] },
      },
      {
        operation: "containerStatuses",
        containers: ["a"],
        reasons: { a: { reason: "ErrImagePull", message: "404" } },
        expectState: { a: { waiting: { reason: "ErrImagePull", message: "404" } } },
      },
    ],
    "cri-image-operations.json": [
      {
        operation: "list",
        service: { errors: { ListImages: "e" } },
        expect: { ids: null, error: true },
      },
      {
        operation: "toKubeletSpec",
        input: { id: "i", spec: { annotations: null } },
        expect: { image: "i", runtimeHandler: "", annotations: null },
      },
      { operation: "getImageVolumes", volumes: null, expect: null },
    ],
    "image-gc.json": [
      {
        policy: { highThresholdPercent: 90, lowThresholdPercent: 80 },
        steps: [{ op: "garbageCollect", fsStatsError: "no disk", expectError: "no disk" }],
      },
    ],
    "pull-manager-records.json": [
      {
        operation: "mergeCredentials",
        imageWithoutTag: "i",
        current: { imageRef: "r", credentialMapping: null },
        new: { kubernetesSecrets: null, nodePodsAccessible: true },
        expectRecord: { imageRef: "r", credentialMapping: { i: { nodePodsAccessible: true } } },
        expectUpdated: true,
      },
    ],
  };
  for (const [file, cases] of Object.entries(files)) {
    const result = await runOne(file, { cases: cases.map((one, index) => ({ id: String(index), ...one })) });
    assert.deepEqual(result, { file, passed: cases.length, uncovered: 0, differences: [] });
  }
});

test("files and operations nobody knows are not yet covered, and no failure", async () => {
  const strange = await runOne("strange-topic.json", { cases: [{ id: "a" }, { id: "b" }] });
  assert.deepEqual(strange, { file: "strange-topic.json", passed: 0, uncovered: 2, differences: [] });
  const operation = await runOne("platform-parse.json", { cases: [{ id: "a", op: "divine" }] });
  assert.equal(operation.uncovered, 1);
});

test("a folder without vectors is refused in one sentence", async () => {
  await assert.rejects(collect(join(OWN, "missing")), sentence(/missing": it does not exist$/));
  await assert.rejects(collect(join(OWN, "run.ts")), sentence(/run.ts": it is not a folder$/));
  await assert.rejects(runOne("a.txt", {}), sentence(/it has no .json file$/));
  await assert.rejects(runOne("a.json", {}), sentence(/"a.json": it has no "cases"$/));
  await assert.rejects(runOne("a.json", { cases: [1] }), sentence(/"a.json": its "cases" are not objects/));
  await assert.rejects(runOne("a.json", "{"), sentence(/"a.json": it is not JSON$/));
});

function sentence(pattern: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof VectorFolderError && pattern.test(error.message);
}

async function collect(folder: string): Promise<FileResult[]> {
  return await Array.fromAsync(runFolder(folder));
}

async function runOne(file: string, document: unknown): Promise<FileResult> {
  const folder = await mkdtemp(join(tmpdir(), "dray-vectors-"));
  try {
    await writeFile(join(folder, file), typeof document === "string" ? document : JSON.stringify(document));
    const [result] = await collect(folder);
    assert.ok(result);
    return result;
  } finally {
    await rm(folder, { recursive: true });
  }
}
