import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";

import { applyLayer } from "./folder-unpacker.ts";
import { describeFolder, makeTar, streamOf, type TestEntry } from "./testing.ts";

const folder = mkdtempSync(join(tmpdir(), "dray-signs-"));
after(() => rmSync(folder, { recursive: true, force: true }));

const dir = (name: string, mode = 0o755): TestEntry => ({ flag: "5", name, mode });
const file = (name: string, content = "x"): TestEntry => ({ name, content });
const link = (name: string, linkName: string): TestEntry => ({ flag: "1", name, linkName });

const BASE: readonly TestEntry[] = [
  dir("etc"),
  file("etc/a", "A"),
  file("etc/b", "B"),
  dir("dir", 0o750),
  file("dir/one"),
  dir("dir/sub", 0o700),
  file("dir/sub/two"),
  { flag: "2", name: "dir/link", linkName: "../etc" },
  { flag: "2", name: "lnk", linkName: "dir" },
];

const CASES: Readonly<Record<string, readonly (readonly TestEntry[])[]>> = {
  "a folder that is removed, and then made again": [[file(".wh.dir"), dir("dir"), file("dir/new")]],
  "a folder that is removed, and then made only by what lies in it": [[file(".wh.dir"), file("dir/sub/new")]],
  "a folder that is removed inside of a link's": [[file("lnk/.wh.sub"), dir("lnk/sub"), file("lnk/sub/new")]],
  "a removed folder's link, which isn't followed any more": [[file(".wh.dir"), file("dir/link/new")]],
  "names that are removed where nothing is": [[file("new/.wh.none"), file("new/here"), file("etc/.wh.none")]],
  "names that are removed in a folder that hides all": [
    [dir("dir"), file("dir/.wh.one"), file("dir/.wh..wh..opq"), file("dir/.wh.sub"), file("dir/new")],
  ],
  "a folder that hides all, and what is passed through there": [
    [file("dir/.wh..wh..opq"), file("dir/sub/new"), file("dir/link/new")],
  ],
  "the root, which hides all": [
    [dir("etc"), file("etc/new"), file("only"), file(".wh..wh..opq"), dir("dir"), file("dir/new")],
  ],
  "a file that takes a folder's place, and a folder that takes the file's": [
    [file("dir", "a file now")],
    [dir("dir"), file("dir/again"), file("dir/.wh.one")],
  ],
  "a file that is removed and has a new name before": [[link("etc/c", "etc/a"), file("etc/.wh.a")]],
  "a folder's link, hidden by a layer in the middle, which isn't followed any more": [
    [file("dir/.wh..wh..opq"), file("dir/new")],
    [file("dir/link/x"), file("lnk/link/y")],
  ],
  "a folder that a layer in the middle hid with all around it, and that comes back": [
    [file(".wh.dir"), dir("dir", 0o711)],
    [file("dir/sub/new"), file("dir/.wh.one"), file("dir/sub/.wh.two")],
    [file("dir/sub/.wh.new"), dir("dir/sub/deep"), file("dir/link/z")],
  ],
  "a file that gets a new name from below a folder that hides all": [
    [file("dir/.wh..wh..opq"), file("dir/one", "of the middle")],
    [link("again", "dir/one"), file("dir/two")],
  ],
  "what comes back in a later layer": [[file(".wh.dir")], [file("dir/one", "later")], [file("dir/.wh.one")]],
};

/** The layers, each in a folder of its own, as overlayfs shows them. */
async function stack(layers: readonly (readonly TestEntry[])[], name: string): Promise<readonly string[]> {
  const below: string[] = [];
  for (const [index, entries] of layers.entries()) {
    const place = join(folder, `${name}-${index}`);
    mkdirSync(place);
    await applyLayer(streamOf(makeTar(entries)), place, { below: [...below], whiteouts: "overlay" });
    below.unshift(place);
  }
  const merged = join(folder, `${name}-merged`);
  mkdirSync(merged);
  execFileSync("mount", ["-t", "overlay", "overlay", "-o", `lowerdir=${below.join(":")}`, merged]);
  try {
    return describeFolder(merged);
  } finally {
    execFileSync("umount", [merged]);
  }
}

/** The same, one after the other in one folder. */
async function pile(layers: readonly (readonly TestEntry[])[], name: string): Promise<readonly string[]> {
  const place = join(folder, `${name}-pile`);
  mkdirSync(place);
  for (const entries of layers) await applyLayer(streamOf(makeTar(entries)), place);
  return describeFolder(place);
}

function canMount(): boolean {
  if (process.geteuid?.() !== 0) return false;
  const [low, high, merged] = ["l", "h", "m"].map((name) => join(folder, name));
  for (const path of [low, high, merged]) mkdirSync(path ?? "");
  const options = `lowerdir=${high}:${low}`;
  const { status } = spawnSync("mount", ["-t", "overlay", "overlay", "-o", options, merged ?? ""]);
  if (status === 0) execFileSync("umount", [merged ?? ""]);
  return status === 0;
}

const skip = canMount() ? false : "overlayfs can't be mounted here";

describe("layers that overlayfs stacks show what they make of one folder", { skip }, () => {
  for (const [index, [name, layers]] of Object.entries(CASES).entries()) {
    test(name, async () => {
      const all = [BASE, ...layers];
      assert.deepEqual(await stack(all, String(index)), await pile(all, String(index)));
    });
  }
});

test("no sign is left in the lowest layer, where it would hide nothing", { skip }, async () => {
  const place = join(folder, "lowest");
  mkdirSync(place);
  const entries = [file(".wh.a"), file("new/.wh.b"), file(".wh..wh..opq")];
  await applyLayer(streamOf(makeTar(entries)), place, { below: [], whiteouts: "overlay" });
  assert.deepEqual(
    describeFolder(place).map((line) => (JSON.parse(line) as readonly string[])[0]),
    ["/new"],
  );
});

test("what is linked to and was hidden by a layer in the middle doesn't exist", { skip }, async () => {
  const below: string[] = [];
  for (const [index, entries] of [BASE, [dir("dir"), file("dir/.wh..wh..opq")]].entries()) {
    const place = join(folder, `hidden-${index}`);
    mkdirSync(place);
    await applyLayer(streamOf(makeTar(entries)), place, { below: [...below], whiteouts: "overlay" });
    below.unshift(place);
  }
  const place = join(folder, "hidden-2");
  mkdirSync(place);
  for (const target of ["dir/one", "dir/sub/two", "lnk/one"]) {
    const tar = makeTar([link("again", target)]);
    await assert.rejects(applyLayer(streamOf(tar), place, { below, whiteouts: "overlay" }), target);
  }
});

test("what is linked to and was removed by the same layer doesn't exist", { skip }, async () => {
  for (const name of ["low", "high"]) mkdirSync(join(folder, name));
  await applyLayer(streamOf(makeTar(BASE)), join(folder, "low"), { below: [] });
  const tar = makeTar([file("etc/.wh.a"), link("etc/c", "etc/a")]);
  const options = { below: [join(folder, "low")], whiteouts: "overlay" } as const;
  await assert.rejects(applyLayer(streamOf(tar), join(folder, "high"), options), { code: "ARCHIVE_INVALID" });
  assert.ok(lstatSync(join(folder, "low/etc/a")).isFile());
  assert.equal(existsSync(join(folder, "high/etc/c")), false);
});
