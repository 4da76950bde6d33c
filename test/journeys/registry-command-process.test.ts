/** `dray registry` as a process: its signals, its end, and what a killed one leaves behind. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { attempt, ROOT, start, type Started } from "../processes.ts";
import { makeWorkFolder } from "./registry-command.ts";

const PROGRAM = join(ROOT, "bin", "dray.js");

function startRegistry(folder: string): Started {
  const config = join(folder, "registry.yaml");
  return start(process.execPath, [PROGRAM, "registry", "--config", config, "--port", "0"], { cwd: folder });
}

async function urlOf(registry: Started): Promise<string> {
  const [, url = ""] = await registry.waitFor(/Registry on (http:\S+)/);
  return url;
}

test("SIGHUP reads anew and lets go of logs that were moved, SIGTERM ends it well, SIGKILL leaves nothing in the way", async (t) => {
  // Longer than the path of a socket may be.
  const folder = join(makeWorkFolder(t), "a".repeat(60), "b".repeat(60));
  mkdirSync(folder, { recursive: true });
  const config = join(folder, "registry.yaml");
  const settings = "storage: { folder: data }\nlog: { file: access.log, format: combined }\n";
  writeFileSync(config, settings);
  const status = async (): Promise<{ code: number | null; processes: { pid: number }[] }> => {
    const args = [PROGRAM, "registry", "status", "--json", "--config", config];
    const { status: code, stdout } = await attempt(process.execPath, args, { cwd: folder });
    return { code, ...(JSON.parse(stdout) as { processes: { pid: number }[] }) };
  };
  {
    await using killed = startRegistry(folder);
    await urlOf(killed);
    assert.deepEqual(
      (await status()).processes.map(({ pid }) => pid),
      [killed.pid],
    );
    await killed.stop("SIGKILL");
  }
  assert.equal((await status()).code, 1);

  await using registry = startRegistry(folder);
  const url = await urlOf(registry);
  assert.deepEqual(
    (await status()).processes.map(({ pid }) => pid),
    [registry.pid],
  );
  assert.equal(readdirSync(join(folder, "data", "control")).length, 1);
  assert.equal((await fetch(`${url}/v2/`)).status, 200);
  const log = join(folder, "access.log");
  while (!existsSync(log)) await new Promise((resolve) => setTimeout(resolve, 5));
  renameSync(log, `${log}.moved`);
  process.kill(registry.pid, "SIGHUP");
  await registry.waitFor(/In force anew: access/);
  assert.equal((await fetch(`${url}/v2/`)).status, 200);
  while (!existsSync(log)) await new Promise((resolve) => setTimeout(resolve, 5));
  // At once, as tools do: half of it is another configuration.
  writeFileSync(`${config}.new`, `${settings}access: {}\n`);
  renameSync(`${config}.new`, config);
  await registry.waitFor(/In force anew: access[^]*In force anew: access/);
  assert.equal((await fetch(`${url}/v2/`)).status, 401);
  await registry.stop("SIGTERM");
  assert.match(registry.said, /No more requests are wanted/);
  assert.deepEqual(readdirSync(join(folder, "data", "control")), []);
});
