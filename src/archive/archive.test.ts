import assert from "node:assert/strict";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";

import { encodeTarHeader, TAR_END, tarEntryPadding, type TarWriteEntry } from "../internal/tar-writer.ts";
import {
  copy,
  type Descriptor,
  digestEncoded,
  digestOf,
  type ImageSource,
  type Manifest,
  MEDIA_TYPES,
  MemoryContent,
  parseManifest,
  readContent,
} from "../oci/index.ts";
import {
  createDockerArchive,
  createOciArchive,
  openArchive,
  openDockerArchive,
  openLayout,
  openOciArchive,
} from "./index.ts";

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "dray-archive-test-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

type Member = Partial<TarWriteEntry> & { readonly name: string; readonly data?: Uint8Array | string };

function tarOf(members: readonly Member[]): Buffer {
  const parts = members.flatMap(({ data = "", ...entry }) => {
    const bytes = Buffer.from(data);
    const header = encodeTarHeader({ type: "file", mode: 0o644, size: bytes.length, ...entry });
    return [header, bytes, tarEntryPadding(bytes.length)];
  });
  return Buffer.concat([...parts, TAR_END]);
}

const LAYER_ONE = tarOf([{ name: "hello", data: "world".repeat(10_000) }]);
const LAYER_TWO = tarOf([{ name: "bye", data: "now" }]);

/** An image with a gzip layer, and another with one of each compression, and an index of both. */
function images(): { source: MemoryContent; one: Descriptor; two: Descriptor; index: Descriptor } {
  const source = new MemoryContent();
  const image = (
    architecture: string,
    layers: readonly Descriptor[],
    diffIds: readonly string[],
  ): Descriptor => {
    const config = source.addDocument(
      { architecture, os: "linux", config: {}, rootfs: { type: "layers", diff_ids: diffIds } },
      MEDIA_TYPES.ociConfig,
    );
    const manifest = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers };
    return source.addDocument(manifest, MEDIA_TYPES.ociManifest);
  };
  const gzip = source.add(gzipSync(LAYER_ONE), MEDIA_TYPES.ociLayerGzip);
  const zstd = source.add(zstdCompressSync(LAYER_TWO), MEDIA_TYPES.ociLayerZstd);
  const plain = source.add(LAYER_TWO, MEDIA_TYPES.ociLayer);
  const one = image("amd64", [gzip], [digestOf(LAYER_ONE)]);
  const two = image(
    "arm64",
    [gzip, zstd, plain],
    [LAYER_ONE, LAYER_TWO, LAYER_TWO].map((layer) => digestOf(layer)),
  );
  const manifests = [
    { ...one, platform: { os: "linux", architecture: "amd64" } },
    { ...two, platform: { os: "linux", architecture: "arm64" } },
  ];
  const index = source.addDocument(
    { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests },
    MEDIA_TYPES.ociIndex,
  );
  return { source, one, two, index };
}

async function everyDigest(from: ImageSource, reference: string): Promise<readonly string[]> {
  const to = new MemoryContent();
  await copy(from, reference, { to });
  return [...to.digests].sort();
}

async function writeTar(
  t: TestContext,
  members: readonly Member[],
  pack = (tar: Buffer): Uint8Array => tar,
): Promise<string> {
  const path = join(await folder(t), "archive.tar");
  await writeFile(path, pack(tarOf(members)));
  return path;
}

function blobMembers(source: MemoryContent, prefix = ""): readonly Member[] {
  return source.digests.map((digest) => ({
    name: `${prefix}blobs/sha256/${digestEncoded(digest)}`,
    data: source.find(digest) as Uint8Array,
  }));
}

const MARK = { name: "oci-layout", data: '{"imageLayoutVersion":"1.0.0"}' };

