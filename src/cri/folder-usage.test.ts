import assert from "node:assert/strict";
import { link, mkdir, mkdtemp, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { execFile } from "node:child_process";

import { measureFolders } from "./folder-usage.ts";

test("measureFolders() counts what du counts: blocks and inodes, holes for nothing, links once", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "dray-usage-"));
  t.after(() => rm(folder, { recursive: true }));
  const inner = join(folder, "a", "b");
  await mkdir(inner, { recursive: true });
  await writeFile(join(inner, "data"), Buffer.alloc(100_000, 1));
  await writeFile(join(inner, "small"), "x");
  await writeFile(join(folder, "hole"), "");
  await truncate(join(folder, "hole"), 50_000_000);
  await link(join(inner, "data"), join(folder, "again"));
  await symlink("/nowhere", join(folder, "dangling"));
  const { bytes, inodes } = await measureFolders([folder, join(folder, "missing")]);
  const du = async (...words: string[]): Promise<number> =>
    Number.parseInt((await promisify(execFile)("du", [...words, folder])).stdout, 10);
  assert.equal(bytes, await du("-s", "--block-size=1"));
  assert.equal(inodes, await du("-s", "--inodes"));
  await assert.rejects(
    measureFolders([folder], { signal: AbortSignal.abort(new Error("enough")) }),
    /enough/,
  );
});
