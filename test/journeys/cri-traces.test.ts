import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { readCriRecordings } from "../traces/cri/recording.ts";
import { replayCri } from "../traces/cri/replay.ts";

const FOLDER = fileURLToPath(new URL("../traces/cri/recordings/", import.meta.url));

test("the image service answers what was recorded of containerd", async (t) => {
  let replayed = 0;
  for await (const recording of readCriRecordings(FOLDER)) {
    replayed++;
    await t.test(`${recording.id}: ${recording.title}`, async () => {
      assert.deepEqual(await replayCri(recording), []);
    });
  }
  assert.equal(replayed, (await readdir(FOLDER)).length);
});

test("a recording of something else is found to differ", async () => {
  for await (const recording of readCriRecordings(FOLDER)) {
    if (recording.id !== "cri-digest") continue;
    const [pull, status] = recording.calls ?? [];
    assert.ok(pull !== undefined && status !== undefined);
    const image = { ...(status.response?.["image"] as object), size: "1" };
    const requests = (pull.registryRequests ?? []).map((one) => ({ ...one, authorization: "Basic a:b" }));
    const changes: readonly [RegExp, readonly (typeof pull)[]][] = [
      [/^call 2, ImageStatus: .*"size":"1"/, [pull, { ...status, response: { image } }]],
      [/^call 1, PullImage: OK .* where it was NotFound/, [{ ...pull, code: "NotFound" }]],
      [/^call 1, PullImage: it fetched/, [{ ...pull, registryRequests: requests }]],
    ];
    for (const [expected, calls] of changes) {
      const differences = await replayCri({ ...recording, calls });
      assert.match(differences.join("\n"), expected);
    }
    return;
  }
  assert.fail("there was no such recording");
});
