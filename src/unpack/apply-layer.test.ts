import assert from "node:assert/strict";
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
} from "node:fs";
import { rmSync, type Stats, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";

import { digestOf } from "../oci/index.ts";
import { startHelper } from "./attribute-helper.ts";
import {
  applyLayer,
  type AppliedLayer,
  FolderUnpacker,
  type FolderUnpackerOptions,
} from "./folder-unpacker.ts";
import type { LayerExpectation } from "./layer-stream.ts";
import { makeTar, streamOf, type TestEntry } from "./testing.ts";

const IS_ROOT = process.geteuid?.() === 0;
const asRoot = { skip: IS_ROOT ? false : "owners, devices and such attributes are root's to give" };
const me = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "dray-apply-"));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const at = (path: string): string => join(root, path);
const modeOf = (path: string): string => (lstatSync(at(path)).mode & 0o7777).toString(8);

async function apply(
  entries: readonly TestEntry[],
  options: FolderUnpackerOptions & LayerExpectation = {},
): Promise<AppliedLayer> {
  return await applyLayer(streamOf(makeTar(entries.map((entry) => ({ ...me, ...entry })))), root, options);
}

async function readXattr(path: string, name: string): Promise<string> {
  const helper = startHelper();
  const value = await helper?.getXattr(at(path), name);
  await helper?.close();
  return Buffer.from(value ?? "").toString();
}

describe("what a layer is read from", () => {
  test("gzip in several members, zstd in several frames, and plain tars are one and the same", async () => {
    const tar = makeTar([
      { name: "a", content: "x".repeat(3000), ...me },
      { name: "b", content: "2", ...me },
    ]);
    const halves = [tar.subarray(0, 700), tar.subarray(700)];
    const forms = [
      tar,
      Buffer.concat(halves.map((half) => gzipSync(half))),
      Buffer.concat(halves.map((half) => zstdCompressSync(half))),
    ];
    for (const [index, form] of forms.entries()) {
      mkdirSync(at(String(index)));
      const { diffId, bytes } = await applyLayer(streamOf(form), at(String(index)));
      assert.deepEqual([diffId, bytes], [digestOf(tar), tar.length]);
      assert.equal(readFileSync(at(`${index}/a`), "utf8").length, 3000);
    }
  });

  test("bytes behind the end belong to the digest, and a missing end is no fault", async () => {
    const tar = makeTar([{ name: "a", content: "1", ...me }]);
    const long = Buffer.concat([tar, Buffer.from("more, of whatever kind")]);
    assert.equal((await applyLayer(streamOf(long), root)).diffId, digestOf(long));
    assert.equal(
      (await applyLayer(streamOf(tar.subarray(0, -1024)), root)).diffId,
      digestOf(tar.subarray(0, -1024)),
    );
    assert.equal((await applyLayer(streamOf(Buffer.alloc(0)), root)).bytes, 0);
  });

  test("a digest that isn't the announced one, compressed or not, is refused", async () => {
    const tar = makeTar([{ name: "a", ...me }]);
    const wrong = digestOf(Buffer.from("another"));
    await assert.rejects(applyLayer(streamOf(tar), root, { diffId: wrong }), { code: "IMAGE_INVALID" });
    const descriptor = { digest: wrong, size: tar.length };
    await assert.rejects(applyLayer(streamOf(tar), root, { descriptor }), { code: "DIGEST_INVALID" });
    const short = { digest: digestOf(tar), size: tar.length - 1 };
    await assert.rejects(applyLayer(streamOf(tar), root, { descriptor: short }), { code: "SIZE_INVALID" });
    const sha512 = digestOf(tar, "sha512");
    assert.equal((await applyLayer(streamOf(tar), root, { diffId: sha512 })).diffId, sha512);
  });

  test("an archive may end with its last file, padded or not, as containerd takes it", async () => {
    const tar = makeTar([{ name: "a", content: "x".repeat(5000), ...me }]);
    for (const end of [512 + 5000, 512 + 5100, 512 + 5120, 512 + 5120 + 512]) {
      rmSync(at("a"), { force: true });
      await applyLayer(streamOf(tar.subarray(0, end)), root);
      assert.equal(statSync(at("a")).size, 5000);
    }
  });

  test("what is cut off, damaged or compressed otherwise is refused by name", async () => {
    const tar = makeTar([{ name: "a", content: "x".repeat(5000), ...me }]);
    const code = "ARCHIVE_INVALID";
    await assert.rejects(applyLayer(streamOf(tar.subarray(0, 3000)), root), { code });
    await assert.rejects(applyLayer(streamOf(tar.subarray(0, 512 + 4999)), root), { code });
    await assert.rejects(applyLayer(streamOf(tar.subarray(0, 511)), root), { code });
    await assert.rejects(applyLayer(streamOf(gzipSync(tar).subarray(0, 60)), root), { code });
    await assert.rejects(applyLayer(streamOf(zstdCompressSync(tar).subarray(0, 60)), root), { code });
    const xz = Buffer.from("fd377a585a000004", "hex");
    await assert.rejects(applyLayer(streamOf(xz), root), { code: "ARCHIVE_UNSUPPORTED", message: /xz/ });
  });
});

