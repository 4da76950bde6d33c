import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { FolderSyncs, writeFileAtomically } from "./atomic-write.ts";

const dir = mkdtempSync(join(tmpdir(), "dray-atomic-"));
after(() => rmSync(dir, { recursive: true }));

test("writeFileAtomically() replaces a file, with the mode asked for, and leaves no draft", async () => {
  const folder = join(dir, "replace");
  mkdirSync(folder);
  const path = join(folder, "config.json");
  await writeFileAtomically(path, "old");
  await writeFileAtomically(path, Buffer.from("new"), { mode: 0o600 });
  assert.equal(readFileSync(path, "utf8"), "new");
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(folder), ["config.json"]);
});

test("writeFileAtomically() leaves no draft when it can't take the place", async () => {
  const folder = join(dir, "taken");
  mkdirSync(join(folder, "config.json", "full"), { recursive: true });
  await assert.rejects(writeFileAtomically(join(folder, "config.json"), "x"));
  assert.deepEqual(readdirSync(folder), ["config.json"]);
});

test("folder syncs asked for together all resolve, and fail where there is no folder", async () => {
  const syncs = new FolderSyncs();
  await Promise.all(Array.from({ length: 20 }, () => syncs.sync(dir)));
  await assert.rejects(Promise.all([syncs.sync(join(dir, "none")), syncs.sync(join(dir, "none"))]), {
    code: "ENOENT",
  });
});
