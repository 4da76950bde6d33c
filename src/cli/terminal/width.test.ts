import assert from "node:assert/strict";
import { test } from "node:test";

import { padEnd, printable, textWidth, truncate } from "./width.ts";

test("textWidth() counts wide characters twice and combining marks not at all", () => {
  for (const [text, width] of [
    ["", 0],
    ["dray", 4],
    ["näme", 4],
    ["na\u0308me", 4],
    ["画像", 4],
    ["🐳", 2],
    ["…", 1],
  ] as const) {
    assert.equal(textWidth(text), width, JSON.stringify(text));
  }
});

test("truncate() never exceeds the width and marks what it cut", () => {
  assert.equal(truncate("sha256:0123", 20), "sha256:0123");
  assert.equal(truncate("sha256:0123", 8), "sha256:…");
  assert.equal(truncate("画像画像", 6), "画像…");
  assert.equal(truncate("abc", 1), "…");
  assert.equal(truncate("abc", 0), "");
  for (let width = 1; width < 12; width++) assert.ok(textWidth(truncate("画像 x 🐳🐳", width)) <= width);
});

test("printable() takes the power over the terminal from other people's text", () => {
  assert.equal(printable("a\x1b[2Jb"), "a [2Jb");
  assert.equal(printable("a\r\nb\u202ec\u009b1m"), "a  b c 1m");
  assert.equal(printable("plain ü 画"), "plain ü 画");
});

test("padEnd() pads by cells, not by code units", () => {
  assert.equal(padEnd("画", 4), "画  ");
  assert.equal(padEnd("long", 2), "long");
});
