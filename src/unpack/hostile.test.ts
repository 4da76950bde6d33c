/** Layers that were made to do harm. Whatever they try, nothing outside of the folder changes. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync } from "node:fs";
import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { gzipSync } from "node:zlib";

import { applyLayer, type FolderUnpackerOptions } from "./folder-unpacker.ts";
import { FolderTree } from "./folder-tree.ts";
import { LimitGuard, RATIO_GRACE } from "./limits.ts";
import { removeTree } from "./remove-tree.ts";
import { describeFolder, makeTar, streamOf, type TestEntry } from "./testing.ts";

const me = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };

/** `root` is what is unpacked into; `victim` lies beside it, and above both is nothing of ours. */
let around: string;
let root: string;
let untouched: readonly string[];
beforeEach(() => {
  around = mkdtempSync(join(tmpdir(), "dray-hostile-"));
  root = join(around, "root");
  mkdirSync(root);
  mkdirSync(join(around, "victim"));
  writeFileSync(join(around, "victim", "passwd"), "safe");
  untouched = describeFolder(join(around, "victim"), { times: true });
});
afterEach(() => {
  try {
    assert.deepEqual(describeFolder(join(around, "victim"), { times: true }), untouched);
    assert.deepEqual(readdirSync(around).sort(), ["root", "victim"]);
  } finally {
    // Layers leave folders here that their owner may not enter.
    removeTree(around);
  }
});

async function apply(entries: readonly TestEntry[], options: FolderUnpackerOptions = {}): Promise<unknown> {
  return await applyLayer(streamOf(makeTar(entries.map((entry) => ({ ...me, ...entry })))), root, options);
}

const link = (name: string, linkName: string): TestEntry => ({ flag: "2", name, linkName });