test("an image index goes through a layout and an OCI archive and stays what it was", async (t) => {
  const { source, index } = images();
  const dir = await folder(t);
  const layout = await openLayout(join(dir, "layout"), { create: true });
  await copy(source, index.digest, { to: layout, as: "v1" });
  {
    await using draft = await createOciArchive(join(dir, "image.tar"));
    await copy(layout, "v1", { to: draft, as: "example.com/app:v1" });
    await draft.commit();
  }
  await using archive = await openOciArchive(join(dir, "image.tar"));
  assert.deepEqual(await archive.entries(), [
    { name: "example.com/app:v1", fullName: "example.com/app:v1", descriptor: index },
  ]);
  assert.deepEqual(await everyDigest(archive, "example.com/app:v1"), [...source.digests].sort());
  assert.deepEqual((await readdir(dir)).sort(), ["image.tar", "layout"]);
});

test("an OCI archive has sorted members, its index last, and the same bytes whatever came first", async (t) => {
  const { source, one, two } = images();
  const dir = await folder(t);
  const write = async (name: string, order: readonly (readonly [Descriptor, string])[]): Promise<Buffer> => {
    await using draft = await createOciArchive(join(dir, name));
    for (const [descriptor, as] of order) await copy(source, descriptor.digest, { to: draft, as });
    await draft.commit();
    return readFile(join(dir, name));
  };
  const first = await write("a.tar", [
    [one, "b"],
    [two, "a"],
  ]);
  const second = await write("b.tar", [
    [two, "a"],
    [one, "b"],
  ]);
  assert.ok(first.equals(second));
  const names = [...first.toString("latin1").matchAll(/(?:blobs\/[\w/]*|oci-layout|index\.json)(?=\0)/g)].map(
    ([name]) => name,
  );
  const blobs = source.digests.filter((digest) => first.includes(`blobs/sha256/${digestEncoded(digest)}`));
  assert.deepEqual(names, [
    "blobs/",
    "blobs/sha256/",
    ...blobs.map((digest) => `blobs/sha256/${digestEncoded(digest)}`).sort(),
    "oci-layout",
    "index.json",
  ]);
});

test("a Docker archive has plain layers by diff ID, the config's own bytes, and familiar names", async (t) => {
  const { source, two } = images();
  const path = join(await folder(t), "image.tar");
  {
    await using draft = await createDockerArchive(path);
    await copy(source, two.digest, { to: draft, as: "docker.io/library/app:1" });
    await copy(source, two.digest, { to: draft, as: "example.com/me/app" });
    await draft.commit();
  }
  await using archive = await openDockerArchive(path);
  const entries = await archive.entries();
  assert.deepEqual(
    entries.map((entry) => entry.name),
    ["app:1", "example.com/me/app:latest"],
  );
  for (const reference of ["app:1", "docker.io/library/app:1", "example.com/me/app", "@0"]) {
    const descriptor = await archive.resolve(reference);
    const manifest = parseManifest(await readContent(archive, descriptor)) as Manifest;
    const original = parseManifest(source.find(two.digest) as Uint8Array) as Manifest;
    assert.equal(manifest.config.digest, original.config.digest);
    assert.deepEqual(
      manifest.layers.map((layer) => layer.digest),
      [LAYER_ONE, LAYER_TWO, LAYER_TWO].map((l) => digestOf(l)),
    );
    await everyDigest(archive, reference);
  }
});

test("a Docker archive refuses an index, and a layer whose diff ID is another", async (t) => {
  const { source, index, one } = images();
  const dir = await folder(t);
  await using draft = await createDockerArchive(join(dir, "image.tar"));
  await assert.rejects(copy(source, index.digest, { to: draft, as: "app:1" }), {
    code: "ARCHIVE_UNSUPPORTED",
  });
  await assert.rejects(draft.tag(one, "Not A Name"), { code: "REFERENCE_INVALID" });

  const manifest = parseManifest(source.find(one.digest) as Uint8Array) as Manifest;
  const rootfs = { type: "layers", diff_ids: [digestOf("something else")] };
  const config = source.addDocument({ os: "linux", architecture: "amd64", rootfs }, MEDIA_TYPES.ociConfig);
  const liar = source.addDocument(
    { schemaVersion: 2, config, layers: manifest.layers },
    MEDIA_TYPES.ociManifest,
  );
  await copy(source, liar.digest, { to: draft, as: "app:1" });
  await assert.rejects(draft.commit(), { code: "DIGEST_INVALID" });
  assert.deepEqual(await readdir(dir), []);
});

