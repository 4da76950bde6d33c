import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { test } from "node:test";
import { WriteStream } from "node:tty";

import { readUntil, toOutput } from "./process-context.ts";

test("toOutput() takes a terminal that nobody gave a size for one of usual size", () => {
  const stream = Object.create(WriteStream.prototype, {
    columns: { value: 0 },
    rows: { value: 0 },
  }) as WriteStream;
  const output = toOutput(stream);
  assert.ok(output.columns >= 80);
  assert.ok(output.rows >= 24);
});

test("readUntil() gives what comes, and stops waiting for more with its signal", async () => {
  const controller = new AbortController();
  const stream = new PassThrough();
  const reader = readUntil(stream, controller.signal);
  stream.write("kind: Pod");
  assert.equal(String((await reader.next()).value), "kind: Pod");
  const next = reader.next();
  const reason = new Error("stopped");
  controller.abort(reason);
  await assert.rejects(next, (error) => error === reason);
  assert.ok(stream.destroyed);
});
