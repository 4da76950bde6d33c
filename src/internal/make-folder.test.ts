import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { makeFolder } from "./make-folder.ts";

const root = mkdtempSync(join(tmpdir(), "dray-folder-"));
after(() => rmSync(root, { recursive: true }));

test("makeFolder() makes what is missing and names the topmost of it", () => {
  assert.equal(makeFolder(join(root, "a", "b", "c"), { mode: 0o700 }), join(root, "a"));
  assert.equal(statSync(join(root, "a", "b", "c")).mode & 0o777, 0o700);
  assert.equal(makeFolder(join(root, "a", "b", "c")), undefined);
  assert.equal(makeFolder(join(root, "a", "b", "d")), join(root, "a", "b", "d"));
});

test("makeFolder() goes through links, and says when a file or a dead link is in the way", () => {
  symlinkSync(join(root, "a"), join(root, "link"));
  assert.equal(makeFolder(join(root, "link", "x")), join(root, "link", "x"));
  assert.ok(statSync(join(root, "a", "x")).isDirectory());
  writeFileSync(join(root, "file"), "");
  assert.throws(() => makeFolder(join(root, "file")), { code: "EEXIST" });
  assert.throws(() => makeFolder(join(root, "file", "x", "y")), { code: "EEXIST" });
  symlinkSync(join(root, "nowhere"), join(root, "dead"));
  assert.throws(() => makeFolder(join(root, "dead", "x")), { code: "EEXIST" });
});

test(
  "makeFolder() gives up where the system refuses, rather than trying forever",
  { skip: process.platform !== "linux" },
  () => {
    const module = new URL("make-folder.ts", import.meta.url).href;
    const script = `const { makeFolder } = await import(${JSON.stringify(module)}); makeFolder("/proc/dray/x");`;
    // In a process of its own, since a loop in here could not be ended by a timeout.
    const { status, stderr } = spawnSync(process.execPath, ["--input-type=module", "-e", script], {
      encoding: "utf8",
      timeout: 60_000,
    });
    assert.equal(status, 1);
    assert.match(stderr, /ENOENT.*mkdir '\/proc\/dray'/);
  },
);
