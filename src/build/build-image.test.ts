import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmod, link, mkdir, mkdtemp, readdir, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";

import type { Compression } from "../internal/detect-compression.ts";
import { pumpDecompressed } from "../internal/compression.ts";
import { TarDecoder } from "../internal/tar-decoder.ts";
import type { TarEntry } from "../internal/tar-header.ts";
import { encodeTarHeader, TAR_END } from "../internal/tar-writer.ts";
import {
  type Descriptor,
  digestOf,
  type Manifest,
  MEDIA_TYPES,
  MemoryContent,
  parseManifest,
} from "../oci/index.ts";
import { buildImage, type BuildOptions, buildIndex } from "./index.ts";

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), "dray-build-test-"));
  t.after(() => rm(path, { recursive: true, force: true }));
  return path;
}

/** A small tree with everything that has a say in a layer. */
async function context(t: TestContext): Promise<string> {
  const root = join(await folder(t), "context");
  await mkdir(join(root, "etc", "deep"), { recursive: true });
  await mkdir(join(root, "bin"));
  await mkdir(join(root, "empty"));
  await writeFile(join(root, "etc", "config"), "key = value\n");
  await writeFile(join(root, "etc", "deep", "größe"), "ü");
  await writeFile(join(root, "bin", "run"), "#!/bin/sh\necho hello\n");
  await chmod(join(root, "bin", "run"), 0o755);
  await symlink("../etc/config", join(root, "bin", "link"));
  await link(join(root, "etc", "config"), join(root, "etc", "same"));
  const long = "long-name-".repeat(15);
  await mkdir(join(root, long));
  await writeFile(join(root, long, long), "far away");
  return root;
}

interface Built {
  readonly manifest: Manifest;
  readonly config: Record<string, unknown> & { config: Record<string, unknown> };
  readonly entries: readonly TarEntry[];
  readonly contents: ReadonlyMap<string, string>;
  readonly digest: string;
  readonly warnings: readonly string[];
}

async function build(
  options: Omit<BuildOptions, "to">,
  to: MemoryContent = new MemoryContent(),
): Promise<Built> {
  const { descriptor, warnings } = await buildImage({ ...options, to });
  const manifest = parseManifest(to.find(descriptor.digest) as Uint8Array) as Manifest;
  const config = JSON.parse(
    Buffer.from(to.find(manifest.config.digest) as Uint8Array).toString(),
  ) as Built["config"];
  const entries: TarEntry[] = [];
  const contents = new Map<string, string>();
  const layer = options.context === undefined ? undefined : manifest.layers.at(-1);
  if (layer !== undefined) {
    const decoder = new TarDecoder({
      entry: (entry) => void entries.push(entry),
      data: (chunk) => {
        const { name } = entries.at(-1) as TarEntry;
        contents.set(name, (contents.get(name) ?? "") + Buffer.from(chunk).toString());
      },
    });
    const stream = await to.open(layer);
    await pumpDecompressed(stream, (chunk) => decoder.write(chunk));
    decoder.end();
  }
  return {
    manifest,
    config,
    entries,
    contents,
    digest: descriptor.digest,
    warnings: warnings.map((w) => w.path),
  };
}

function names(built: Built): readonly string[] {
  return built.entries.map((entry) => entry.name);
}

test("buildImage() gives the same digest for copies with other times, umask and order of creation", async (t) => {
  const first = await context(t);
  const second = join(await folder(t), "elsewhere");
  await mkdir(second);
  // Last names first, and nothing that a copy would keep but names, contents, links and the executable bit.
  for (const name of (await readdir(first)).sort().reverse()) {
    execFileSync("cp", ["-a", join(first, name), join(second, name)]);
  }
  await chmod(join(second, "etc", "config"), 0o600);
  await chmod(join(second, "bin", "run"), 0o700);
  await chmod(join(second, "etc"), 0o700);
  await utimes(join(second, "etc", "config"), 1_000_000, 1_000_000);
  for (const compression of ["none", "gzip", "zstd"] as const) {
    const [a, b] = [
      await build({ context: first, compression }),
      await build({ context: second, compression }),
    ];
    assert.equal(a.digest, b.digest);
    assert.deepEqual(a.manifest, b.manifest);
  }
});

