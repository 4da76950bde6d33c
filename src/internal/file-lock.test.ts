import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { FileLock, FileMutex } from "./file-lock.ts";

const dir = mkdtempSync(join(tmpdir(), "dray-lock-"));
after(() => rmSync(dir, { recursive: true }));

test("a file lock has one holder at a time, in one process too", () => {
  const path = join(dir, "one");
  const first = FileLock.tryAcquire(path);
  assert.ok(first);
  assert.equal(FileLock.tryAcquire(path), undefined);
  first.release();
  first.release();
  using second = FileLock.tryAcquire(path);
  assert.ok(second);
});

test("a file lock leaves an empty file and nothing beside it", () => {
  const path = join(dir, "empty", "..", "bare");
  using lock = FileLock.tryAcquire(path);
  assert.ok(lock);
  assert.equal(statSync(path).size, 0);
  assert.ok(!readdirSync(dir).some((name) => name.startsWith("bare-")));
});

test("a file lock of a killed process is free at once", async () => {
  const path = join(dir, "killed");
  const script = `
    import { FileLock } from ${JSON.stringify(import.meta.resolve("./file-lock.ts"))};
    globalThis.held = FileLock.tryAcquire(${JSON.stringify(path)});
    console.log("held");
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script]);
  try {
    await once(child.stdout, "data");
    assert.equal(FileLock.tryAcquire(path), undefined);
  } finally {
    child.kill("SIGKILL");
    await once(child, "exit");
  }
  using lock = FileLock.tryAcquire(path);
  assert.ok(lock);
});

test("a file mutex shuts others out while its body runs, and opens again when it throws", () => {
  const path = join(dir, "mutex");
  using first = new FileMutex(path);
  using second = new FileMutex(path, { timeout: 0 });
  assert.throws(() => first.run(() => second.run(() => "never")), { code: "DATABASE_BUSY" });
  assert.throws(
    () =>
      first.run(() => {
        throw new Error("no");
      }),
    /^Error: no$/,
  );
  assert.equal(
    second.run(() => "in"),
    "in",
  );
});
