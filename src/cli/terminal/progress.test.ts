import assert from "node:assert/strict";
import { test } from "node:test";

import { createMemoryOutput } from "../testing.ts";
import { ProgressLines } from "./progress.ts";
import { textWidth } from "./width.ts";

const ESCAPES = new RegExp(String.raw`\u001b\[[0-9;?]*[A-Za-z]`, "g");

function lastFrame(text: string): string[] {
  const frame = text.slice(text.lastIndexOf("\x1b[1A") + 1);
  return frame
    .replace(ESCAPES, "")
    .replace(/\r/g, "")
    .split("\n")
    .filter((line) => line !== "");
}

test("progress on a terminal shows bytes, rate and time left for each layer", () => {
  const output = createMemoryOutput({ isTTY: true, columns: 120 });
  let now = 1000;
  const progress = new ProgressLines({
    output,
    clock: { now: () => now },
    env: { NO_COLOR: "1" },
    interval: 0,
  });
  progress.start("a", "layer 1", 10_000_000);
  progress.update("a", 0);
  now += 2000;
  progress.update("a", 4_000_000);
  const line = lastFrame(output.text).at(-1) ?? "";
  assert.match(line, /layer 1 +█+░+ +4\.0 MB \/ 10\.0 MB +2\.0 MB\/s +3\.0s left/);
});

test("progress does not count resumed bytes into the rate", () => {
  const output = createMemoryOutput({ isTTY: true, columns: 120 });
  let now = 0;
  const progress = new ProgressLines({ output, clock: { now: () => now }, env: {}, interval: 0 });
  progress.start("a", "layer", 100_000_000);
  progress.update("a", 90_000_000);
  now = 1000;
  progress.update("a", 91_000_000);
  assert.match(lastFrame(output.text).at(-1) ?? "", /1\.0 MB\/s +9\.0s left/);
});

test("progress redraws no more often than its interval, and every line fits the terminal", () => {
  const output = createMemoryOutput({ isTTY: true, columns: 40 });
  let now = 1000;
  const progress = new ProgressLines({ output, clock: { now: () => now }, env: { NO_COLOR: "1" } });
  progress.start("a", "a label that is far too long for it", 1000);
  const before = output.text.length;
  for (let bytes = 1; bytes < 500; bytes++) progress.update("a", bytes);
  assert.equal(output.text.length, before);
  now += 200;
  progress.update("a", 600);
  assert.ok(output.text.length > before);
  for (const line of output.text.replace(ESCAPES, "").split(/\r?\n\r?/))
    assert.ok(textWidth(line) < 40, line);
});

test("progress in a pipe writes nothing but what is printed", () => {
  const output = createMemoryOutput();
  const progress = new ProgressLines({ output, clock: { now: () => 0 }, env: {}, interval: 0 });
  progress.start("a", "layer", 10);
  progress.update("a", 5);
  progress.finish("a", "done");
  progress.print("stays");
  progress.close();
  assert.equal(output.text, "stays\n");
});

test("progress gives the cursor back when it closes", () => {
  const output = createMemoryOutput({ isTTY: true });
  const progress = new ProgressLines({ output, clock: { now: () => 0 }, env: {}, interval: 0 });
  progress.start("a", "layer", 10);
  progress.finish("a", "done");
  progress.close();
  assert.ok(output.text.startsWith("\x1b[?25l"));
  assert.ok(output.text.endsWith("\x1b[?25h"));
});
