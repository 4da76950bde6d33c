import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { digestOf } from "../oci/index.ts";
import { FileAppender } from "./file-appender.ts";
import { RunningDigest } from "./running-digest.ts";

const LARGE = Buffer.alloc(300_000, "large ");
const SMALL = Buffer.from("small");

function scratch(
  mode: string,
  body: (file: FileAppender, path: string) => Promise<void>,
): () => Promise<void> {
  return async () => {
    const folder = mkdtempSync(join(tmpdir(), "dray-appender-"));
    const path = join(folder, "file");
    writeFileSync(path, "");
    const fd = openSync(path, mode);
    try {
      await body(new FileAppender(fd, RunningDigest.begin(["sha256"])), path);
    } finally {
      closeSync(fd);
      rmSync(folder, { recursive: true });
    }
  };
}

test(
  "chunks of any size stand in the file in the order they came, hashed as they stand",
  scratch("r+", async (file, path) => {
    const chunks = [SMALL, LARGE, SMALL, SMALL, LARGE, LARGE, SMALL];
    for (const chunk of chunks) await file.write(chunk);
    file.flush();
    await file.settle();
    const expected = Buffer.concat(chunks);
    assert.deepEqual(readFileSync(path), expected);
    assert.equal(file.digest.like(digestOf("")), digestOf(expected));
  }),
);

test(
  "settle() waits for writes nobody waited for",
  scratch("r+", async (file, path) => {
    void file.write(LARGE);
    void file.write(LARGE);
    await file.settle();
    assert.equal(readFileSync(path).length, 2 * LARGE.length);
  }),
);

test(
  "a refused write tears the file, and settling says so",
  scratch("r", async (file) => {
    await assert.rejects(async () => await file.write(LARGE), { code: "EBADF" });
    assert.equal(file.torn, true);
    await assert.rejects(file.settle(), { code: "EBADF" });
  }),
);