describe("ways out", () => {
  test("links and dots lead around inside the folder, never out of it", async () => {
    const victim = join(around, "victim");
    await apply([
      link("absolute", victim),
      { name: "absolute/passwd", content: "evil" },
      link("relative", "../victim"),
      { name: "relative/passwd", content: "evil" },
      link("a", "b/../../../victim"),
      { name: "a/passwd", content: "evil" },
      link("one", "two"),
      link("two", "../../victim"),
      { name: "one/passwd", content: "evil" },
      { name: "../victim/passwd", content: "evil" },
      { name: `${victim}/passwd`, content: "evil" },
      { name: "x/../../victim/passwd", content: "evil" },
    ]);
    assert.equal(readFileSync(join(root, "victim", "passwd"), "utf8"), "evil");
    assert.equal(readFileSync(join(root, victim, "passwd"), "utf8"), "evil");
  });

  test("a link in the place of a file is replaced, not written through", async () => {
    const target = join(around, "victim", "passwd");
    for (const entry of [
      { content: "evil" },
      { flag: "5" },
      { flag: "2", linkName: "elsewhere" },
      { flag: "6" },
      { flag: "1", linkName: "own" },
    ]) {
      await apply([{ name: "own" }, link("l", target), { name: "l", mode: 0o777, mtime: 5, ...entry }]);
      rmSync(join(root, "l"), { recursive: true, force: true });
    }
  });

  test("hard links stay inside", async () => {
    const target = join(around, "victim", "passwd");
    await assert.rejects(apply([{ flag: "1", name: "h", linkName: target }]), { code: "ARCHIVE_INVALID" });
    await assert.rejects(apply([{ flag: "1", name: "h", linkName: "../victim/passwd" }]), {
      code: "ARCHIVE_INVALID",
    });
    await assert.rejects(apply([link("v", "../victim"), { flag: "1", name: "h", linkName: "v/passwd" }]), {
      code: "ARCHIVE_INVALID",
    });
    await assert.rejects(apply([{ flag: "1", name: "h", linkName: ".." }]), { code: "ARCHIVE_INVALID" });
    await assert.rejects(apply([{ name: "h" }, { flag: "1", name: "h", linkName: "h" }]), {
      code: "ARCHIVE_INVALID",
    });
  });

  test("markers remove nothing outside, and no folder they lie in", async () => {
    await apply([link("v", "../victim"), { name: "v/.wh.passwd" }, { name: "v/.wh..wh..opq" }]);
    await apply([link("w", join(around, "victim")), { name: ".wh.w" }]);
    for (const name of [".wh.", ".wh..", ".wh...", "d/.wh...", "v/.wh..."]) {
      await assert.rejects(apply([{ name }]), { code: "ARCHIVE_INVALID" });
    }
    await apply([{ name: ".wh....", content: "" }]);
  });

  test("removing a tree removes links in it, not what they lead to", async () => {
    await apply([link("d/one", join(around, "victim")), link("d/deep/two", "../../../victim")]);
    await apply([{ name: ".wh.d" }]);
    assert.equal(readdirSync(root).includes("d"), false);
  });

  test("rings and chains of links end", async () => {
    await assert.rejects(apply([link("a", "b"), link("b", "a"), { name: "a/f" }]), {
      code: "ARCHIVE_INVALID",
      message: /too many symbolic links/,
    });
    await assert.rejects(apply([link("s", "s"), { name: "s/f" }]), { code: "ARCHIVE_INVALID" });
    const chain = Array.from({ length: 255 }, (_, i) => link(`c${i}`, `c${i + 1}`));
    await apply([...chain, { flag: "5", name: "c255" }, { name: "c0/f" }]);
    assert.deepEqual(readdirSync(join(root, "c255")), ["f"]);
  });

  test("the root's own entry changes nothing, under any of its names", async () => {
    const before = describeFolder(around);
    await apply(["", ".", "./", "/", "..", "a/.."].map((name) => ({ flag: "5", name, mode: 0 })));
    assert.deepEqual(describeFolder(around), before);
  });

  test("whoever puts a link in a folder's place meanwhile leads nobody out", () => {
    const tree = new FolderTree(root, { depth: 10, privileged: true });
    try {
      mkdirSync(join(root, "a/b"), { recursive: true });
      const { folder } = tree.resolve(["a", "b"]);
      renameSync(join(root, "a"), join(root, "moved"));
      symlinkSync(join(around, "victim"), join(root, "a"));
      // The handle still means the folder it was taken of.
      writeFileSync(tree.at(folder, "f"), "");
      assert.deepEqual(readdirSync(join(root, "moved/b")), ["f"]);
      // A name that is looked at afterwards is a link, and no folder.
      const again = new FolderTree(root, { depth: 10, privileged: true });
      const { folder: known } = again.resolve(["moved"]);
      renameSync(join(root, "moved"), join(root, "other"));
      symlinkSync(join(around, "victim"), join(root, "moved"));
      assert.equal(known.fd >= 0, true);
      assert.deepEqual(again.find(["moved"]) === known, true);
      again.close();
      const fresh = new FolderTree(root, { depth: 10, privileged: true });
      assert.equal(fresh.find(["moved"]), undefined);
      fresh.close();
    } finally {
      tree.close();
    }
  });
});

