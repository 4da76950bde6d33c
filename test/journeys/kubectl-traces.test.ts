import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { comparePrinted } from "../traces/kubectl/printed.ts";
import { replayCommands } from "../traces/kubectl/run-commands.ts";

const FOLDER = fileURLToPath(new URL("../traces/kubectl/recordings/", import.meta.url));

test("what kubectl asked a real API server, ours answers the same", { timeout: 300_000 }, async (t) => {
  let exchanges = 0;
  for await (const { id, differences, ...outcome } of replayCommands(FOLDER)) {
    exchanges += outcome.exchanges;
    await t.test(id, () => assert.deepEqual(differences, []));
  }
  assert.ok(exchanges > 250, `only ${exchanges} questions`);
});

test("printed lines are the same whenever and wherever they were printed, and nothing else is", () => {
  const printed = (stdout: string, stderr = "", exitCode = 0) => ({ stdout, stderr, exitCode });
  const recorded = printed("NAME   READY   AGE\nweb    1/1     3m5s\ndep-746f7fb58d-9htft   1/1     2s\n");
  const ours = printed("NAME    READY   AGE\nweb     1/1     2s\ndep-6b8c9d7f5-xk2vq    1/1     11h\n");
  assert.deepEqual(comparePrinted(recorded, ours), []);

  const broken = printed("NAME   READY   AGE\nweb    0/1     3m5s\n", "Warning: no\n", 1);
  assert.deepEqual(comparePrinted(recorded, broken), [
    "exit code: 0 ≠ 1",
    'stdout: - "web  1/1  AGE"',
    'stdout: - "dep-HASH  1/1  AGE"',
    'stdout: + "web  0/1  AGE"',
    'stderr: + "Warning: no"',
  ]);

  const yaml = printed("kind: Pod\nmetadata:\n  name: web\n  uid: a\n");
  assert.deepEqual(comparePrinted(yaml, printed("metadata: {uid: b, name: web}\nkind: Pod\n")), []);
  assert.deepEqual(comparePrinted(yaml, printed("kind: Pod\nmetadata:\n  name: other\n")), [
    'stdout: [0].metadata.name: "web" ≠ "other"',
  ]);
});
