import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { attempt } from "./processes.ts";

const END = new URL("../scripts/end-tests.js", import.meta.url).href;

test("a file of tests that leaves something open is ended, and says what", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "dray-end-"));
  t.after(() => rm(folder, { recursive: true }));
  const body = `
    import { createServer } from "node:net";
    import { test } from "node:test";
    test("opens a server", () => void createServer().listen(0, "127.0.0.1"));
  `;
  const file = join(folder, "open.test.ts");
  await writeFile(file, body);
  // Else it would take itself for a file of this run.
  const { NODE_TEST_CONTEXT: _, ...inherited } = process.env;
  const env = { ...inherited, NODE_OPTIONS: `--import=${END}`, DRAY_TEST_FILE_LIMIT: "1000" };
  const ended = await attempt(process.execPath, ["--test", "--test-reporter=tap", file], {
    cwd: folder,
    env,
  });
  assert.equal(ended.status, 1);
  assert.match(ended.stdout, /open\.test\.ts doesn't end: still open after .* are .*TCPServerWrap/);
});
