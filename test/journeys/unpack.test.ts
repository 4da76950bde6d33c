/** `dray unpack`: from every kind of place, as root and as anybody, and whatever goes wrong on the way. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";

import { run } from "../../src/cli/run.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import { digestOf, MEDIA_TYPES } from "../../src/oci/index.ts";
import { serveRegistry } from "../../src/registry/index.ts";
import { removeTree } from "../../src/unpack/remove-tree.ts";
import { describeFolder, makeTar, type TestEntry } from "../../src/unpack/testing.ts";
import { attempt, ROOT } from "../processes.ts";

const IS_ROOT = process.geteuid?.() === 0;
const NOBODY = 65_534;
const DRAY = join(ROOT, "bin", "dray.js");
const me = { uid: process.geteuid?.() ?? 0, gid: process.getegid?.() ?? 0 };
const PLATFORM = { architecture: process.arch === "x64" ? "amd64" : process.arch, os: "linux" };

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

interface World {
  readonly folder: string;
  readonly dray: (...words: readonly string[]) => Promise<Ended>;
}

async function setUp(t: TestContext): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), "dray-unpack-"));
  // Others are to find their way in here, too.
  chmodSync(folder, 0o755);
  t.after(() => removeTree(folder));
  const dray = async (...words: readonly string[]): Promise<Ended> => {
    const env = { XDG_DATA_HOME: join(folder, "data") };
    const context = createMemoryContext({ cwd: folder, home: folder, now: Date.now, env });
    const code = await run(words, context);
    return { code, out: context.stdout.text, err: context.stderr.text };
  };
  return { folder, dray };
}

interface Layer {
  readonly tar: Buffer;
  readonly blob?: Buffer;
  readonly mediaType?: string;
  /** What the config says it hashes to; the truth by default. */
  readonly diffId?: string;
}

const layerOf = (entries: readonly TestEntry[]): Layer => ({
  tar: makeTar(entries.map((entry) => ({ ...me, mode: 0o755, mtime: 1_000_000_000, ...entry }))),
});

/** An OCI layout with one image, tagged `it`. Returns its manifest's digest. */
function writeLayout(folder: string, layers: readonly Layer[]): string {
  const blobs = join(folder, "blobs", "sha256");
  mkdirSync(blobs, { recursive: true });
  const put = (bytes: Uint8Array, mediaType: string): { mediaType: string; digest: string; size: number } => {
    const digest = digestOf(bytes);
    writeFileSync(join(blobs, digest.slice(7)), bytes);
    return { mediaType, digest, size: bytes.length };
  };
  const config = put(
    Buffer.from(
      JSON.stringify({
        ...PLATFORM,
        rootfs: { type: "layers", diff_ids: layers.map(({ tar, diffId }) => diffId ?? digestOf(tar)) },
      }),
    ),
    MEDIA_TYPES.ociConfig,
  );
  const manifest = put(
    Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: MEDIA_TYPES.ociManifest,
        config,
        layers: layers.map(({ tar, blob, mediaType }) =>
          put(blob ?? gzipSync(tar), mediaType ?? MEDIA_TYPES.ociLayerGzip),
        ),
      }),
    ),
    MEDIA_TYPES.ociManifest,
  );
  writeFileSync(join(folder, "oci-layout"), '{"imageLayoutVersion":"1.0.0"}');
  const annotations = { "org.opencontainers.image.ref.name": "it" };
  writeFileSync(
    join(folder, "index.json"),
    JSON.stringify({ schemaVersion: 2, manifests: [{ ...manifest, annotations }] }),
  );
  return manifest.digest;
}

const threeLayers = (): readonly Layer[] => {
  const [zstd, plain] = [
    layerOf([{ name: "etc/.wh.old" }, { name: "etc/new", content: "n" }]),
    layerOf([{ name: "b" }]),
  ];
  return [
    layerOf([
      { flag: "5", name: "etc/" },
      { name: "etc/old" },
      { flag: "2", name: "conf", linkName: "/etc" },
    ]),
    { ...zstd, blob: zstdCompressSync(zstd.tar), mediaType: MEDIA_TYPES.ociLayerZstd },
    { ...plain, blob: plain.tar, mediaType: MEDIA_TYPES.ociLayer },
    layerOf([{ name: "conf/last", content: "l" }]),
  ];
};

/** What lies beside the places that images are unpacked to. */
const besides = (folder: string): readonly string[] =>
  readdirSync(folder).filter((name) => name.startsWith(".dray-unpack-"));