describe("too much of anything", () => {
  const exceeded = { code: "LIMIT_EXCEEDED" };

  test("bytes, entries, depth, names and attributes have limits", async () => {
    await assert.rejects(
      apply([{ name: "f", content: "x".repeat(2000) }], { limits: { bytes: 1000 } }),
      exceeded,
    );
    const many = Array.from({ length: 11 }, (_, i) => ({ name: `f${i}` }));
    await assert.rejects(apply(many, { limits: { entries: 10 } }), exceeded);
    await assert.rejects(apply([{ name: "a/".repeat(1025) + "f" }]), exceeded);
    await assert.rejects(apply([{ name: "n".repeat(256) }]), exceeded);
    await assert.rejects(apply([{ name: "n/".repeat(50) + "m/".repeat(2048) }]), exceeded);
    const pax = { "SCHILY.xattr.user.big": "x".repeat(65_600) };
    await assert.rejects(apply([{ name: "f", pax }]), exceeded);
  });

  test("links can't make folders deeper than the limit either", async () => {
    const entries = [link("l0", "d/".repeat(9) + "d"), { flag: "5", name: "d/".repeat(10) }];
    const deeper = [{ name: "l0/e/e/e/f" }];
    await assert.rejects(apply([...entries, ...deeper], { limits: { depth: 12 } }), exceeded);
    await apply([...entries, ...deeper], { limits: { depth: 13 } });
  });

  test("a sparse file counts as large as it will seem", async () => {
    const pax = { "GNU.sparse.size": String(2 ** 50), "GNU.sparse.map": "0,1" };
    await assert.rejects(apply([{ name: "f", content: "x", pax }]), exceeded);
    const lying = { "GNU.sparse.size": "10", "GNU.sparse.map": "100,1" };
    await assert.rejects(apply([{ name: "f", content: "x", pax: lying }]), { code: "ARCHIVE_INVALID" });
    const twice = { "GNU.sparse.size": "10", "GNU.sparse.map": "0,2,1,2" };
    await assert.rejects(apply([{ name: "f", content: "abcd", pax: twice }]), { code: "ARCHIVE_INVALID" });
  });

  test("bytes out of nearly nothing raise the alarm, but not for a small layer", () => {
    const guard = new LimitGuard({ ratio: 10 });
    guard.stream(1000, RATIO_GRACE, 1);
    guard.stream(1000, RATIO_GRACE + 1000, RATIO_GRACE);
    assert.throws(() => guard.stream(1000, RATIO_GRACE + 2000, 1000), exceeded);
  });

  test("a bomb is stopped long before it has gone off", async () => {
    const bomb = gzipSync(makeTar([{ name: "zeros", content: Buffer.alloc(64 * 1024 * 1024), ...me }]));
    let taken = 0;
    const stream = {
      pump: async (consume: (chunk: Uint8Array) => void | Promise<void>): Promise<void> => {
        for (; taken < bomb.length; taken += 1024) await consume(bomb.subarray(taken, taken + 1024));
      },
      close: (): Promise<void> => Promise.resolve(),
    };
    // The header alone promises too much.
    await assert.rejects(applyLayer(stream, root, { limits: { bytes: 1024 * 1024 } }), exceeded);
    assert.ok(taken < bomb.length / 2, `took ${taken} of ${bomb.length} bytes`);
  });
});

describe("what can't be meant", () => {
  test("entries of no known kind, and numbers out of range, are refused", async () => {
    await assert.rejects(apply([{ flag: "V", name: "v" }]), { code: "ARCHIVE_UNSUPPORTED" });
    const code = "ARCHIVE_INVALID";
    await assert.rejects(apply([{ flag: "3", name: "d", major: -1 }]), { code });
    await assert.rejects(apply([{ flag: "4", name: "d", minor: 2 ** 32 }]), { code });
    await assert.rejects(apply([{ name: "f", uid: 2 ** 32 }]), { code });
    await assert.rejects(apply([{ name: "f", pax: { path: "a\0b" } }]), { code });
    await assert.rejects(apply([{ name: "f", patch: (header) => void header.write("zz", 124) }]), { code });
  });

  test("the same name again and again ends as the last one says", async () => {
    await apply([
      { flag: "5", name: "x" },
      { name: "x/below" },
      { name: "x", content: "file" },
      link("x", "nowhere"),
      { flag: "5", name: "x", mode: 0o700 },
      { name: "x/last", content: "1" },
    ]);
    assert.deepEqual(readdirSync(join(root, "x")), ["last"]);
    await assert.rejects(apply([{ name: "x", content: "1" }, { name: "x/y" }]), { code: "ARCHIVE_INVALID" });
  });
});
