/** `dray cri` as a process: ended gently, killed in the middle of pulls, and out of room on its disk. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, rm, stat, statfs } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { type CriClient, openCriClient } from "../../src/cri/index.ts";
import { attempt, ROOT, start, type Started } from "../processes.ts";
import { type Behaviour, bytesOf, CriRegistry } from "./cri-registry.ts";
import { failureOf, pullReaches } from "./cri-world.ts";

const LIMIT = { timeout: 300_000 };
/** Bytes that may be gathered before they are written: a process that is killed has at most so many with it. */
const GATHERED = 64 * 1024;
const KILLS = Number(process.env["DRAY_KILLS"] ?? 4);

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "dray-cri-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

interface Service extends AsyncDisposable {
  readonly process: Started;
  readonly client: CriClient;
}

async function serve(dataDir: string, words: readonly string[] = []): Promise<Service> {
  const child = start(process.execPath, [
    join(ROOT, "bin", "dray.js"),
    "cri",
    "--data-dir",
    dataDir,
    ...words,
  ]);
  await child.waitFor(/Serving the CRI on (\S+)/);
  const client = openCriClient(`unix://${join(dataDir, "cri.sock")}`);
  return {
    process: child,
    client,
    [Symbol.asyncDispose]: async () => {
      client[Symbol.dispose]();
      await child.stop("SIGKILL");
    },
  };
}

