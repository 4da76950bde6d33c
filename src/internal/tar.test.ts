import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { TAR_BLOCK, type TarEntry, tarPadding } from "./tar-header.ts";
import { TarHeaderReader } from "./tar-reader.ts";
import {
  encodeTarHeader,
  encodeTarHeaderBlock,
  TAR_END,
  tarEntryPadding,
  type TarWriteEntry,
} from "./tar-writer.ts";

/** All entries of a tar in memory. */
function readTar(tar: Buffer): TarEntry[] {
  const reader = new TarHeaderReader();
  const entries: TarEntry[] = [];
  let at = 0;
  while (at + reader.need <= tar.length) {
    const { need } = reader;
    const result = reader.accept(tar.subarray(at, at + need));
    at += need;
    if (result === "end") return entries;
    if (result === undefined) continue;
    entries.push(result);
    at += result.size + tarPadding(result.size);
  }
  reader.finish();
  return entries;
}

function readOne(...blocks: readonly Uint8Array[]): TarEntry {
  const [entry] = readTar(Buffer.concat([...blocks, TAR_END]));
  assert.ok(entry);
  return entry;
}

interface RawHeader {
  readonly name?: string | Buffer;
  readonly flag?: string;
  readonly size?: string | Buffer;
  readonly link?: string;
  readonly magic?: string;
  readonly patch?: (block: Buffer) => void;
}

