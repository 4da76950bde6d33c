import assert from "node:assert/strict";
import { test } from "node:test";

import { createMemoryOutput } from "../testing.ts";
import { createStyle } from "./style.ts";
import { renderTable } from "./table.ts";
import { textWidth } from "./width.ts";

const plain = createStyle(createMemoryOutput(), {});

test("renderTable() lines columns up by cells and leaves no blanks at line ends", () => {
  const lines = renderTable({
    columns: [{ title: "NAME" }, { title: "SIZE", align: "right" }, { title: "NOTE" }],
    rows: [
      ["画像", "9 B", ""],
      ["busybox", "2.1 MB", "x"],
    ],
    style: plain,
  });
  assert.deepEqual(lines, ["NAME       SIZE  NOTE", "画像        9 B", "busybox  2.1 MB  x"]);
});

test("renderTable() cuts only columns that may shrink, the widest first, until the line fits", () => {
  const columns = [{ title: "IMAGE", shrinkTo: 8 }, { title: "STATE" }, { title: "WHY", shrinkTo: 5 }];
  const rows = [["localhost:5000/hello:1", "ErrImagePull", "no such tag in this repository"]];
  const lines = renderTable({ columns, rows, width: 50, style: plain });
  assert.ok(
    lines.every((line) => textWidth(line) <= 50),
    lines.join("\n"),
  );
  assert.match(lines[1] ?? "", /^localhost:5000\S*…? +ErrImagePull  no such tag/);
  const narrow = renderTable({ columns, rows, width: 5, style: plain });
  assert.equal(narrow[1], "localho…  ErrImagePull  no s…");
});

test("renderTable() never lets a cell break its line or reach the terminal", () => {
  const lines = renderTable({ columns: [{ title: "A" }], rows: [["x\n\x1b[31my"]], style: plain });
  assert.deepEqual(lines, ["A", "x  [31my"]);
});

test("colour goes to terminals only, and not under NO_COLOR", () => {
  const terminal = createMemoryOutput({ isTTY: true });
  const render = (style: typeof plain): string[] =>
    renderTable({ columns: [{ title: "A" }], rows: [[{ text: "bad", styling: "red" }]], style });
  assert.deepEqual(render(createStyle(terminal, {})), ["\x1b[1mA\x1b[22m", "\x1b[31mbad\x1b[39m"]);
  for (const style of [
    createStyle(terminal, { NO_COLOR: "1" }),
    createStyle(terminal, { TERM: "dumb" }),
    plain,
  ]) {
    assert.deepEqual(render(style), ["A", "bad"]);
  }
});