test("buildImage() keeps the digests it has always given", async (t) => {
  const root = await context(t);
  const config = { entrypoint: ["/bin/run"], env: { A: "1" }, labels: { z: "1", a: "2" } };
  const digests: Record<string, string> = {};
  for (const compression of ["none", "gzip"] as const) {
    const built = await build({ context: root, compression, config });
    digests[compression] = built.digest;
  }
  // A change here is a change of every image people build again: it needs a line in CHANGELOG.md.
  assert.deepEqual(digests, {
    none: "sha256:e5bdbb528e3f683190077a8cf255d7da9e1d8792329f2b17ceb9275d91583e3f",
    gzip: "sha256:2669690edf5c23035960c9cda5e2bfef5eda0164c07024db22f93c9ef9edd153",
  });
});

test("buildImage() writes parents first, siblings by their bytes, one time and owner for all", async (t) => {
  const built = await build({ context: await context(t), created: Date.UTC(2020, 0, 2, 3, 4, 5, 678) });
  const long = "long-name-".repeat(15);
  assert.deepEqual(names(built), [
    "bin/",
    "bin/link",
    "bin/run",
    "empty/",
    "etc/",
    "etc/config",
    "etc/deep/",
    "etc/deep/größe",
    "etc/same",
    `${long}/`,
    `${long}/${long}`,
  ]);
  for (const { uid, gid, mtime } of built.entries) {
    assert.deepEqual({ uid, gid, mtime }, { uid: 0, gid: 0, mtime: Date.UTC(2020, 0, 2, 3, 4, 5) / 1000 });
  }
  const modes = Object.fromEntries(built.entries.map(({ name, mode }) => [name, mode]));
  assert.equal(modes["bin/run"], 0o755);
  assert.equal(modes["etc/config"], 0o644);
  assert.equal(modes["etc/"], 0o755);
  const byName = new Map(built.entries.map((entry) => [entry.name, entry]));
  assert.deepEqual(
    [byName.get("bin/link")?.type, byName.get("bin/link")?.linkName],
    ["symlink", "../etc/config"],
  );
  assert.deepEqual([byName.get("etc/same")?.type, byName.get("etc/same")?.linkName], ["link", "etc/config"]);
  assert.equal(built.contents.get("etc/config"), "key = value\n");
  assert.equal(built.config["created"], "2020-01-02T03:04:05Z");
});

test("buildImage() states digests, sizes and diff IDs that are true", async (t) => {
  const root = await context(t);
  const types: Readonly<Record<Compression, string>> = {
    none: MEDIA_TYPES.ociLayer,
    gzip: MEDIA_TYPES.ociLayerGzip,
    zstd: MEDIA_TYPES.ociLayerZstd,
  };
  const diffIds = new Set<unknown>();
  for (const compression of ["none", "gzip", "zstd"] as const) {
    const to = new MemoryContent();
    const built = await build({ context: root, compression }, to);
    const [layer] = built.manifest.layers as [Descriptor];
    assert.equal(layer.mediaType, types[compression]);
    const parts: Buffer[] = [];
    await pumpDecompressed(await to.open(layer), (chunk) => void parts.push(Buffer.from(chunk)));
    const rootfs = built.config["rootfs"] as { diff_ids: string[] };
    assert.deepEqual(rootfs, { type: "layers", diff_ids: [digestOf(Buffer.concat(parts))] });
    diffIds.add(rootfs.diff_ids[0]);
  }
  assert.equal(diffIds.size, 1);
});

test("buildImage() follows copy rules: folders' contents, files by name, later rules win", async (t) => {
  const root = await context(t);
  await writeFile(join(root, "bin", "config"), "other");
  const copy = [
    { from: "etc", to: "/a/b" },
    { from: "bin/run", to: "/usr/bin/" },
    { from: "bin/run", to: "/usr/bin/renamed" },
    { from: "bin/config", to: "/a/b/config" },
  ];
  const built = await build({ context: root, copy });
  assert.deepEqual(names(built), [
    "a/",
    "a/b/",
    "a/b/config",
    "a/b/deep/",
    "a/b/deep/größe",
    "a/b/same",
    "usr/",
    "usr/bin/",
    "usr/bin/renamed",
    "usr/bin/run",
  ]);
  assert.equal(built.contents.get("a/b/config"), "other");
});

