import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { readAdmissionRecordings } from "../traces/admission/recording.ts";
import { replayAdmission } from "../traces/admission/replay.ts";

const FOLDER = fileURLToPath(new URL("../traces/admission/recordings/", import.meta.url));

test("admission does what was recorded of a real API server and its webhooks", async (t) => {
  let calls = 0;
  for await (const recording of readAdmissionRecordings(FOLDER)) {
    calls += recording.admissionCalls.length;
    await t.test(`${recording.id}: ${recording.title}`, async () => {
      assert.deepEqual(await replayAdmission(recording), []);
    });
  }
  assert.ok(calls > 30, `only ${calls} reviews were replayed`);
});
