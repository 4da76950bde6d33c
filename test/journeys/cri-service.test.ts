/** The image service as a kubelet and crictl use it: every call, over the socket of a real `dray cri`. */
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";

import { run } from "../../src/cli/run.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import { MEDIA_TYPES } from "../../src/oci/index.ts";
import { bytesOf } from "./cri-registry.ts";
import { type CriWorld, failureOf, openCriWorld } from "./cri-world.ts";

const LIMIT = { timeout: 300_000 };

test("what was pulled is listed, and found by every name it has", LIMIT, async () => {
  await using world = await openCriWorld();
  const { client, registry } = world;
  const pushed = registry.put("team/app:v1", { layers: [bytesOf(50_000, 1)], user: "1002:users" });
  const name = `${registry.host}/team/app:v1`;
  const digested = `${registry.host}/team/app@${pushed.digest}`;
  assert.equal((await client.images.pullImage({ image: { image: name } })).imageRef, pushed.id);
  const { images } = await client.images.listImages({});
  assert.equal(images.length, 1);
  const [image] = images;
  assert.deepEqual([image?.id, image?.repoTags, image?.repoDigests], [pushed.id, [name], [digested]]);
  assert.deepEqual([image?.size, image?.uid?.value, image?.username], [BigInt(pushed.size), 1002n, ""]);
  assert.deepEqual([image?.pinned, image?.spec], [false, undefined]);
  const hex = pushed.id.slice(7);
  const names = [
    name,
    digested,
    `${name}@${pushed.digest}`,
    pushed.id,
    hex,
    hex.slice(0, 6),
    `sha256:${hex.slice(0, 6)}`,
  ];
  for (const one of names) {
    const status = await client.images.imageStatus({ image: { image: one } });
    assert.deepEqual([status.image, status.info], [image, {}], one);
  }
  for (const one of ["", "nobody/here", "0".repeat(64), `sha256:${"0".repeat(64)}`, "UPPER CASE"]) {
    assert.deepEqual((await client.images.imageStatus({ image: { image: one } })).image, undefined, one);
  }

  const verbose = await client.images.imageStatus({ image: { image: name }, verbose: true });
  const info = JSON.parse(verbose.info["info"] ?? "") as {
    readonly chainID: string;
    readonly imageSpec: { readonly config: object; readonly rootfs: object };
  };
  assert.equal(info.chainID, pushed.layers[0]?.digest);
  assert.deepEqual(info.imageSpec.config, { User: "1002:users", Labels: { name: "team/app:v1" } });
});

test(
  "layers that aren't for distribution are part of an image that is here, like any other",
  LIMIT,
  async () => {
    await using world = await openCriWorld();
    const { client, registry } = world;
    const layerType = MEDIA_TYPES.dockerForeignLayerGzip;
    const pushed = registry.put("app:1", { layers: [bytesOf(50_000, 1)], layerType });
    const image = { image: `${registry.host}/app:1` };
    assert.equal((await client.images.pullImage({ image })).imageRef, pushed.id);
    const layer = pushed.layers[0]?.digest ?? "";
    const fetched = (): readonly string[] => registry.fetched("blobs");
    assert.deepEqual([fetched().length, new Set(fetched())], [2, new Set([pushed.id, layer])]);
    assert.equal((await client.images.imageStatus({ image })).image?.id, pushed.id);
    const context = createMemoryContext({ now: Date.now, cwd: world.folder, env: {} });
    const words = ["pull", "--quiet", "--data-dir", join(world.folder, "other"), image.image];
    assert.equal(await run(words, context), 0, context.stderr.text);
    assert.equal(fetched().filter((digest) => digest === layer).length, 2);
  },
);

