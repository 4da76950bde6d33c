import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";

import { type ContentSource, type Descriptor, digestOf, memoryStream } from "../oci/index.ts";
import { type UnpackedImage, type UnpackEvent, unpackImage, type UnpackImageOptions } from "./index.ts";
import { describeFolder, makeTar, type TestEntry } from "./testing.ts";

const scratch = mkdtempSync(join(tmpdir(), "dray-unpack-image-"));
after(() => rmSync(scratch, { recursive: true, force: true }));

/** In the caller's thread, and on one of its own. */
const WAYS = { near: Number.POSITIVE_INFINITY, far: 0 } as const;

const big = Buffer.from(Array.from({ length: 900_000 }, (_, i) => (i * 7919) % 251));

const LAYERS: readonly (readonly TestEntry[])[] = [
  [
    { flag: "5", name: "etc/", mode: 0o755, mtime: 1000 },
    { name: "etc/passwd", content: "root", mode: 0o600, mtime: 2000 },
    { name: "etc/gone", content: "soon" },
    { name: "opt/a/old", content: "old" },
    { name: "big", content: big, mtime: 3000 },
  ],
  [
    { name: "etc/.wh.gone" },
    { name: "opt/a/.wh..wh..opq" },
    { name: "opt/a/new", content: "new" },
    { flag: "1", name: "same", linkName: "big" },
    { flag: "2", name: "etc/link", linkName: "/big" },
  ],
  [{ name: "etc/passwd", content: "nobody", mtime: 4000 }],
];

interface TestImage {
  readonly source: ContentSource;
  readonly root: Descriptor;
}

interface ImageForm {
  readonly compress?: (bytes: Buffer) => Buffer;
  /** Changes what a layer's diff ID is said to be. */
  readonly diffOf?: (plain: Buffer, index: number) => string;
  /** Changes what arrives of a layer. */
  readonly arrive?: (bytes: Buffer, index: number) => Buffer;
}

function makeImage(layers: readonly Buffer[], form: ImageForm = {}): TestImage {
  const {
    compress = gzipSync,
    diffOf = (plain: Buffer) => digestOf(plain),
    arrive = (bytes) => bytes,
  } = form;
  const blobs = new Map<string, Buffer>();
  const add = (mediaType: string, bytes: Buffer, arriving: Buffer = bytes): Descriptor => {
    const digest = digestOf(bytes);
    blobs.set(digest, arriving);
    return { mediaType, digest, size: bytes.length };
  };
  const document = (mediaType: string, value: unknown): Descriptor =>
    add(mediaType, Buffer.from(JSON.stringify(value)));
  const config = document("application/vnd.oci.image.config.v1+json", {
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: layers.map(diffOf) },
  });
  const mediaType = "application/vnd.oci.image.manifest.v1+json";
  const packed = layers.map((plain, index) => {
    const bytes = Buffer.from(compress(plain));
    return add("application/vnd.oci.image.layer.v1.tar+gzip", bytes, arrive(bytes, index));
  });
  const root = document(mediaType, { schemaVersion: 2, mediaType, config, layers: packed });
  const source: ContentSource = {
    open: ({ digest }) => Promise.resolve(memoryStream(blobs.get(digest) ?? Buffer.alloc(0))),
  };
  return { source, root };
}

let count = 0;

async function unpack(
  { source, root }: TestImage,
  options: Partial<UnpackImageOptions>,
): Promise<{ readonly folder: string; readonly unpacked: Promise<UnpackedImage> }> {
  const folder = join(scratch, String(count++), "image");
  const unpacked = unpackImage(root, { source, folder, ...options });
  await unpacked.catch(() => undefined);
  return { folder, unpacked };
}

