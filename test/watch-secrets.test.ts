/** What keeps tests' secrets out of sight sees them: in any form, in pieces, and in processes that tests start. */
import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { ROOT, run } from "./processes.ts";

const WATCH = new URL("../scripts/watch-secrets.js", import.meta.url).href;

interface Watch {
  readonly MARKS: readonly string[];
  readonly findSecret: (text: string) => number | undefined;
}

test("a secret is found as it is, in base64 wherever it stands, and in URLs", async () => {
  const { MARKS, findSecret } = (await import(WATCH)) as Watch;
  for (const mark of MARKS) {
    const secret = `a-${mark}-1`;
    const users = ["", "u", "me", "bob", "alice"];
    const shown = [
      secret,
      encodeURIComponent(secret),
      new URLSearchParams({ password: secret }).toString(),
      ...users.map((user) => Buffer.from(`${user}:${secret}`).toString("base64")),
      ...users.map((user) => Buffer.from(`{"${user}":"${secret}"}`).toString("base64url")),
    ];
    assert.deepEqual(
      shown.filter((text) => findSecret(`before ${text} after`) === undefined),
      [],
      "some forms go unseen",
    );
  }
  assert.equal(findSecret("Cannot open blob: not in the store; Basic [secret]"), undefined);
});

test("what a process says is watched, and that of those it starts with an environment of their own", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "dray-watch-"));
  t.after(() => rm(folder, { recursive: true }));
  const seen = join(folder, "seen");
  const inner = `process.stderr.write("it is drayTest"); process.stderr.write("Secret-x")`;
  const outer = `
    import { spawn } from "node:child_process";
    spawn(process.execPath, ["-e", ${JSON.stringify(inner)}], { env: { PATH: "/bin" } });
    console.log("nothing");
  `;
  const env = { ...process.env, DRAY_SECRETS_SEEN: seen };
  await run(process.execPath, [`--import=${WATCH}`, "--input-type=module", "-e", outer], {
    cwd: ROOT,
    env: { ...env, NODE_OPTIONS: `--import=${WATCH}` },
  });
  const [note, ...more] = (await readFile(seen, "utf8")).trim().split("\n");
  assert.match(note ?? "", /stderr/);
  assert.deepEqual(more, []);
  assert.ok(!note?.includes("Secret-x"));
});
