/** What becomes of what is there already, when a layer names it again, links to it or takes it away. */
import assert from "node:assert/strict";
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync } from "node:fs";
import { linkSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";

import { FolderUnpacker } from "./folder-unpacker.ts";
import { removeTree } from "./remove-tree.ts";
import { makeTar, streamOf, type TestEntry } from "./testing.ts";

const me = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "dray-replacing-"));
});
afterEach(() => removeTree(root));

const at = (path: string): string => join(root, path);

/** Each list is a layer. */
async function apply(...layers: readonly (readonly TestEntry[])[]): Promise<void> {
  await using unpacker = new FolderUnpacker(root);
  for (const entries of layers) {
    await unpacker.apply(streamOf(makeTar(entries.map((entry) => ({ ...me, mode: 0o755, ...entry })))));
  }
  unpacker.finish();
}

const KINDS = ["file", "folder", "link", "pipe", "hard link"] as const;
type Kind = (typeof KINDS)[number];

/** What makes an `x` of a kind, given that `other` is a file and `d` a folder. */
const ENTRIES: Readonly<Record<Kind, readonly TestEntry[]>> = {
  file: [{ name: "x", content: "x" }],
  folder: [
    { flag: "5", name: "x" },
    { name: "x/below", content: "b" },
  ],
  link: [{ flag: "2", name: "x", linkName: "d" }],
  pipe: [{ flag: "6", name: "x" }],
  "hard link": [{ flag: "1", name: "x", linkName: "other" }],
};

function kindOf(path: string): Kind {
  const stat = lstatSync(at(path));
  if (stat.isSymbolicLink()) return "link";
  if (stat.isDirectory()) return "folder";
  if (stat.isFIFO()) return "pipe";
  return stat.ino === lstatSync(at("other")).ino ? "hard link" : "file";
}

describe("a name that is there already", () => {
  const around: readonly TestEntry[] = [
    { name: "other", content: "o" },
    { name: "d/kept", content: "k" },
  ];
  for (const before of KINDS) {
    for (const after of KINDS) {
      test(`${after} after ${before}`, async () => {
        await apply([...around, ...ENTRIES[before]], ENTRIES[after]);
        assert.equal(kindOf("x"), after);
        // Nothing was written through a link, and nothing removed behind one.
        assert.deepEqual([readFileSync(at("other"), "utf8"), readdirSync(at("d"))], ["o", ["kept"]]);
        if (after === "file") assert.equal(readFileSync(at("x"), "utf8"), "x");
        if (after === "folder") assert.deepEqual(readdirSync(at("x")), ["below"]);
      });
    }
  }

  test("a folder that comes again keeps what is in it, also when it is closed meanwhile", async () => {
    await apply(
      [{ flag: "5", name: "x", mode: 0o700 }, { name: "x/one" }],
      [{ flag: "5", name: "x", mode: 0o500 }, { name: "x/two" }, { flag: "5", name: "x/", mode: 0o550 }],
    );
    assert.deepEqual(readdirSync(at("x")).sort(), ["one", "two"]);
    assert.equal(lstatSync(at("x")).mode & 0o7777, 0o550);
  });
});

describe("a hard link", () => {
  const refused = { code: "ARCHIVE_INVALID" };

  test("needs what it links to at that moment", async () => {
    const file = { name: "f", content: "f" };
    const link = { flag: "1", name: "l", linkName: "f" };
    await assert.rejects(apply([file], [{ name: ".wh.f" }, link]), refused);
    await assert.rejects(
      apply([{ name: "d/f" }], [{ name: "d/.wh..wh..opq" }, { ...link, linkName: "d/f" }]),
      refused,
    );
    await assert.rejects(apply([{ flag: "1", name: "f", linkName: "f" }]), refused);
    await assert.rejects(apply([{ name: "d/f" }], [{ flag: "1", name: "d", linkName: "d/f" }]), refused);
    await assert.rejects(apply([{ flag: "1", name: "l", linkName: "" }]), refused);
    await assert.rejects(apply([{ flag: "1", name: "l", linkName: "/" }]), refused);
  });

  test("keeps its file when the other name is replaced, taken away or hidden", async () => {
    await apply(
      [
        { name: "d/f", content: "old" },
        { flag: "1", name: "a", linkName: "d/f" },
        { flag: "1", name: "b", linkName: "/d/f" },
        { flag: "1", name: "c", linkName: "../../d/./f" },
      ],
      [{ name: "d/f", content: "new" }],
      [{ name: ".wh.a" }, { name: "d/.wh..wh..opq" }],
    );
    assert.deepEqual(readdirSync(at("d")), []);
    assert.equal(readFileSync(at("b"), "utf8"), "old");
    assert.equal(lstatSync(at("b")).ino, lstatSync(at("c")).ino);
    assert.equal(lstatSync(at("b")).nlink, 2);
  });

  test("leads through links of its folder, not through its own name", async () => {
    await apply([
      { name: "real/f", content: "f" },
      { flag: "2", name: "way", linkName: "/real" },
      { flag: "2", name: "real/l", linkName: "f" },
      { flag: "1", name: "one", linkName: "way/f" },
      { flag: "1", name: "two", linkName: "way/l" },
    ]);
    assert.equal(lstatSync(at("one")).ino, lstatSync(at("real/f")).ino);
    assert.equal(readlinkSync(at("two")), "f");
  });
});