describe("what entries become", () => {
  test("modes don't depend on the umask, and times of folders are what the layer says", async () => {
    const umask = process.umask(0o077);
    try {
      await apply([
        { flag: "5", name: "d", mode: 0o2775, mtime: 1000 },
        { name: "d/f", mode: 0o666, mtime: 2000, pax: { atime: "3000.5" } },
        { flag: "2", name: "d/l", linkName: "f", mtime: 4000 },
        { name: "implied/f", mtime: 1, pax: { mtime: "+1234567890.25" } },
      ]);
    } finally {
      process.umask(umask);
    }
    assert.deepEqual(["d", "d/f", "implied"].map(modeOf), ["2775", "666", "755"]);
    const { atimeMs, mtimeMs } = statSync(at("d/f"));
    assert.deepEqual([statSync(at("d")).mtimeMs, mtimeMs, atimeMs], [1_000_000, 2_000_000, 3_000_500]);
    assert.equal(lstatSync(at("d/l")).mtimeMs, 4_000_000);
    assert.equal(statSync(at("implied/f")).mtimeMs, 1_234_567_890_250);
  });

  test("times before 1970 or beyond 64 bits of nanoseconds are 1970, and access is never before change", async () => {
    await apply([
      { name: "old", mtime: -5 },
      { name: "far", pax: { mtime: "9223372037" } },
      { name: "last", pax: { mtime: "9223372036", atime: "5" } },
    ]);
    assert.deepEqual([statSync(at("old")).mtimeMs, statSync(at("far")).mtimeMs], [0, 0]);
    const { atimeMs, mtimeMs } = statSync(at("last"));
    assert.equal(atimeMs, mtimeMs);
  });

  test("names keep their bytes, whatever they are", async () => {
    const name = Buffer.from([0x66, 0xff, 0xfe]);
    const target = Buffer.from([0x80, 0x2f, 0xc3]);
    await apply([
      { name, content: "1" },
      { flag: "2", name: Buffer.from([0xe4]), linkName: target },
      { name: "größe/\n\t", content: "2" },
      { name: Buffer.concat([name, Buffer.from("d/x")]), content: "3" },
    ]);
    const names = readdirSync(root, "buffer").map((found) => found.toString("hex"));
    assert.deepEqual(names.sort(), ["66fffe", "66fffe64", "6772c3b6c39f65", "e4"]);
    assert.deepEqual(
      readlinkSync(Buffer.concat([Buffer.from(`${root}/`), Buffer.from([0xe4])]), "buffer"),
      target,
    );
    assert.equal(readFileSync(at("größe/\n\t"), "utf8"), "2");
    // Hidden by its bytes as well.
    await apply([{ name: Buffer.concat([Buffer.from(".wh."), name]) }]);
    assert.equal(readdirSync(root).length, 3);
  });

  test("sparse files of every form are expanded, with holes left in them", async () => {
    const size = 64 * 1024 * 1024;
    const gnu = (header: Buffer): void => {
      header.write("ustar  \0", 257, "latin1");
      header.write("00000200000\x0000000000003\0", 386, "latin1");
      header.write("00400000000\0", 483, "latin1");
    };
    const map = Buffer.alloc(512);
    map.write("2\n65536\n3\n1048576\n2\n");
    const sparse = { "GNU.sparse.realsize": String(size) };
    await apply([
      { flag: "S", name: "gnu", content: "abc", patch: gnu },
      {
        name: "GNUSparseFile.1/one",
        content: Buffer.concat([map, Buffer.from("abcde")]),
        pax: { ...sparse, "GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.name": "one" },
      },
      { name: "zero", content: "abc", pax: { "GNU.sparse.size": String(size), "GNU.sparse.map": "65536,3" } },
    ]);
    for (const name of ["gnu", "one", "zero"]) {
      const stat = statSync(at(name));
      assert.equal(stat.size, name === "gnu" ? 0o400000000 : size);
      assert.ok(stat.blocks * 512 < 1024 * 1024, `${name} takes ${stat.blocks} blocks`);
      assert.equal(readFileSync(at(name)).toString("latin1", 65_536, 65_539), "abc");
    }
    assert.equal(readFileSync(at("one")).toString("latin1", 1_048_576, 1_048_578), "de");
  });

  test("metadata of a hard link are set on the file it links to, a link's on the link", async () => {
    await apply([
      { name: "f", mode: 0o600, content: "1" },
      { flag: "1", name: "g", linkName: "f", mode: 0o640, mtime: 77 },
      { flag: "2", name: "l", linkName: "f" },
      { flag: "1", name: "m", linkName: "l", mode: 0o777, mtime: 99 },
    ]);
    assert.equal(modeOf("f"), "640");
    assert.equal(statSync(at("f")).mtimeMs, 77_000);
    assert.equal(lstatSync(at("l")).ino, lstatSync(at("m")).ino);
    assert.equal(lstatSync(at("l")).mtimeMs, 99_000);
  });

  test("pipes and devices are made, devices with their numbers", asRoot, async () => {
    const { leftOut } = await apply([
      { flag: "6", name: "pipe", mode: 0o622, mtime: 5 },
      { flag: "3", name: "null", mode: 0o666, major: 1, minor: 3, uid: 7, gid: 8 },
      { flag: "4", name: "disk", mode: 0o660, major: 300, minor: 70_000 },
    ]);
    assert.deepEqual(leftOut, []);
    const stat = (name: string): Stats => lstatSync(at(name));
    const [pipe, zero, disk] = [stat("pipe"), stat("null"), stat("disk")];
    assert.ok(pipe.isFIFO() && zero.isCharacterDevice() && disk.isBlockDevice());
    assert.deepEqual([modeOf("pipe"), pipe.mtimeMs, zero.uid, zero.gid], ["622", 5000, 7, 8]);
    assert.deepEqual([zero.rdev, disk.rdev], [0x103, 0x11112c70]);
  });

  test("owners, setuid bits and capabilities survive one another", asRoot, async () => {
    const capability = Buffer.from("0100000200200000000000000000000000000000", "hex");
    await apply([
      {
        name: "ping",
        mode: 0o4755,
        uid: 1234,
        gid: 5678,
        content: "x".repeat(100_000),
        pax: { "SCHILY.xattr.security.capability": capability, "SCHILY.xattr.user.note": "a\nb\0c" },
      },
    ]);
    const { uid, gid } = statSync(at("ping"));
    assert.deepEqual([modeOf("ping"), uid, gid], ["4755", 1234, 5678]);
    assert.equal(await readXattr("ping", "security.capability"), capability.toString());
    assert.equal(await readXattr("ping", "user.note"), "a\nb\0c");
  });

  test("without the image's owners, programs don't run as whoever unpacked them", asRoot, async () => {
    const entries = [
      { name: "theirs", mode: 0o6755, uid: 1000 },
      { name: "ours", mode: 0o4755, ...me },
      { flag: "5", name: "shared", mode: 0o2775, uid: 1000 },
    ];
    const { leftOut } = await apply(entries, { sameOwner: false });
    assert.deepEqual(["theirs", "ours", "shared"].map(modeOf), ["755", "4755", "2775"]);
    assert.deepEqual([statSync(at("theirs")).uid, statSync(at("shared")).uid], [me.uid, me.uid]);
    assert.deepEqual(
      leftOut.map(({ what, count, path }) => [what, count, path]),
      [["setuid bits", 1, "theirs"]],
    );
  });

  test("attributes nobody can set are told once for each kind", async () => {
    const pax = { "SCHILY.xattr.nonsense.x": "1", "SCHILY.xattr.trusted.y": "1" };
    const { leftOut } = await apply([
      { name: "a", pax },
      { name: "b", pax },
    ]);
    assert.deepEqual(
      leftOut.map(({ what, name, count, path }) => [what, name, count, path]),
      [["extended attribute", "nonsense.x", 2, "a"]],
    );
  });

  test("each kind of helper program, or none, gives the same files", asRoot, async () => {
    for (const helper of ["perl", "python3", "commands"] as const) {
      const name = `${helper}-pipe`;
      const { leftOut } = await apply([{ flag: "6", name }], { helpers: [helper] });
      if (leftOut.length === 0) assert.ok(lstatSync(at(name)).isFIFO());
    }
    const { leftOut } = await apply([{ flag: "6", name: "none" }, { name: "file" }], { helpers: [] });
    assert.deepEqual(
      leftOut.map(({ what, path }) => [what, path]),
      [["device", "none"]],
    );
    assert.deepEqual(
      readdirSync(root).filter((name) => name === "none"),
      [],
    );
  });
});