describe("unpackImage() on a thread of its own", () => {
  const forms = { gzip: gzipSync, zstd: zstdCompressSync, plain: (bytes: Buffer) => bytes };
  for (const [name, compress] of Object.entries(forms)) {
    test(`makes the same of ${name} layers as without`, async () => {
      const image = makeImage(LAYERS.map(makeTar), { compress });
      const [near, far] = await Promise.all(
        Object.values(WAYS).map(async (threadFrom) => {
          const events: string[] = [];
          const onEvent = (event: UnpackEvent): void => {
            if (event.type !== "fetched") events.push(`${event.type} ${event.index}`);
          };
          const { folder, unpacked } = await unpack(image, { threadFrom, onEvent });
          return { facts: await unpacked, files: describeFolder(folder), events };
        }),
      );
      assert.deepEqual(far, near);
      assert.equal(far?.facts.entries, LAYERS.flat().length);
      assert.deepEqual(far.events.slice(3), ["applied 0", "applied 1", "applied 2"]);
      assert.ok(far.files.some((line) => line.includes("/etc/passwd") && line.includes("nobody")));
    });
  }

  const good = makeTar(LAYERS[0] ?? []);
  const other = digestOf(Buffer.from("other"));
  const broken = Buffer.concat([good.subarray(0, 512), Buffer.alloc(512, 1), good]);
  const wrong: Readonly<Record<string, readonly [string, TestImage]>> = {
    "a tar that is none": ["ARCHIVE_INVALID", makeImage([broken, good])],
    "a tar that is cut off": ["ARCHIVE_INVALID", makeImage([good, good.subarray(0, 700)])],
    "a link that leads nowhere": [
      "ARCHIVE_INVALID",
      makeImage([makeTar([{ flag: "1", name: "a", linkName: "b" }]), good]),
    ],
    "other uncompressed bytes than the config says": [
      "IMAGE_INVALID",
      makeImage([good, good], { diffOf: (plain, index) => (index === 0 ? other : digestOf(plain)) }),
    ],
    "other compressed bytes than the manifest says": [
      "DIGEST_INVALID",
      makeImage([good, good], {
        arrive: (bytes, index) => {
          const changed = Buffer.from(bytes);
          if (index === 1) changed[9] = 0x55;
          return changed;
        },
      }),
    ],
    "bytes that are missing": [
      "SIZE_INVALID",
      makeImage([good], { arrive: (bytes) => bytes.subarray(0, bytes.length - 9) }),
    ],
    "a folder where a path has a file": [
      "ARCHIVE_INVALID",
      makeImage([makeTar([{ name: "a", content: "x" }, { name: "a/b" }]), good]),
    ],
  };
  for (const [what, [code, image]] of Object.entries(wrong)) {
    test(`fails as without for ${what}, and leaves nothing`, async () => {
      const messages: string[] = [];
      for (const threadFrom of Object.values(WAYS)) {
        const { folder, unpacked } = await unpack(image, { threadFrom });
        const error = await unpacked.then(
          () => assert.fail("it was unpacked"),
          (failure: unknown) => failure as NodeJS.ErrnoException,
        );
        assert.equal(error.code, code);
        messages.push(`${error.constructor.name}: ${error.message}`);
        assert.equal(existsSync(folder), false);
        assert.deepEqual(readdirSync(join(folder, "..")), []);
      }
      assert.equal(messages[1], messages[0]);
    });
  }

  test("holds files and bytes to the same limits", async () => {
    const image = makeImage([good]);
    for (const limits of [{ bytes: 1000 }, { entries: 2 }]) {
      for (const threadFrom of Object.values(WAYS)) {
        const { unpacked } = await unpack(image, { threadFrom, limits });
        await assert.rejects(unpacked, { code: "LIMIT_EXCEEDED" });
      }
    }
  });

  test("stops when it is told to, with the reason, and leaves nothing", async () => {
    const image = makeImage([good, good]);
    const stop = new AbortController();
    const reason = new Error("enough");
    const onEvent = ({ type, index }: UnpackEvent): void => {
      if (type === "fetched" && index === 1) stop.abort(reason);
    };
    const { folder, unpacked } = await unpack(image, { threadFrom: 0, signal: stop.signal, onEvent });
    await assert.rejects(unpacked, (error) => error === reason);
    assert.deepEqual(readdirSync(join(folder, "..")), []);
  });

  test("ends with what a listener throws", async () => {
    const failure = new Error("from the listener");
    const onEvent = ({ type }: UnpackEvent): void => {
      if (type === "applied") throw failure;
    };
    const { unpacked } = await unpack(makeImage([good, good]), { threadFrom: 0, onEvent });
    await assert.rejects(unpacked, (error) => error === failure);
  });
});