test("buildImage() refuses rules that leave the context or contradict each other", async (t) => {
  const root = await context(t);
  await symlink("/", join(root, "out"));
  const rules: readonly (readonly [readonly { from?: string; to?: string }[], string])[] = [
    [[{ from: "../x" }], "COPY_INVALID"],
    [[{ from: "/etc" }], "COPY_INVALID"],
    [[{ from: "out/etc" }], "COPY_INVALID"],
    [[{ from: "etc/../../x" }], "COPY_INVALID"],
    [[{ to: "relative" }], "COPY_INVALID"],
    [[{ to: "/a/../b" }], "COPY_INVALID"],
    [[{ from: "missing" }], "CONTEXT_UNKNOWN"],
    [
      [
        { from: "bin/run", to: "/x" },
        { from: "etc", to: "/x" },
      ],
      "COPY_INVALID",
    ],
    [
      [
        { from: "etc", to: "/x" },
        { from: "bin/run", to: "/x" },
      ],
      "COPY_INVALID",
    ],
  ];
  for (const [copy, code] of rules) {
    const to = new MemoryContent();
    await assert.rejects(buildImage({ context: root, copy, to }), { name: "BuildError", code });
    assert.deepEqual(to.digests, []);
  }
  await assert.rejects(buildImage({ context: join(root, "nowhere"), to: new MemoryContent() }), {
    code: "CONTEXT_UNKNOWN",
  });
});

test("buildImage() leaves out what .dockerignore and the caller's patterns say", async (t) => {
  const root = await context(t);
  await writeFile(join(root, ".dockerignore"), "# local\n.dockerignore\netc\n!etc/deep\nlong-*\n");
  assert.deepEqual(names(await build({ context: root, ignore: ["**/link"] })), [
    "bin/",
    "bin/run",
    "empty/",
    "etc/",
    "etc/deep/",
    "etc/deep/größe",
  ]);
});

test("buildImage() skips special files with a warning", async (t) => {
  const root = await context(t);
  execFileSync("mkfifo", [join(root, "etc", "pipe")]);
  const built = await build({ context: root });
  assert.deepEqual(built.warnings, ["etc/pipe"]);
  assert.ok(!names(built).includes("etc/pipe"));
});

test("buildImage() keeps names that aren't text, byte for byte", async (t) => {
  const root = await folder(t);
  const name = Buffer.from([0x66, 0xff, 0xfe]);
  await writeFile(Buffer.concat([Buffer.from(`${root}/`), name]), "x");
  const built = await build({ context: root });
  assert.deepEqual(Buffer.from(built.entries[0]?.rawName ?? []), name);
});

test("buildImage() preserves owners and modes when asked to", async (t) => {
  const root = await context(t);
  await chmod(join(root, "etc", "config"), 0o640);
  const built = await build({ context: root, preserveModes: true, owner: { uid: 1000, gid: 3_000_000_000 } });
  const entry = built.entries.find(({ name }) => name === "etc/config");
  assert.deepEqual([entry?.mode, entry?.uid, entry?.gid], [0o640, 1000, 3_000_000_000]);
});