function rawHeader({
  name = "f",
  flag = "0",
  size = "0",
  link = "",
  magic = "ustar\x0000",
  patch,
}: RawHeader): Buffer {
  const block = Buffer.alloc(TAR_BLOCK);
  Buffer.from(name).copy(block, 0);
  block.write("0000644\0", 100);
  block.write("0000000\0", 108);
  block.write("0000000\0", 116);
  if (typeof size === "string") block.write(size.padStart(11, "0"), 124);
  else size.copy(block, 124);
  block.write("00000000000", 136);
  block.write(flag, 156, "latin1");
  block.write(link, 157);
  block.write(magic, 257, "latin1");
  patch?.(block);
  block.fill(0x20, 148, 156);
  const sum = block.reduce((total, byte) => total + byte, 0);
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

function meta(flag: string, payload: string | Buffer): Buffer {
  const bytes = Buffer.from(payload);
  const header = rawHeader({ name: "meta", flag, size: bytes.length.toString(8) });
  return Buffer.concat([header, bytes, tarEntryPadding(bytes.length)]);
}

function pax(records: Readonly<Record<string, string | Buffer>>): Buffer {
  const parts = Object.entries(records).map(([key, value]) => {
    const body = Buffer.concat([Buffer.from(` ${key}=`), Buffer.from(value), Buffer.from("\n")]);
    const length = [2, 3, 4, 5]
      .map((digits) => body.length + digits)
      .find((n, i) => String(n).length === i + 2);
    return Buffer.concat([Buffer.from(String(length ?? body.length + 1)), body]);
  });
  return meta("x", Buffer.concat(parts));
}

const bytesName = fc
  .array(
    fc.uint8Array({ minLength: 1, maxLength: 120 }).map((part) => part.map((byte) => byte || 1)),
    {
      minLength: 1,
      maxLength: 5,
    },
  )
  .map((parts) =>
    Buffer.concat(
      parts.flatMap((part, i) => [Buffer.from(i > 0 ? "/" : ""), part.map((b) => (b === 47 ? 1 : b))]),
    ),
  );
const textName = fc
  .array(fc.string({ unit: "grapheme", minLength: 1, maxLength: 90 }), { minLength: 1, maxLength: 4 })
  .map((parts) => Buffer.from(parts.map((part) => part.replace(/[\0/]/g, "_")).join("/")));

test("what encodeTarHeader() writes, TarHeaderReader reads back, whatever the names", () => {
  const entry = fc.record({
    name: fc.oneof(bytesName, textName),
    linkName: fc.oneof(bytesName, textName),
    type: fc.constantFrom("file", "directory", "symlink", "link"),
    size: fc.oneof(fc.nat(2 ** 31 - 1), fc.constantFrom(0o77777777777, 0o77777777777 + 1, 2 ** 45)),
    mode: fc.nat(0o7777),
    uid: fc.oneof(fc.nat(0o7777777), fc.integer({ min: 0o7777777, max: 2 ** 32 - 2 })),
    gid: fc.oneof(fc.nat(0o7777777), fc.integer({ min: 0o7777777, max: 2 ** 32 - 2 })),
    mtime: fc.integer({ min: -(2 ** 33), max: 2 ** 34 }),
  });
  fc.assert(
    fc.property(entry, (written) => {
      const isLink = written.type === "symlink" || written.type === "link";
      const { linkName, ...rest } = written;
      const reader = new TarHeaderReader();
      const bytes = encodeTarHeader((isLink ? written : rest) as TarWriteEntry);
      assert.ok(bytes.equals(encodeTarHeader((isLink ? written : rest) as TarWriteEntry)));
      let at = 0;
      let read: ReturnType<TarHeaderReader["accept"]>;
      while (read === undefined) {
        const { need } = reader;
        read = reader.accept(bytes.subarray(at, at + need));
        at += need;
      }
      assert.equal(at, bytes.length);
      assert.ok(read !== "end");
      const slash = written.type === "directory" && written.name.at(-1) !== 0x2f ? "/" : "";
      assert.deepEqual(
        Buffer.from(read.rawName ?? read.name),
        Buffer.concat([written.name, Buffer.from(slash)]),
      );
      assert.deepEqual(Buffer.from(read.rawLinkName ?? read.linkName), isLink ? linkName : Buffer.alloc(0));
      assert.equal(read.type, written.type);
      assert.equal(read.size, written.type === "file" ? written.size : 0);
      const { mode, uid, gid, mtime } = read;
      assert.deepEqual(
        { mode, uid, gid, mtime },
        { mode: written.mode, uid: written.uid, gid: written.gid, mtime: written.mtime },
      );
    }),
    { numRuns: 500 },
  );
});

test("encodeTarHeader() keeps extended attributes, sorted", () => {
  const xattrs = new Map([
    ["user.b", Buffer.from("2\n\0")],
    ["security.capability", Buffer.from([1, 0, 0, 2])],
  ]);
  const bytes = encodeTarHeader({ type: "file", name: "f", mode: 0o644, xattrs });
  const read = readOne(bytes);
  assert.deepEqual(
    [...(read.xattrs ?? [])].map(([key, value]) => [key, Buffer.from(value)]),
    [
      ["security.capability", Buffer.from([1, 0, 0, 2])],
      ["user.b", Buffer.from("2\n\0")],
    ],
  );
});

test("encodeTarHeaderBlock() always takes one block, for any size", () => {
  for (const size of [0, 1, 0o77777777777, 0o77777777777 + 1, 2 ** 50]) {
    const block = encodeTarHeaderBlock({ type: "file", name: "blobs/sha256/x", mode: 0o444, size });
    assert.equal(block.length, TAR_BLOCK);
    assert.equal((new TarHeaderReader().accept(block) as TarEntry).size, size);
  }
  assert.throws(() => encodeTarHeaderBlock({ type: "file", name: "ü", mode: 0o444 }), RangeError);
});

test("TarHeaderReader reads GNU long names and links", () => {
  const name = `${"n".repeat(300)}/ü`;
  const link = "l".repeat(200);
  const read = readOne(
    meta("L", `${name}\0`),
    meta("K", `${link}\0`),
    rawHeader({ flag: "2", magic: "ustar  \0" }),
  );
  assert.deepEqual([read.name, read.linkName, read.type], [name, link, "symlink"]);
});

test("TarHeaderReader joins prefix and name in POSIX headers, and only there", () => {
  const prefix = (block: Buffer): void => void block.write("some/prefix", 345);
  assert.equal(readOne(rawHeader({ name: "f", patch: prefix })).name, "some/prefix/f");
  assert.equal(readOne(rawHeader({ name: "f", magic: "", patch: prefix })).name, "f");
});

test("TarHeaderReader takes what GNU headers have there for times, unless old Go put a prefix there", () => {
  const times = (block: Buffer): void => void block.write("00000000144\x0000000000145\0", 345, "latin1");
  const read = readOne(rawHeader({ name: "f", magic: "ustar  \0", patch: times }));
  assert.deepEqual([read.name, read.atime], ["f", 100]);
  const prefix = (block: Buffer): void => void block.write("some/prefix", 345);
  const old = readOne(rawHeader({ name: "f", magic: "ustar  \0", patch: prefix }));
  assert.deepEqual([old.name, old.atime], ["some/prefix/f", undefined]);
});

test("TarHeaderReader knows every type that layers use", () => {
  const types = ["0", "\0", "1", "2", "3", "4", "5", "6", "7", "S", "Z"].map(
    (flag) => readOne(rawHeader({ flag })).type,
  );
  const device = ["character-device", "block-device"];
  assert.deepEqual(types, [
    "file",
    "file",
    "link",
    "symlink",
    ...device,
    "directory",
    "fifo",
    "file",
    "file",
    "unknown",
  ]);
  assert.equal(readOne(rawHeader({ flag: "\0", name: "old/" })).type, "directory");
});

test("TarHeaderReader ignores sizes of entries without data, and global headers", () => {
  assert.equal(readOne(rawHeader({ flag: "5", size: "1000" })).size, 0);
  assert.equal(readOne(meta("g", "12 path=other\n".replace("12", "14")), rawHeader({ name: "f" })).name, "f");
});

test("TarHeaderReader lets PAX records win, and forgets them after one entry", () => {
  const records = { path: "long", size: "5", mtime: "1.5", uid: "3000000000", "SCHILY.xattr.user.x": "a\nb" };
  const data = Buffer.alloc(TAR_BLOCK, "x");
  const tar = Buffer.concat([
    pax(records),
    rawHeader({ name: "short", size: "1" }),
    data,
    rawHeader({ name: "next" }),
    TAR_END,
  ]);
  const [first, second] = readTar(tar);
  assert.deepEqual([first?.name, first?.size, first?.mtime, first?.uid], ["long", 5, 1.5, 3_000_000_000]);
  assert.equal(Buffer.from(first?.xattrs?.get("user.x") ?? []).toString(), "a\nb");
  assert.deepEqual([second?.name, second?.mtime], ["next", 0]);
});

test("TarHeaderReader reads numbers in base 256, negative ones too", () => {
  const big = Buffer.alloc(12);
  big.writeBigUInt64BE(10_000_000_000n, 4);
  big[0] = 0x80;
  const header = rawHeader({ flag: "Z", size: big, patch: (block) => void block.fill(0xff, 136, 148) });
  const read = new TarHeaderReader().accept(header) as TarEntry;
  assert.deepEqual([read.size, read.mtime], [10_000_000_000, -1]);
});

test("TarHeaderReader reads sparse maps of GNU headers with their extension blocks", () => {
  const extents = Array.from({ length: 30 }, (_, i) => ({ offset: i * 1024, length: 512 }));
  const write = (block: Buffer, at: number, list: typeof extents): void => {
    for (const [i, { offset, length }] of list.entries()) {
      block.write(
        `${offset.toString(8).padStart(11, "0")}\0${length.toString(8).padStart(11, "0")}\0`,
        at + i * 24,
        "latin1",
      );
    }
  };
  const header = rawHeader({
    flag: "S",
    magic: "ustar  \0",
    size: (30 * 512).toString(8),
    patch(block) {
      write(block, 386, extents.slice(0, 4));
      block[482] = 1;
      block.write("00000100000\0", 483);
    },
  });
  const [second, third] = [Buffer.alloc(TAR_BLOCK), Buffer.alloc(TAR_BLOCK)];
  write(second, 0, extents.slice(4, 25));
  second[504] = 1;
  write(third, 0, extents.slice(25));
  const entries = readTar(
    Buffer.concat([header, second, third, Buffer.alloc(30 * 512, 1), rawHeader({ name: "next" }), TAR_END]),
  );
  assert.deepEqual(entries[0]?.sparse, { realSize: 0o100000, extents });
  assert.equal(entries[1]?.name, "next");
});

test("TarHeaderReader reads sparse maps of PAX records", () => {
  const old = readOne(pax({ "GNU.sparse.size": "9", "GNU.sparse.map": "0,4,8,1" }), rawHeader({}));
  assert.deepEqual(old.sparse, {
    realSize: 9,
    extents: [
      { offset: 0, length: 4 },
      { offset: 8, length: 1 },
    ],
  });
  const named = pax({
    "GNU.sparse.major": "1",
    "GNU.sparse.minor": "0",
    "GNU.sparse.name": "real",
    "GNU.sparse.realsize": "9",
  });
  const read = readOne(named, rawHeader({ name: "GNUSparseFile.1/real" }));
  assert.deepEqual([read.name, read.sparse], ["real", { realSize: 9 }]);
});

test("TarHeaderReader takes an empty PAX name for none, and a sparse file without a map for what its form says", () => {
  const unnamed = readOne(
    pax({ path: "", linkpath: "" }),
    rawHeader({ name: "kept", flag: "1", link: "to" }),
  );
  assert.deepEqual([unnamed.name, unnamed.linkName], ["kept", "to"]);
  const old = { "GNU.sparse.major": "0", "GNU.sparse.minor": "1", "GNU.sparse.size": "9" };
  assert.deepEqual(readOne(pax(old), rawHeader({})).sparse, { realSize: 9, extents: [] });
  assert.equal(readOne(pax({ "GNU.sparse.size": "9" }), rawHeader({})).sparse, undefined);
});

test("TarHeaderReader refuses what no tar writes", () => {
  const cases: readonly (readonly [string, Buffer])[] = [
    ["wrong checksum", Buffer.from(rawHeader({})).fill(1, 0, 10)],
    ["not octal", rawHeader({ size: "9" })],
    ["negative size", rawHeader({ size: Buffer.alloc(12, 0xff) })],
    ["size beyond exact numbers", rawHeader({ size: Buffer.alloc(12, 0xff).fill(0x80, 0, 1) })],
    ["meta beyond a mebibyte", rawHeader({ flag: "x", size: (1024 * 1024 + 1).toString(8) })],
    ["PAX without length", meta("x", "path=a\n")],
    ["PAX length too long", meta("x", "99 path=a\n")],
    ["PAX without newline", meta("x", "10 path=abc")],
    ["PAX without keyword", meta("x", "6 =ab\n")],
    ["PAX size that isn't a number", Buffer.concat([pax({ size: "1e3" }), rawHeader({})])],
    ["a NUL in a name", Buffer.concat([pax({ path: "a\0b" }), rawHeader({})])],
    ["data after one zero block", Buffer.concat([Buffer.alloc(TAR_BLOCK), rawHeader({})])],
    [
      "odd sparse map",
      Buffer.concat([pax({ "GNU.sparse.size": "9", "GNU.sparse.map": "0,4,8" }), rawHeader({})]),
    ],
  ];
  for (const [name, tar] of cases) {
    assert.throws(() => readTar(Buffer.concat([tar, TAR_END])), { name: "TarFormatError" }, name);
  }
});

test("TarHeaderReader tolerates a missing end marker, but not the end inside a header", () => {
  assert.equal(readTar(rawHeader({ name: "only" }))[0]?.name, "only");
  assert.throws(() => readTar(pax({ path: "promised" })), { name: "TarFormatError" });
});

test("TarHeaderReader fails on random blocks with its own error only", () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 512, maxLength: 2048 }), (bytes) => {
      try {
        readTar(Buffer.from(bytes));
      } catch (error) {
        assert.equal((error as Error).name, "TarFormatError");
      }
    }),
  );
});