test("lists come whole or as a stream, and a filter counts where that is asked for", LIMIT, async () => {
  for (const [words, filtered] of [
    [[], 3],
    [["--list-filter", "honour"], 1],
  ] as const) {
    await using world = await openCriWorld({ words });
    const { client, registry } = world;
    const stream = async (image?: string): Promise<string[]> => {
      const request = image === undefined ? {} : { filter: { image: { image } } };
      const parts = await Array.fromAsync(client.images.streamImages(request));
      return parts.flatMap(({ images }) => images.map(({ id }) => id));
    };
    assert.deepEqual(await stream(), []);
    for (const name of ["a:1", "b:1", "c:1"]) {
      registry.put(name);
      await client.images.pullImage({ image: { image: `${registry.host}/${name}` } });
    }
    const { images } = await client.images.listImages({});
    const ids = images.map(({ id }) => id);
    assert.deepEqual(ids, ids.toSorted());
    assert.deepEqual(await stream(), ids);
    assert.deepEqual(await stream(""), ids);
    const filter = { image: { image: `${registry.host}/b:1` } };
    assert.equal((await client.images.listImages({ filter })).images.length, filtered);
    assert.equal((await stream(filter.image.image)).length, filtered);
    assert.equal((await stream("nobody/here")).length, filtered === 1 ? 0 : 3);
  }
});

test("each way to name an image gives it the names that way gives", LIMIT, async () => {
  await using world = await openCriWorld();
  const { client, registry } = world;
  const { digest, id } = registry.put("app:v1");
  const base = `${registry.host}/app`;
  const cases: readonly [string, readonly string[]][] = [
    [`${base}:v1`, [`${base}:v1`]],
    [`${base}@${digest}`, []],
    [`${base}:v1@${digest}`, []],
    [`${base}:never-pushed@${digest}`, []],
  ];
  for (const [image, tags] of cases) {
    assert.equal((await client.images.pullImage({ image: { image } })).imageRef, id);
    const status = await client.images.imageStatus({ image: { image } });
    assert.deepEqual(
      [status.image?.repoTags, status.image?.repoDigests],
      [tags, [`${base}@${digest}`]],
      image,
    );
    await client.images.removeImage({ image: { image } });
    assert.deepEqual((await client.images.listImages({})).images, []);
  }
  registry.put("app:latest");
  await client.images.pullImage({ image: { image: base } });
  const [image] = (await client.images.listImages({})).images;
  assert.deepEqual(image?.repoTags, [`${base}:latest`]);
});

test("of an index the machine's image is fetched; where there is none, the pull says so", LIMIT, async () => {
  await using world = await openCriWorld();
  const { client, registry } = world;
  const own = { os: "linux", architecture: process.arch === "arm64" ? "arm64" : "amd64" };
  const other = { os: "linux", architecture: "s390x" };
  const [mine, foreign] = [registry.put("mine:1"), registry.put("foreign:1", { platform: other })];
  const index = registry.putIndex("app:both", [
    { descriptor: foreign.descriptor, platform: other },
    { descriptor: mine.descriptor, platform: own },
  ]);
  registry.putIndex("app:foreign", [{ descriptor: foreign.descriptor, platform: other }]);
  const pull = (name: string): Promise<{ readonly imageRef: string }> =>
    client.images.pullImage({ image: { image: `${registry.host}/${name}` } });
  assert.equal((await pull("app:both")).imageRef, mine.id);
  assert.ok(!registry.asked.some(({ path }) => path.includes(foreign.digest)));
  const [image] = (await client.images.listImages({})).images;
  assert.deepEqual(image?.repoDigests, [`${registry.host}/app@${index.digest}`]);
  assert.equal(image?.size, BigInt(mine.size + index.size));
  const failure = await failureOf(pull("app:foreign"));
  assert.deepEqual([failure.code, failure.own], ["NotFound", "PLATFORM_UNKNOWN"]);
});