test("buildImage() merges its settings into the base's, as a Dockerfile would", async (t) => {
  const to = new MemoryContent();
  const base = await buildImage({
    context: await context(t),
    config: {
      entrypoint: ["/bin/run"],
      cmd: ["one"],
      env: { PATH: "/bin", A: "1" },
      user: "1000:1000",
      labels: { keep: "1", change: "1" },
      exposedPorts: ["80"],
      volumes: ["/data"],
      workdir: "/etc",
      stopSignal: "SIGQUIT",
    },
    author: "someone",
    platform: { os: "linux", architecture: "arm64" },
    to,
    as: "base",
  });
  const settings = {
    env: { A: "2", B: "3" },
    labels: { change: "2" },
    exposedPorts: ["53/udp"],
    cmd: ["two"],
  };
  const built = await build(
    { base: { source: to, reference: "base", name: "example.com/base:1" }, config: settings },
    to,
  );
  assert.deepEqual(built.config["config"], {
    User: "1000:1000",
    ExposedPorts: { "53/udp": {}, "80/tcp": {} },
    Env: ["PATH=/bin", "A=2", "B=3"],
    Entrypoint: ["/bin/run"],
    Cmd: ["two"],
    Volumes: { "/data": {} },
    WorkingDir: "/etc",
    Labels: { change: "2", keep: "1" },
    StopSignal: "SIGQUIT",
  });
  assert.deepEqual(built.manifest.layers, base.layers);
  assert.deepEqual([built.config["architecture"], built.config["author"]], ["arm64", "someone"]);
  const history = built.config["history"] as { empty_layer?: boolean }[];
  assert.deepEqual(
    history.map((entry) => entry.empty_layer ?? false),
    [false, true],
  );
  assert.deepEqual(built.manifest.annotations, {
    "org.opencontainers.image.base.digest": base.descriptor.digest,
    "org.opencontainers.image.base.name": "example.com/base:1",
  });
  const replaced = await build(
    { base: { source: to, reference: "base" }, config: { entrypoint: ["/new"] } },
    to,
  );
  assert.deepEqual(
    [replaced.config.config["Entrypoint"], replaced.config.config["Cmd"]],
    [["/new"], undefined],
  );
});

/** A base of hand-made layers. */
function handMade(
  to: MemoryContent,
  layers: readonly (readonly Parameters<typeof encodeTarHeader>[0][])[],
): string {
  const tars = layers.map((entries) => Buffer.concat([...entries.map(encodeTarHeader), TAR_END]));
  const config = {
    os: "linux",
    architecture: "amd64",
    Odd: { kept: true },
    config: { Healthcheck: { Test: ["x"] } },
  };
  const rootfs = { type: "layers", diff_ids: tars.map((tar) => digestOf(tar)) };
  const manifest = {
    schemaVersion: 2,
    config: to.addDocument({ ...config, rootfs, container: "stale" }, MEDIA_TYPES.dockerConfig),
    layers: tars.map((tar) => to.add(tar, MEDIA_TYPES.dockerLayer)),
  };
  return to.addDocument(manifest, MEDIA_TYPES.dockerManifest).digest;
}

test("buildImage() leaves folders of the base as they are, and goes where its links lead", async (t) => {
  const from = new MemoryContent();
  const reference = handMade(from, [
    [
      { type: "directory", name: "usr/bin", mode: 0o755 },
      { type: "symlink", name: "bin", mode: 0o777, linkName: "usr/bin" },
      { type: "directory", name: "tmp", mode: 0o1777 },
      { type: "directory", name: "home/me", mode: 0o700, uid: 1000, gid: 1000 },
      { type: "directory", name: "gone", mode: 0o700 },
      { type: "directory", name: "emptied/below", mode: 0o700 },
    ],
    [
      { type: "file", name: ".wh.gone", mode: 0o644 },
      { type: "file", name: "emptied/.wh..wh..opq", mode: 0o644 },
      { type: "directory", name: "tmp", mode: 0o1770 },
    ],
  ]);
  const root = await context(t);
  const copy = ["/bin", "/tmp", "/home/me/app", "/gone", "/emptied/below"].map((to) => ({
    from: "bin/run",
    to: `${to}/`,
  }));
  const built = await build({ context: root, base: { source: from, reference }, copy });
  const shown = built.entries.map(({ name, mode, uid }) => `${name} ${mode.toString(8)} ${uid}`);
  assert.deepEqual(shown, [
    "emptied/ 755 0",
    "emptied/below/ 755 0",
    "emptied/below/run 755 0",
    "gone/ 755 0",
    "gone/run 755 0",
    "home/ 755 0",
    "home/me/ 700 1000",
    "home/me/app/ 755 0",
    "home/me/app/run 755 0",
    "tmp/ 1770 0",
    "tmp/run 755 0",
    "usr/ 755 0",
    "usr/bin/ 755 0",
    "usr/bin/run 755 0",
  ]);
  // Docker's base in an OCI image: its words are translated, what dray doesn't know stays, what is stale goes.
  assert.deepEqual(
    built.manifest.layers.map((layer) => layer.mediaType),
    [MEDIA_TYPES.ociLayer, MEDIA_TYPES.ociLayer, MEDIA_TYPES.ociLayerGzip],
  );
  assert.deepEqual([built.config["Odd"], built.config["container"]], [{ kept: true }, undefined]);
  assert.deepEqual(built.config.config["Healthcheck"], { Test: ["x"] });
});