test(
  "an image becomes the same folder from a layout, a registry and the store",
  { timeout: 300_000 },
  async (t) => {
    const { folder, dray } = await setUp(t);
    const digest = writeLayout(join(folder, "layout"), threeLayers());
    const served = await serveRegistry({ dir: join(folder, "registry"), port: 0, drainTimeout: 500 });
    t.after(() => served.close());
    const there = `localhost:${served.port}/team/it:1`;
    assert.equal((await dray("copy", "oci:layout:it", there)).code, 0);
    assert.equal((await dray("pull", there)).code, 0);

    for (const [index, from] of ["oci:layout:it", there, `store:${there}`].entries()) {
      assert.deepEqual(await dray("unpack", from, `out${index}`), { code: 0, out: `${digest}\n`, err: "" });
    }
    const lines = describeFolder(join(folder, "out0"), { times: true });
    assert.deepEqual(readdirSync(join(folder, "out0/etc")).sort(), ["last", "new"]);
    for (const other of ["out1", "out2"]) {
      assert.deepEqual(describeFolder(join(folder, other), { times: true }), lines);
    }
    assert.deepEqual(besides(folder), []);

    const json = await dray("unpack", "--json", "-j", "1", there, "out3");
    const facts = JSON.parse(json.out) as Record<string, unknown>;
    assert.deepEqual(
      [facts["digest"], facts["layers"], facts["entries"], facts["leftOut"], facts["folder"]],
      [digest, 4, 7, [], join(folder, "out3")],
    );
  },
);

test(
  "what is in the place stays, unless it is to be replaced, and also when that fails",
  { timeout: 300_000 },
  async (t) => {
    const { folder, dray } = await setUp(t);
    writeLayout(join(folder, "layout"), threeLayers());
    const broken = layerOf([{ name: "f", content: "x" }]);
    writeLayout(join(folder, "broken"), [...threeLayers(), { ...broken, diffId: digestOf("other") }]);
    mkdirSync(join(folder, "out"));
    writeFileSync(join(folder, "out", "mine"), "m");

    const occupied = await dray("unpack", "oci:layout:it", "out");
    assert.equal(occupied.code, 8);
    assert.match(occupied.err, /it is not empty/);
    const failed = await dray("unpack", "--force", "oci:broken:it", "out");
    assert.equal(failed.code, 6);
    assert.match(failed.err, /hashes to sha256:[0-9a-f]{64}, but the config says/);
    assert.deepEqual(readdirSync(join(folder, "out")), ["mine"]);
    assert.deepEqual(besides(folder), []);

    assert.equal((await dray("unpack", "--force", "oci:layout:it", "out")).code, 0);
    assert.deepEqual(readdirSync(join(folder, "out")).sort(), ["b", "conf", "etc"]);
    mkdirSync(join(folder, "empty"));
    assert.equal((await dray("unpack", "oci:layout:it", "empty")).code, 0);
  },
);

test("hostile layers end in one sentence and nothing in the place", { timeout: 300_000 }, async (t) => {
  const { folder, dray } = await setUp(t);
  const good = layerOf([{ name: "f", content: "text" }]);
  const zeros = makeTar([{ name: "z", content: Buffer.alloc(3_000_000), ...me }]);
  const cases: Readonly<
    Record<string, { readonly layer: Layer; readonly code?: number; readonly args?: readonly string[] }>
  > = {
    "cut off": { layer: { tar: good.tar.subarray(0, 514) } },
    "a cut gzip": { layer: { ...good, blob: gzipSync(good.tar).subarray(0, -12) } },
    "no tar at all": { layer: { tar: Buffer.alloc(2048, "no tar ") } },
    "above the size": { layer: { tar: zeros }, args: ["--max-size", "1000000"] },
    "of a type nobody knows": { layer: layerOf([{ flag: "V", name: "f" }]) },
    "a marker for its own folder": { layer: layerOf([{ name: "etc/.wh.." }]) },
    "a link to nothing": { layer: layerOf([{ flag: "1", name: "l", linkName: "../../etc/passwd" }]) },
    "of a thousand folders and more": { layer: layerOf([{ name: `${"d/".repeat(1030)}f` }]) },
    encrypted: { layer: { ...good, mediaType: `${MEDIA_TYPES.ociLayerGzip}+encrypted` } },
    "no layer of files": { layer: { ...good, mediaType: "application/vnd.example.model" } },
    "bzip2 inside": { layer: { tar: Buffer.from("BZh91AY&SY", "latin1") } },
  };
  for (const [name, { layer, code = 6, args = [] }] of Object.entries(cases)) {
    const layout = join(folder, name);
    writeLayout(layout, [...threeLayers(), layer]);
    const ended = await dray("unpack", ...args, `oci:${layout}:it`, "out");
    assert.equal(ended.code, code, `${name}: ${ended.err}`);
    assert.equal(ended.err.trim().split("\n").length, 1, ended.err);
    assert.equal(existsSync(join(folder, "out")), false, name);
    assert.deepEqual(besides(folder), [], name);
  }
});