test("an image is removed with all its names by any of them, and its bytes with it", LIMIT, async () => {
  await using world = await openCriWorld();
  const { client, registry } = world;
  const shared = bytesOf(200_000, 7);
  const pushed = registry.put("one:v1", { layers: [shared, bytesOf(300_000, 8)] });
  registry.tag("two:v2", pushed.descriptor);
  const other = registry.put("other:1", { layers: [shared] });
  const names = [`${registry.host}/one:v1`, `${registry.host}/two:v2`];
  for (const by of [...names, pushed.id, pushed.id.slice(7, 19), `${registry.host}/one@${pushed.digest}`]) {
    for (const image of [...names, `${registry.host}/other:1`])
      await client.images.pullImage({ image: { image } });
    const before = await used(world);
    await client.images.removeImage({ image: { image: by } });
    for (const name of [...names, pushed.id]) {
      assert.equal((await client.images.imageStatus({ image: { image: name } })).image, undefined, by);
    }
    assert.deepEqual(
      (await client.images.listImages({})).images.map(({ id }) => id),
      [other.id],
    );
    const freed = before - (await used(world));
    assert.ok(freed >= 300_000 && freed < 330_000, `${freed} bytes were freed`);
    await client.images.removeImage({ image: { image: by } });
  }
  // Whoever asks for a removal finds the image gone, also where another asked first.
  await client.images.pullImage({ image: { image: names[0] ?? "" } });
  await Promise.all(
    Array.from({ length: 5 }, async () => {
      await client.images.removeImage({ image: { image: pushed.id } });
      assert.equal((await client.images.imageStatus({ image: { image: pushed.id } })).image, undefined);
    }),
  );
});

test("the beginning of several ids is refused, as an error and not as absence", LIMIT, async () => {
  await using world = await openCriWorld();
  const { client, registry } = world;
  const ids: string[] = [];
  for (let count = 0; ids.every((id) => ids.filter((one) => one[7] === id[7]).length < 2); count++) {
    const { id } = registry.put(`many:${count}`);
    ids.push(id);
    await client.images.pullImage({ image: { image: `${registry.host}/many:${count}` } });
  }
  const image = { image: (ids.at(-1) ?? "").slice(7, 8) };
  const calls = [() => client.images.imageStatus({ image }), () => client.images.removeImage({ image })];
  for (const call of calls) {
    const failure = await failureOf(call());
    assert.deepEqual([failure.code, failure.own], ["Unknown", "IMAGE_AMBIGUOUS"]);
  }
  assert.equal((await client.images.listImages({})).images.length, ids.length);
});

test("a tag that moves leaves the image of before under its digest", LIMIT, async () => {
  await using world = await openCriWorld();
  const { client, registry } = world;
  const image = { image: `${registry.host}/app:v1` };
  const before = registry.put("app:v1", { layers: [bytesOf(1000, 1)] });
  await client.images.pullImage({ image });
  const after = registry.put("app:v1", { layers: [bytesOf(1000, 2)] });
  assert.equal((await client.images.pullImage({ image })).imageRef, after.id);
  const { images } = await client.images.listImages({});
  assert.deepEqual(
    new Map(images.map(({ id, repoTags }) => [id, repoTags])),
    new Map([
      [before.id, []],
      [after.id, [image.image]],
    ]),
  );
  assert.equal((await client.images.imageStatus({ image })).image?.id, after.id);
  // What is here isn't fetched again, but the tag is asked for.
  registry.asked.length = 0;
  await client.images.pullImage({ image });
  assert.deepEqual(
    registry.asked.map(({ method }) => method),
    ["HEAD"],
  );
});

test("pinned images are shown as such, by whichever form of the name", LIMIT, async () => {
  await using first = await openCriWorld();
  const { digest } = first.registry.put("pause:3.10");
  const cases = ["pause:3.10", `pause@${digest}`, `pause:3.10@${digest}`];
  for (const pinned of cases) {
    await using world = await openCriWorld({ words: ["--pinned", `${first.registry.host}/${pinned}`] });
    for (const name of ["pause:3.10", "app:1"]) {
      first.registry.put(name);
      await world.client.images.pullImage({ image: { image: `${first.registry.host}/${name}` } });
    }
    const { images } = await world.client.images.listImages({});
    const pins = images.filter((image) => image.pinned).flatMap(({ repoTags }) => repoTags);
    assert.deepEqual([images.length, pins], [2, [`${first.registry.host}/pause:3.10`]], pinned);
  }
});

