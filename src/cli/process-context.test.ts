import assert from "node:assert/strict";
import { test } from "node:test";
import { WriteStream } from "node:tty";

import { toOutput } from "./process-context.ts";

test("toOutput() takes a terminal that nobody gave a size for one of usual size", () => {
  const stream = Object.create(WriteStream.prototype, {
    columns: { value: 0 },
    rows: { value: 0 },
  }) as WriteStream;
  const output = toOutput(stream);
  assert.ok(output.columns >= 80);
  assert.ok(output.rows >= 24);
});