test("buildImage() takes the base's image for the platform, and says when there is none", async (t) => {
  const to = new MemoryContent();
  const root = await context(t);
  const images: Descriptor[] = [];
  for (const architecture of ["amd64", "arm64"]) {
    const platform = { os: "linux", architecture };
    images.push(
      (await buildImage({ context: root, config: { labels: { architecture } }, platform, to })).descriptor,
    );
  }
  const index = await buildIndex({ images, to, as: "multi" });
  assert.equal(index.mediaType, MEDIA_TYPES.ociIndex);
  const base = { source: to, reference: "multi" };
  const built = await build({ base, platform: { os: "linux", architecture: "arm64" } }, to);
  assert.deepEqual(built.config.config["Labels"], { architecture: "arm64" });
  const missing = buildImage({ base, platform: { os: "linux", architecture: "s390x" }, to });
  await assert.rejects(missing, {
    code: "BASE_INVALID",
    message: /linux\/s390x, only for linux\/amd64, linux\/arm64/,
  });
  await assert.rejects(buildIndex({ images: [...images, images[0] as Descriptor], to }), {
    code: "CONFIG_INVALID",
  });
});

test("buildImage() writes Docker's media types without mixing, and refuses what they can't say", async (t) => {
  const root = await context(t);
  const built = await build({ context: root, mediaTypes: "docker" });
  const { mediaType, config, layers } = built.manifest;
  assert.deepEqual(
    [mediaType, config.mediaType, layers[0]?.mediaType],
    [MEDIA_TYPES.dockerManifest, MEDIA_TYPES.dockerConfig, MEDIA_TYPES.dockerLayerGzip],
  );
  const to = new MemoryContent();
  const refused = buildImage({ context: root, mediaTypes: "docker", compression: "zstd", to });
  await assert.rejects(refused, { code: "UNSUPPORTED" });
});

test("buildImage() refuses settings no image can have, before anything is written", async (t) => {
  const root = await context(t);
  const wrong: readonly BuildOptions["config"][] = [
    { env: { "": "x" } },
    { env: { "A=B": "x" } },
    { exposedPorts: ["0"] },
    { exposedPorts: ["65536"] },
    { exposedPorts: ["80/http"] },
    { volumes: ["data"] },
    { workdir: "etc" },
    { user: "a b" },
    { stopSignal: "term" },
    { labels: { "": "x" } },
    { cmd: ["a\0b"] },
  ];
  for (const config of wrong) {
    const to = new MemoryContent();
    await assert.rejects(
      buildImage({ context: root, config, to }),
      { code: "CONFIG_INVALID" },
      JSON.stringify(config),
    );
    assert.deepEqual(to.digests, []);
  }
  await assert.rejects(buildImage({ context: root, created: -1, to: new MemoryContent() }), {
    code: "CONFIG_INVALID",
  });
});

test("buildImage() leaves no temporary files, whether it ends well, fails or is aborted", async (t) => {
  const tempDir = await folder(t);
  const root = await context(t);
  await buildImage({ context: root, to: new MemoryContent(), tempDir });
  const failing = new MemoryContent();
  failing.write = () => Promise.reject(new Error("full"));
  await assert.rejects(buildImage({ context: root, to: failing, tempDir }), /full/);
  const aborted = buildImage({
    context: root,
    to: new MemoryContent(),
    tempDir,
    signal: AbortSignal.abort(),
  });
  await assert.rejects(aborted, { name: "AbortError" });
  assert.deepEqual(await readdir(tempDir), []);
});