test(
  "ended with SIGTERM it lets a pull finish, takes nothing new, and leaves no socket",
  LIMIT,
  async (t) => {
    const dataDir = join(await makeFolder(t), "data");
    await using registry = await CriRegistry.start();
    const { id, layers } = registry.put("app:1", { layers: [bytesOf(100_000, 1)] });
    const [asked, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    registry.behave = ({ path }): Behaviour => {
      if (!path.endsWith(layers[0]?.digest ?? "")) return {};
      asked.resolve();
      return { until: gate.promise };
    };
    await using service = await serve(dataDir);
    const pulling = service.client.images.pullImage({ image: { image: `${registry.host}/app:1` } });
    await asked.promise;
    const socket = join(dataDir, "cri.sock");
    const ended = service.process.stop("SIGTERM");
    // The socket goes first, then the calls under way are waited for.
    while (existsSync(socket)) await new Promise((resolve) => setImmediate(resolve));
    gate.resolve();
    assert.equal((await pulling).imageRef, id);
    await ended;
    await using again = await serve(dataDir);
    assert.equal((await again.client.images.listImages({})).images[0]?.id, id);
  },
);

test(
  `killed ${KILLS} times in the middle of pulls, it goes on where it was and fetches nothing twice that is on the disk`,
  LIMIT,
  async (t) => {
    const dataDir = join(await makeFolder(t), "data");
    await using registry = await CriRegistry.start();
    const layers = [bytesOf(3_000_000, 1), bytesOf(2_000_000, 2), bytesOf(1000, 3)];
    const pushed = registry.put("app:1", { layers });
    const image = { image: `${registry.host}/app:1` };
    const big = pushed.layers[0]?.digest ?? "";
    const kept = [0];
    let sent = 400_000;
    for (let kill = 0; kill < KILLS; kill++) {
      // Each time it gets a bit further, and is killed where the registry has nothing more to say.
      registry.behave = ({ path }): Behaviour => (path.endsWith(big) ? { stallAfter: sent } : {});
      await using service = await serve(dataDir);
      assert.equal((await service.client.images.imageStatus({ image })).image, undefined);
      const pulling = failureOf(service.client.images.pullImage({ image }));
      const before = registry.asked.filter(({ path }) => path.endsWith(big)).length;
      while (registry.asked.filter(({ path }) => path.endsWith(big)).length === before) await turn();
      const from = registry.asked.findLast(({ path }) => path.endsWith(big))?.from ?? 0;
      await pullReaches(service.client, { digest: big, bytes: from + sent, of: layers.length + 1 });
      await service.process.stop("SIGKILL");
      assert.equal((await pulling).code === "OK", false);
      const [part = "", ...others] = (await ingests(dataDir)).filter((name) => name.endsWith(".part"));
      assert.deepEqual(others, []);
      const { size } = await stat(join(dataDir, "ingest", part));
      assert.ok(size <= from + sent && size > from + sent - GATHERED, `${size} bytes of ${from + sent}`);
      kept.push(size);
      sent = 300_000;
    }
    registry.behave = (): Behaviour => ({});
    await using service = await serve(dataDir);
    assert.equal((await service.client.images.pullImage({ image })).imageRef, pushed.id);
    const firsts = registry.asked
      .filter(({ method, path, status }) => method === "GET" && path.endsWith(big) && status < 300)
      .map(({ from }) => from);
    assert.deepEqual(firsts, kept);
    const others = registry.fetched().filter((digest) => digest !== big);
    assert.deepEqual(others.toSorted(), [...new Set(others)].toSorted());
    assert.deepEqual(await ingests(dataDir), []);
  },
);

test("a full disk fails the pull with a code, and the service goes on", LIMIT, async (t) => {
  const folder = await makeFolder(t);
  const small = join(folder, "small");
  await mkdir(small);
  const mounted = await attempt("mount", ["-t", "tmpfs", "-o", "size=6m", "none", small]).catch(
    () => undefined,
  );
  if (mounted?.status !== 0) return t.skip("only root may make a small disk");
  await using _mount = { [Symbol.asyncDispose]: async () => void (await attempt("umount", ["-l", small])) };
  await using registry = await CriRegistry.start();
  registry.put("big:1", { layers: [bytesOf(9_000_000, 1)] });
  const fits = registry.put("fits:1", { layers: [bytesOf(1_000_000, 2)] });
  await using service = await serve(join(small, "data"));
  const { images } = service.client;
  const failure = await failureOf(images.pullImage({ image: { image: `${registry.host}/big:1` } }));
  assert.deepEqual([failure.code, failure.own], ["Unknown", "NO_SPACE"], failure.text);
  assert.equal((await images.listImages({})).images.length, 0);
  assert.ok((await images.imageFsInfo({})).imageFilesystems.length > 0);
  // A kubelet makes room by removing images: what came of the big one must not stand in the way.
  const second = await images.pullImage({ image: { image: `${registry.host}/fits:1` } });
  assert.equal(second.imageRef, fits.id);
});

test(
  "images can be removed from a disk that others filled to its end, also after a start",
  LIMIT,
  async (t) => {
    const folder = await makeFolder(t);
    const small = join(folder, "small");
    await mkdir(small);
    const mounted = await attempt("mount", ["-t", "tmpfs", "-o", "size=8m", "none", small]).catch(
      () => undefined,
    );
    if (mounted?.status !== 0) return t.skip("only root may make a small disk");
    await using _mount = { [Symbol.asyncDispose]: async () => void (await attempt("umount", ["-l", small])) };
    await using registry = await CriRegistry.start();
    const names = ["one", "two"].map((name, seed) => {
      registry.put(`${name}:1`, { layers: [bytesOf(2_000_000, seed)] });
      return `${registry.host}/${name}:1`;
    });
    const [one = "", two = ""] = names;
    const dataDir = join(small, "data");
    const left = async (images: CriClient["images"]): Promise<readonly string[]> =>
      (await images.listImages({})).images.flatMap(({ repoTags }) => repoTags);
    /** Others take all room there is. */
    const fill = async (): Promise<void> =>
      void (await attempt("dd", ["if=/dev/zero", `of=${join(small, "others")}`, "bs=4096", "count=4096"]));

    {
      await using service = await serve(dataDir);
      const { images } = service.client;
      for (const image of names) await images.pullImage({ image: { image } });
      await fill();
      await images.removeImage({ image: { image: one } });
      assert.deepEqual(await left(images), [two]);
      assert.ok((await statfs(small)).bavail * 4096 > 1_500_000, "the room is there");
    }
    await fill();
    await using service = await serve(dataDir);
    const { images } = service.client;
    await images.removeImage({ image: { image: two } });
    assert.deepEqual(await left(images), []);
    registry.put("less:1", { layers: [bytesOf(200_000, 3)] });
    await images.pullImage({ image: { image: `${registry.host}/less:1` } });
  },
);

/** Contents that are not whole yet. */
async function ingests(dataDir: string): Promise<readonly string[]> {
  return (await readdir(join(dataDir, "ingest"))).filter((name) => !["mutex", "owners"].includes(name));
}

async function turn(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
}