test("drafts change nothing until they are committed", async (t) => {
  const { source, one } = images();
  const dir = await folder(t);
  const path = join(dir, "image.tar");
  await writeFile(path, "before");
  {
    await using draft = await createOciArchive(path);
    await copy(source, one.digest, { to: draft, as: "v1" });
  }
  {
    await using draft = await createOciArchive(path);
    await assert.rejects(draft.commit(), { code: "ARCHIVE_INVALID" });
  }
  assert.equal(await readFile(path, "utf8"), "before");
  assert.deepEqual(await readdir(dir), ["image.tar"]);
  await assert.rejects(createOciArchive(join(dir, "missing", "x.tar")), { code: "UNWRITABLE" });
  await assert.rejects(createOciArchive(dir), { code: "UNWRITABLE" });
});

for (const [form, pack] of [
  ["plain", (tar: Buffer) => tar],
  ["gzip", (tar: Buffer) => gzipSync(tar)],
  ["zstd", (tar: Buffer) => zstdCompressSync(tar)],
] as const) {
  test(`a ${form} OCI archive is read with ./ in front and members in any order`, async (t) => {
    const { source, index } = images();
    const annotations = { "org.opencontainers.image.ref.name": "v1" };
    const document = JSON.stringify({ schemaVersion: 2, manifests: [{ ...index, annotations }] });
    const members = [
      { name: "./index.json", data: document },
      ...blobMembers(source, "./"),
      { ...MARK, name: "./oci-layout" },
    ];
    const path = await writeTar(t, members, pack);
    const tempDir = await folder(t);
    for (const input of [path, createReadStream(path)]) {
      await using archive = await openArchive(input, { tempDir });
      assert.equal(archive.form, "oci-archive");
      assert.deepEqual(await everyDigest(archive, "v1"), [...source.digests].sort());
      assert.deepEqual(await readdir(tempDir), []);
    }
  });
}

test("a draft does not take the place of what is no regular file", async (t) => {
  const path = join(await folder(t), "socket");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  t.after(() => server.close());
  for (const create of [createOciArchive, createDockerArchive]) {
    await assert.rejects(create(path), {
      code: "UNWRITABLE",
      message: `Cannot create archive ${JSON.stringify(path)}: it is not a regular file`,
    });
  }
  assert.ok((await stat(path)).isSocket());
});

test("old Docker archives are read, links between layers and compressed layers included", async (t) => {
  const config = Buffer.from(
    JSON.stringify({
      os: "linux",
      architecture: "amd64",
      rootfs: {
        type: "layers",
        diff_ids: [LAYER_ONE, LAYER_ONE, LAYER_TWO, LAYER_TWO].map((layer) => digestOf(layer)),
      },
    }),
  );
  const path = `${digestEncoded(digestOf(config))}.json`;
  const layers = ["a/layer.tar", "b/layer.tar", "c/layer.tar", "d/layer.tar"];
  const manifest = [{ Config: path, RepoTags: null, Layers: layers }];
  const archivePath = await writeTar(t, [
    { name: "b/layer.tar", type: "symlink", linkName: "../a/layer.tar" },
    { name: "a/layer.tar", data: LAYER_ONE },
    { name: "c/layer.tar", data: gzipSync(LAYER_TWO) },
    { name: "d/layer.tar", type: "link", linkName: "c/layer.tar" },
    { name: path, data: config },
    { name: "repositories", data: "{}" },
    { name: "manifest.json", data: JSON.stringify(manifest) },
  ]);
  await using archive = await openArchive(archivePath);
  assert.equal(archive.form, "docker-archive");
  const descriptor = await archive.resolve();
  const document = parseManifest(await readContent(archive, descriptor)) as Manifest;
  assert.deepEqual(
    document.layers.map(({ mediaType, digest }) => [mediaType, digest]),
    [
      [MEDIA_TYPES.dockerLayer, digestOf(LAYER_ONE)],
      [MEDIA_TYPES.dockerLayer, digestOf(LAYER_ONE)],
      [MEDIA_TYPES.dockerLayerGzip, digestOf(gzipSync(LAYER_TWO))],
      [MEDIA_TYPES.dockerLayerGzip, digestOf(gzipSync(LAYER_TWO))],
    ],
  );
  assert.equal((await everyDigest(archive, "")).length, 4);
});