const asRoot = { skip: IS_ROOT ? false : "only root may become somebody else", timeout: 300_000 };

test("without root, what is possible is done and the rest is told, or refused", asRoot, async (t) => {
  const { folder } = await setUp(t);
  const layout = join(folder, "layout");
  const entries = [
    { name: "bin/su", content: "su", uid: 0, gid: 0, mode: 0o4755 },
    {
      name: "bin/ping",
      content: "p",
      pax: {
        "SCHILY.xattr.security.capability": Buffer.from("0100000200200000000000000000000000000000", "hex"),
      },
    },
    { flag: "3", name: "dev/null", major: 1, minor: 3 },
    { flag: "6", name: "pipe", uid: NOBODY, gid: NOBODY },
    { flag: "5", name: "closed", mode: 0o500, uid: NOBODY, gid: NOBODY },
    { name: "closed/file", uid: NOBODY, gid: NOBODY, mode: 0o400, content: "c" },
  ];
  const digest = writeLayout(layout, [
    layerOf(entries),
    layerOf([{ name: "closed/later", uid: NOBODY, gid: NOBODY }]),
  ]);
  const place = join(folder, "theirs");
  mkdirSync(place);
  const unpackAs = async (...args: readonly string[]): Promise<Ended> => {
    const all = ["--reuid", String(NOBODY), "--regid", String(NOBODY), "--clear-groups"];
    const words = [process.execPath, DRAY, "unpack", ...args, `oci:${layout}:it`, join(place, "out")];
    const env = { PATH: process.env["PATH"], HOME: place, XDG_DATA_HOME: join(place, "data") };
    const { status, stdout, stderr } = await attempt("setpriv", [...all, ...words], { cwd: place, env });
    return { code: status ?? -1, out: stdout, err: stderr };
  };
  // Not a place where they may write.
  assert.equal((await unpackAs()).code, 8);
  chmodSync(place, 0o777);

  const strict = await unpackAs("--strict");
  assert.equal(strict.code, 8, strict.err);
  assert.match(strict.err, /left out would be .*1 device/);
  assert.deepEqual(existsSync(join(place, "out")), false);
  assert.deepEqual(besides(place), []);

  const ended = await unpackAs();
  assert.deepEqual([ended.code, ended.out], [0, `${digest}\n`], ended.err);
  const told = ended.err.trim().split("\n").sort();
  assert.deepEqual(
    told.map((line) => line.replace(/ \((?:the first )?on ".*/, "")),
    [
      "Left out: 1 device",
      'Left out: 1 extended attribute "security.capability"',
      "Left out: 1 setuid bits",
      "Left out: 2 owners",
    ],
  );
  assert.deepEqual(
    describeFolder(join(place, "out")).map((line) => (JSON.parse(line) as string[]).slice(0, 4)),
    [
      ["/bin", "40755", String(NOBODY), String(NOBODY)],
      ["/bin/ping", "100755", String(NOBODY), String(NOBODY)],
      ["/bin/su", "100755", String(NOBODY), String(NOBODY)],
      ["/closed", "40500", String(NOBODY), String(NOBODY)],
      ["/closed/file", "100400", String(NOBODY), String(NOBODY)],
      ["/closed/later", "100755", String(NOBODY), String(NOBODY)],
      ["/dev", "40755", String(NOBODY), String(NOBODY)],
      ["/pipe", "10755", String(NOBODY), String(NOBODY)],
    ],
  );
  // And once more over it: a folder that is closed to its owner is no obstacle.
  assert.equal((await unpackAs("--force")).code, 0);
  assert.deepEqual(besides(place), []);
});

test("every layer that is known to root becomes right for somebody else, too", asRoot, async (t) => {
  const { folder } = await setUp(t);
  const vectors = join(folder, "vectors");
  mkdirSync(vectors);
  copyFileSync(join(ROOT, "test/vectors/layer-apply.json"), join(vectors, "layer-apply.json"));
  const as = ["--reuid", String(NOBODY), "--regid", String(NOBODY), "--clear-groups"];
  const words = [process.execPath, join(ROOT, "test/vectors/run.ts"), vectors];
  const { status, stdout } = await attempt("setpriv", [...as, ...words], { cwd: folder });
  assert.match(stdout, /^layer-apply\.json: [1-9][0-9]+ passed, 0 failed, 0 not yet covered$/m);
  assert.equal(status, 0);
});

test("a disk that fills is said, and nothing is left on it", asRoot, async (t) => {
  const { folder } = await setUp(t);
  const layout = join(folder, "layout");
  writeLayout(layout, [layerOf([{ name: "small" }, { name: "large", content: randomBytes(3_000_000) }])]);
  const disk = join(folder, "disk");
  mkdirSync(disk);
  const command = `mount -t tmpfs -o size=2m none "$0" && { "$@"; s=$?; ls -A "$0"; exit $s; }`;
  const words = [
    "--mount",
    "sh",
    "-c",
    command,
    disk,
    process.execPath,
    DRAY,
    "unpack",
    `oci:${layout}:it`,
    join(disk, "out"),
  ];
  const { status, stdout, stderr } = await attempt("unshare", words, { cwd: folder });
  if (/unshare failed|permission denied|must be superuser/i.test(stderr))
    return t.skip("nothing can be mounted here");
  assert.equal(status, 8, stderr);
  assert.match(stderr, /Cannot unpack "large": no space left/);
  assert.equal(stdout, "");
});

/** A registry that sends most of the layer, and then nothing until it is told to go on. */
async function stallingRegistry(t: TestContext, layout: string) {
  const state = { stalls: true, reached: Promise.withResolvers<void>() };
  const server = createServer((request, response) => {
    const [, kind = "", object = ""] = /\/(manifests|blobs)\/(.+)$/.exec(request.url ?? "") ?? [];
    if (kind === "") return void response.writeHead(200).end();
    const index = JSON.parse(readFileSync(join(layout, "index.json"), "utf8")) as {
      manifests: [{ digest: string }];
    };
    const digest = object.startsWith("sha256:") ? object : index.manifests[0].digest;
    const body = readFileSync(join(layout, "blobs/sha256", digest.slice(7)));
    const headers = { "content-length": body.length, "docker-content-digest": digest };
    response.writeHead(200, {
      ...headers,
      "content-type": kind === "manifests" ? MEDIA_TYPES.ociManifest : "application/octet-stream",
    });
    if (request.method === "HEAD") return void response.end();
    if (body.length < 1_000_000 || !state.stalls) return void response.end(body);
    response.write(body.subarray(0, Math.floor(body.length * 0.99)), () => state.reached.resolve());
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { state, image: `127.0.0.1:${(server.address() as AddressInfo).port}/team/it:1` };
}

const bigLayout = (layout: string): string =>
  writeLayout(layout, [
    layerOf([{ name: "first" }]),
    layerOf([
      { name: "a", content: randomBytes(2_000_000) },
      { name: "b", content: randomBytes(2_000_000) },
    ]),
    layerOf([{ name: "last" }]),
  ]);

test(
  "a registry that stalls at 99 % is waited for no longer than allowed",
  { timeout: 300_000 },
  async (t) => {
    const { folder, dray } = await setUp(t);
    const digest = bigLayout(join(folder, "layout"));
    const { state, image } = await stallingRegistry(t, join(folder, "layout"));
    const ended = await dray("unpack", "--stall-timeout", "300ms", image, "out");
    assert.equal(ended.code, 5, ended.err);
    assert.match(ended.err, /no byte came for 300 ms/);
    assert.deepEqual(readdirSync(folder).sort(), ["layout"]);
    state.stalls = false;
    assert.deepEqual(await dray("unpack", image, "out"), { code: 0, out: `${digest}\n`, err: "" });
  },
);

test(
  "kill -9 leaves nothing in the place, and the next one clears away beside it",
  { timeout: 300_000 },
  async (t) => {
    const { folder, dray } = await setUp(t);
    const digest = bigLayout(join(folder, "layout"));
    mkdirSync(join(folder, "full"));
    writeFileSync(join(folder, "full", "mine"), "m");
    const { state, image } = await stallingRegistry(t, join(folder, "layout"));
    for (const [place, ...args] of [["out"], ["full", "--force"]] as const) {
      state.reached = Promise.withResolvers();
      const child = spawn(process.execPath, [DRAY, "unpack", ...args, image, place], {
        cwd: folder,
        stdio: "ignore",
      });
      const gone = new Promise((resolve) => child.on("close", resolve));
      await state.reached.promise;
      child.kill("SIGKILL");
      await gone;
      assert.equal(besides(folder).length, 1);
    }
    assert.equal(existsSync(join(folder, "out")), false);
    assert.deepEqual(readdirSync(join(folder, "full")), ["mine"]);
    state.stalls = false;
    for (const [place, ...args] of [["out"], ["full", "--force"]] as const) {
      assert.deepEqual(await dray("unpack", ...args, image, place), { code: 0, out: `${digest}\n`, err: "" });
      assert.deepEqual(readdirSync(join(folder, place)).sort(), ["a", "b", "first", "last"]);
      assert.deepEqual(besides(folder), []);
    }
  },
);