describe("a marker", () => {
  test("takes away whatever has the name, and never what a link leads to", async () => {
    mkdirSync(at("outside"));
    writeFileSync(at("outside/file"), "o");
    symlinkSync("outside", at("link"));
    linkSync(at("outside/file"), at("hard"));
    mkdirSync(at("deep/er/still"), { recursive: true });
    await apply([{ name: ".wh.link" }, { name: ".wh.hard" }, { name: ".wh.deep" }, { name: ".wh.never" }]);
    assert.deepEqual(readdirSync(root), ["outside"]);
    assert.equal(readFileSync(at("outside/file"), "utf8"), "o");
  });

  test("is looked for where links of its folder lead", async () => {
    await apply(
      [{ name: "real/one" }, { name: "real/two" }, { flag: "2", name: "way", linkName: "real" }],
      [{ name: "way/.wh.one" }],
    );
    assert.deepEqual(readdirSync(at("real")), ["two"]);
    await apply([{ name: "way/three" }, { name: "way/.wh..wh..opq" }]);
    assert.deepEqual(readdirSync(at("real")), ["three"]);
    assert.equal(readlinkSync(at("way")), "real");
  });

  test("may be longer than any file's name, since it is none", async () => {
    const name = "n".repeat(255);
    await apply([{ name }, { name: "kept" }], [{ name: `.wh.${name}` }]);
    assert.deepEqual(readdirSync(root), ["kept"]);
    await assert.rejects(apply([{ name: `.wh.${name}n` }]), { code: "LIMIT_EXCEEDED" });
    await assert.rejects(apply([{ name: `.wh.${name}/f` }]), { code: "LIMIT_EXCEEDED" });
  });

  test("of any type, size and order does the same, and comes to nothing itself", async () => {
    for (const flag of ["0", "1", "2", "5", "6"]) {
      await apply(
        [{ name: "f" }],
        [{ flag, name: ".wh.f", linkName: "nowhere", content: flag === "0" ? "text" : "" }],
      );
      assert.deepEqual(readdirSync(root), [], flag);
    }
    await apply([{ name: "f" }], [{ name: ".wh.f" }, { name: "f", content: "again" }]);
    assert.equal(readFileSync(at("f"), "utf8"), "again");
  });

  test("may have content, as may the root, and none of it lands in the file before", async () => {
    const content = "not yours ".repeat(20_000);
    await apply([
      { name: "a", content: "a" },
      { name: ".wh.b", content },
      { name: "c", content: "c" },
      { name: "./", content },
      { name: "d", content: "d" },
      { name: ".wh..wh.aufs", content },
    ]);
    const texts = readdirSync(root).map((name) => readFileSync(at(name), "utf8"));
    assert.deepEqual(texts.sort(), ["a", "c", "d"]);
  });

  test("that empties the root spares what came in its own layer, at any depth", async () => {
    await apply(
      [{ name: "a" }, { name: "d/old" }, { name: "e/old" }],
      [{ flag: "5", name: "d" }, { name: "d/new" }, { name: ".wh..wh..opq" }, { name: "late" }],
    );
    assert.deepEqual(readdirSync(root).sort(), ["d", "late"]);
    assert.deepEqual(readdirSync(at("d")), ["new"]);
  });

  test("of aufs itself says nothing", async () => {
    await apply([
      { name: "plnk" },
      { name: ".wh..wh.plnk" },
      { name: ".wh..wh.aufs" },
      { name: "d/.wh..wh.orph" },
    ]);
    assert.deepEqual(readdirSync(root).sort(), ["d", "plnk"]);
    assert.deepEqual(readdirSync(at("d")), []);
  });

  test("in the middle of a path is a folder like any other", async () => {
    await apply([{ name: "x" }, { name: ".wh.x/f" }]);
    assert.deepEqual(readdirSync(root).sort(), [".wh.x", "x"]);
  });
});