test("new Docker archives open as either form", async (t) => {
  const { source, one } = images();
  const { config, layers } = parseManifest(source.find(one.digest) as Uint8Array) as Manifest;
  const blob = (descriptor: Descriptor): string => `blobs/sha256/${digestEncoded(descriptor.digest)}`;
  const manifest = [{ Config: blob(config), RepoTags: ["app:1"], Layers: layers.map(blob) }];
  const annotations = {
    "io.containerd.image.name": "docker.io/library/app:1",
    "org.opencontainers.image.ref.name": "1",
  };
  const path = await writeTar(t, [
    ...blobMembers(source),
    MARK,
    { name: "index.json", data: JSON.stringify({ schemaVersion: 2, manifests: [{ ...one, annotations }] }) },
    { name: "manifest.json", data: JSON.stringify(manifest) },
  ]);
  await using either = await openArchive(path);
  for (const reference of ["app:1", "docker.io/library/app:1", "1", ""]) {
    assert.deepEqual(await either.resolve(reference), one);
  }
  await using docker = await openDockerArchive(path);
  const made = parseManifest(await readContent(docker, await docker.resolve("app:1"))) as Manifest;
  assert.deepEqual([made.config.digest, made.layers[0]?.digest], [config.digest, layers[0]?.digest]);
});