test("the file system's figures are those of du, before and after", LIMIT, async () => {
  await using world = await openCriWorld();
  const { client, registry, dataDir } = world;
  registry.put("app:1", { layers: [bytesOf(123_456, 1), bytesOf(10, 2)] });
  for (const pull of [false, true]) {
    const before = BigInt(Date.now()) * 1_000_000n;
    if (pull) await client.images.pullImage({ image: { image: `${registry.host}/app:1` } });
    const { imageFilesystems, containerFilesystems } = await client.images.imageFsInfo({});
    const [info] = imageFilesystems;
    assert.deepEqual([imageFilesystems.length, containerFilesystems.length], [1, 0]);
    assert.ok((info?.timestamp ?? 0n) >= before);
    assert.equal(info?.fsId?.mountpoint, join(dataDir, "blobs"));
    const folders = [join(dataDir, "blobs"), join(dataDir, "ingest")];
    const du = async (...words: string[]): Promise<bigint> => {
      const { stdout } = await promisify(execFile)("du", ["-sc", ...words, ...folders]);
      return BigInt(/([0-9]+)\ttotal/.exec(stdout)?.[1] ?? -1);
    };
    assert.equal(info?.usedBytes?.value, await du("--block-size=1"));
    assert.equal(info?.inodesUsed?.value, await du("--inodes"));
  }
});

test("what clients ask of a runtime is answered, and what needs containers isn't known", LIMIT, async () => {
  await using world = await openCriWorld({ words: ["--cgroup-driver", "systemd"] });
  const { runtime } = world.client;
  const version = await runtime.version({});
  assert.deepEqual(
    [version.version, version.runtimeName, version.runtimeApiVersion],
    ["0.1.0", "dray", "v1"],
  );
  assert.match(version.runtimeVersion, /^[0-9]+\.[0-9]+\.[0-9]+/);
  const status = await runtime.status({ verbose: true });
  assert.deepEqual(
    status.status?.conditions.map(({ type, status }) => [type, status]),
    [
      ["RuntimeReady", true],
      ["NetworkReady", true],
    ],
  );
  assert.equal((JSON.parse(status.info["config"] ?? "") as { dataDir: string }).dataDir, world.dataDir);
  assert.deepEqual((await runtime.status({})).info, {});
  assert.equal((await runtime.runtimeConfig({})).linux?.cgroupDriver, 0);
  assert.deepEqual((await runtime.listContainers({})).containers, []);
  assert.deepEqual((await runtime.listPodSandbox({})).items, []);
  assert.equal((await failureOf(runtime.createContainer({}))).code, "Unimplemented");
  assert.equal((await failureOf(runtime.runPodSandbox({}))).code, "Unimplemented");
});

test("the socket is its owner's alone, and goes with the service", LIMIT, async () => {
  await using world = await openCriWorld();
  const { mode, uid } = statSync(world.socket);
  assert.deepEqual([(mode & 0o777).toString(8), uid], ["600", process.getuid?.()]);
  const second = openCriWorld({ words: ["--socket", world.socket] });
  await assert.rejects(second, /ended with .*somebody serves there/s);
  await world.client.runtime.version({});
  assert.equal(await world.end(), 0);
  assert.equal(statSync(world.socket, { throwIfNoEntry: false }), undefined);
});

async function used({ client }: CriWorld): Promise<number> {
  const { imageFilesystems } = await client.images.imageFsInfo({});
  return Number(imageFilesystems[0]?.usedBytes?.value);
}