describe("what layers take away", () => {
  test("an opaque marker spares what its own layer has put there, wherever it stands", async () => {
    await apply([{ name: "d/old" }, { name: "d/sub/old" }, { name: "d/gone/old" }]);
    await apply([
      { name: "d/sub/new" },
      { name: "d/made/by/the/way" },
      { name: "d/.wh..wh..opq" },
      { name: "d/later" },
    ]);
    assert.deepEqual(readdirSync(at("d")).sort(), ["later", "made", "sub"]);
    assert.deepEqual(readdirSync(at("d/sub")), ["new"]);
    assert.equal(readdirSync(at("d/made/by/the")).length, 1);
  });

  test("markers of two layers in one unpacking know which layer is whose", async () => {
    await using unpacker = new FolderUnpacker(root);
    await unpacker.apply(streamOf(makeTar([{ name: "d/one", ...me }])));
    await unpacker.apply(
      streamOf(
        makeTar([
          { name: "d/two", ...me },
          { name: "d/.wh..wh..opq", ...me },
        ]),
      ),
    );
    unpacker.finish();
    assert.deepEqual(readdirSync(at("d")), ["two"]);
  });

  test("as signs of overlayfs, markers stay what they are", asRoot, async () => {
    await apply(
      [
        { flag: "5", name: "d" },
        { name: "d/.wh.gone", uid: 3, gid: 4 },
        { flag: "5", name: "o" },
        { name: "o/.wh..wh..opq" },
      ],
      { whiteouts: "overlay" },
    );
    const { rdev, uid, gid } = lstatSync(at("d/gone"));
    assert.ok(lstatSync(at("d/gone")).isCharacterDevice());
    assert.deepEqual([rdev, uid, gid], [0, 3, 4]);
    assert.equal(await readXattr("o", "trusted.overlay.opaque"), "y");
  });
});

test("a layer in a folder of its own takes from those below what it only passes through", async () => {
  for (const name of ["low", "high"]) mkdirSync(at(name));
  mkdirSync(at("low/usr/lib"), { recursive: true });
  chmodSync(at("low/usr/lib"), 0o711);
  writeFileSync(at("low/usr/lib/file"), "below");
  symlinkSync("usr/lib", at("low/lib"));
  const tar = makeTar([
    { name: "lib/new", content: "1", ...me },
    { flag: "1", name: "lib/second", linkName: "usr/lib/file", mode: 0o600, ...me },
  ]);
  await applyLayer(streamOf(tar), at("high"), { below: [at("low")] });
  assert.deepEqual(readdirSync(at("high")), ["usr"]);
  assert.equal(modeOf("high/usr/lib"), "711");
  assert.deepEqual(readdirSync(at("high/usr/lib")).sort(), ["file", "new", "second"]);
  assert.equal(readFileSync(at("high/usr/lib/second"), "utf8"), "below");
  assert.equal(lstatSync(at("high/usr/lib/file")).ino, lstatSync(at("high/usr/lib/second")).ino);
  assert.deepEqual(readdirSync(at("low/usr/lib")), ["file"]);
});