test("hostile and broken archives are refused with a code, and touch nothing", async (t) => {
  const config = (layers: readonly Buffer[]): Buffer =>
    Buffer.from(
      JSON.stringify({
        os: "linux",
        architecture: "amd64",
        rootfs: { type: "layers", diff_ids: layers.map((l) => digestOf(l)) },
      }),
    );
  const docker = (
    members: readonly Member[],
    layers: readonly string[],
    id = config([LAYER_ONE]),
  ): readonly Member[] => [
    ...members,
    { name: "c.json", data: id },
    { name: "manifest.json", data: JSON.stringify([{ Config: "c.json", RepoTags: [], Layers: layers }]) },
  ];
  const index = (manifests: unknown): Member => ({
    name: "index.json",
    data: JSON.stringify({ schemaVersion: 2, manifests }),
  });
  const good = tarOf([MARK, index([])]);
  const cases: readonly (readonly [string, Buffer, string])[] = [
    ["nothing", Buffer.alloc(0), "ARCHIVE_INVALID"],
    ["not a tar", Buffer.alloc(2000, "x"), "ARCHIVE_INVALID"],
    ["a tar of something else", tarOf([{ name: "readme", data: "x" }]), "ARCHIVE_INVALID"],
    [
      "a member outside",
      tarOf([MARK, index([]), { name: "../../etc/passwd", data: "x" }]),
      "ARCHIVE_INVALID",
    ],
    [
      "a huge index",
      tarOf([MARK, { name: "index.json", data: Buffer.alloc(21 * 1024 * 1024, " ") }]),
      "ARCHIVE_INVALID",
    ],
    ["an index that isn't JSON", tarOf([MARK, { name: "index.json", data: "{" }]), "ARCHIVE_INVALID"],
    ["an index without a list", tarOf([MARK, { name: "index.json", data: "{}" }]), "ARCHIVE_INVALID"],
    [
      "a broken descriptor",
      tarOf([MARK, index([{ mediaType: "x/y", digest: "sha256:12", size: 1 }])]),
      "ARCHIVE_INVALID",
    ],
    ["no index", tarOf([MARK]), "ARCHIVE_INVALID"],
    [
      "another version",
      tarOf([{ name: "oci-layout", data: '{"imageLayoutVersion":"2.0.0"}' }, index([])]),
      "ARCHIVE_UNSUPPORTED",
    ],
    ["a cut header", good.subarray(0, 700), "ARCHIVE_INVALID"],
    [
      "a cut member",
      tarOf([MARK, { name: "big", data: Buffer.alloc(5000) }]).subarray(0, 3000),
      "ARCHIVE_INVALID",
    ],
    ["a cut gzip", gzipSync(good).subarray(0, -4), "ARCHIVE_INVALID"],
    ["a cut zstd", zstdCompressSync(good).subarray(0, -4), "ARCHIVE_INVALID"],
    ["a layer that is missing", tarOf(docker([], ["a/layer.tar"])), "ARCHIVE_INVALID"],
    ["a layer too many", tarOf(docker([{ name: "a", data: LAYER_ONE }], ["a", "a"])), "ARCHIVE_INVALID"],
    [
      "links in a circle",
      tarOf(
        docker(
          [
            { name: "a", type: "symlink", linkName: "b" },
            { name: "b", type: "symlink", linkName: "a" },
          ],
          ["a"],
        ),
      ),
      "ARCHIVE_INVALID",
    ],
    [
      "a link outside",
      tarOf(docker([{ name: "a", type: "symlink", linkName: "../../etc/hostname" }], ["a"])),
      "ARCHIVE_INVALID",
    ],
    [
      "a compressed layer of another diff ID",
      tarOf(docker([{ name: "a", data: gzipSync(LAYER_TWO) }], ["a"])),
      "ARCHIVE_INVALID",
    ],
    [
      "a plain layer of another diff ID",
      tarOf(docker([{ name: "a", data: Buffer.alloc(LAYER_ONE.length) }], ["a"])),
      "DIGEST_INVALID",
    ],
    ["a manifest.json that isn't a list", tarOf([{ name: "manifest.json", data: "{}" }]), "ARCHIVE_INVALID"],
    ["a manifest.json without Config", tarOf([{ name: "manifest.json", data: "[{}]" }]), "ARCHIVE_INVALID"],
    [
      "a config under another's name",
      tarOf([
        { name: `${"0".repeat(64)}.json`, data: config([]) },
        { name: "manifest.json", data: JSON.stringify([{ Config: `${"0".repeat(64)}.json`, Layers: [] }]) },
      ]),
      "ARCHIVE_INVALID",
    ],
  ];
  const dir = await folder(t);
  const tempDir = join(dir, "tmp");
  await mkdir(tempDir);
  const path = join(dir, "archive.tar");
  for (const [name, bytes, code] of cases) {
    await writeFile(path, bytes);
    const to = new MemoryContent();
    const load = async (): Promise<void> => {
      await using archive = await openArchive(path, { tempDir });
      await copy(archive, "", { to, as: "x" });
    };
    await assert.rejects(load(), { code }, name);
    assert.equal(to.tags.size, 0);
    assert.deepEqual(await readdir(tempDir), [], name);
  }
  assert.deepEqual((await readdir(dir)).sort(), ["archive.tar", "tmp"]);
  await assert.rejects(openArchive(join(dir, "nowhere.tar")), { code: "ARCHIVE_UNKNOWN" });
  await assert.rejects(openArchive(dir), { code: "UNREADABLE" });
});

test("a layout with a blob replaced gives wrong bytes to nobody", async (t) => {
  const { source, one } = images();
  const layout = await openLayout(join(await folder(t), "layout"), { create: true });
  await copy(source, one.digest, { to: layout, as: "v1" });
  const { layers } = parseManifest(source.find(one.digest) as Uint8Array) as Manifest;
  const [layer] = layers as [Descriptor];
  const path = join(layout.folder, "blobs", "sha256", digestEncoded(layer.digest));
  await writeFile(path, Buffer.alloc(layer.size));
  await assert.rejects(copy(layout, "v1", { to: new MemoryContent() }), { code: "DIGEST_INVALID" });
  await rm(path);
  await assert.rejects(copy(layout, "v1", { to: new MemoryContent() }), { code: "BLOB_UNKNOWN" });
  await symlink("/dev/zero", path);
  await assert.rejects(copy(layout, "v1", { to: new MemoryContent() }), { code: "UNREADABLE" });
});
