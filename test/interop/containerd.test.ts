/** `dray cri` over a real containerd: what it pulls there is containerd's own, to run, to list and to collect. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import type { CriClient } from "../../src/cri/index.ts";
import { NamespaceMode } from "../../src/cri/generated/runtime/v1_pb.ts";
import { run } from "../processes.ts";
import {
  eventually,
  type Dray,
  type LabContainerd,
  type LabFile,
  LabImages,
  noise,
  startContainerd,
  startDray,
} from "./containerd-lab.ts";
import { findPeer, missingPeers } from "./peers.ts";

const pull = async (cri: CriClient, image: string): Promise<string> =>
  (await cri.images.pullImage({ image: { image } })).imageRef;
const remove = async (cri: CriClient, image: string): Promise<void> =>
  void (await cri.images.removeImage({ image: { image } }));

/** Everything CRI says of the images, without what is different in every answer. */
async function answers(cri: CriClient, names: readonly string[]): Promise<unknown> {
  const { images } = await cri.images.listImages({});
  const ids = images.map(({ id }) => id).toSorted();
  const statuses: unknown[] = [];
  for (const image of [...names, ...ids, ...ids.map((id) => id.slice(7, 20))]) {
    const { image: found, info } = await cri.images.imageStatus({ image: { image }, verbose: true });
    const told = info["info"];
    statuses.push([image, found, told === undefined ? undefined : JSON.parse(told)]);
  }
  return { images: images.toSorted((a, b) => (a.id < b.id ? -1 : 1)), statuses };
}

const skip =
  process.getuid?.() === 0
    ? missingPeers("containerd", "ctr", "containerd-shim-runc-v2", "runc", "busybox")
    : "containerd needs root";

describe("dray cri over containerd", { skip, timeout: 300_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "dc-"));
  let images: LabImages;
  let containerd: LabContainerd;
  let dray: Dray;
  let sandbox: string;

  before(async () => {
    images = await LabImages.start();
    sandbox = `${images.host}/pause:1`;
    containerd = await startContainerd(join(folder, "a"), { sandbox });
    mkdirSync(join(folder, "d"));
    dray = await startDray(join(folder, "d"), containerd.socket, "--pinned", sandbox);
  });
  after(async () => {
    await dray[Symbol.asyncDispose]();
    await containerd[Symbol.asyncDispose]();
    await images[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const ctr = async (...args: readonly string[]): Promise<string> =>
    await run(findPeer("ctr") ?? "ctr", ["--address", containerd.socket, "-n", "k8s.io", ...args], {
      env: { ...process.env, PATH: `${join(findPeer("runc") ?? "", "..")}:${process.env["PATH"] ?? ""}` },
    });

  function busybox(): readonly LabFile[] {
    const data = readFileSync(join(findPeer("busybox") ?? "", "../../containers/bin/busybox"));
    return [
      { name: "bin/", type: "directory", mode: 0o755 },
      { name: "bin/busybox", mode: 0o755, data },
      ...["sh", "cat", "sleep", "ls"].map((name) => ({
        name: `bin/${name}`,
        type: "symlink" as const,
        linkname: "busybox",
      })),
      { name: "etc/", type: "directory", mode: 0o755 },
      { name: "etc/gone", data: "of the first layer" },
      { name: "old/", type: "directory", mode: 0o755 },
      { name: "old/file", data: "hidden later" },
    ];
  }

  const SECOND: readonly LabFile[] = [
    { name: "etc/", type: "directory", mode: 0o755 },
    { name: "etc/.wh.gone" },
    { name: "etc/word", data: "pulled by dray\n", uid: 12, gid: 34 },
    { name: "old/", type: "directory", mode: 0o750 },
    { name: "old/.wh..wh..opq" },
    { name: "old/new", data: "new" },
    { name: "implicit/folder/file", data: "without entries for its folders" },
    { name: "bin/twin", type: "link", linkname: "etc/word", uid: 12, gid: 34 },
  ];

  it("brings artifacts as containerd does, with nothing to unpack", async () => {
    const name = `${images.host}/model:1`;
    const id = images.addArtifact("model:1", ["weights", "more weights"]);
    const pulled: unknown[] = [];
    for (const cri of [containerd.cri, dray.cri]) {
      assert.equal(await pull(cri, name), id);
      const { content, images: names, snapshots } = await containerd.dump();
      pulled.push({ content, names, snapshots, own: await answers(cri, [name]) });
      assert.deepEqual(await answers(dray.cri, [name]), await answers(containerd.cri, [name]));
      await remove(dray.cri, id);
      await eventually(async () => assert.deepEqual((await containerd.dump()).content, []));
    }
    assert.deepEqual(pulled[1], pulled[0]);
    assert.deepEqual(await containerd.leftovers(), []);
  });

  it("pulls what containerd then runs, and neither restart nor collection takes it away", async () => {
    await images.add("pause:1", {
      layers: [busybox()],
      config: { Entrypoint: ["/bin/sleep"], Cmd: ["1000"] },
    });
    const { layers } = await images.add("app:1", { layers: [busybox(), SECOND] });
    await pull(dray.cri, sandbox);
    const name = `${images.host}/app:1`;
    const id = await pull(dray.cri, name);
    assert.equal(images.fetched.filter((digest) => layers.includes(digest)).length, 2);

    const seen = await containerd.cri.images.imageStatus({ image: { image: name } });
    assert.equal(seen.image?.id, id, "containerd's own CRI knows it as soon as the pull is answered");
    const pinned = await containerd.cri.images.imageStatus({ image: { image: sandbox } });
    assert.equal(pinned.image?.pinned, true);
    assert.deepEqual(
      await answers(dray.cri, [name, sandbox]),
      await answers(containerd.cri, [name, sandbox]),
    );

    images.forget();
    const script = "cat /etc/word; ls /etc /old /implicit/folder; ls -ln /etc/word /bin/twin";
    const inside = async (): Promise<string> =>
      await ctr("run", "--rm", name, `job-${process.hrtime.bigint()}`, "/bin/sh", "-c", script);
    const first = await inside();
    assert.match(first, /^pulled by dray/);
    assert.match(first, /\b2\b.*\b12\b.*\b34\b.*\/bin\/twin/);
    assert.doesNotMatch(first, /gone|hidden|old\/file/);

    await images.add("other:1", { layers: [[{ name: "x", data: "x" }]] });
    await pull(dray.cri, `${images.host}/other:1`);
    await containerd.restart();
    await remove(dray.cri, `${images.host}/other:1`);
    await ctr("content", "prune", "references");
    assert.equal(await inside(), first);
    assert.equal((await dray.cri.images.imageStatus({ image: { image: name } })).image?.id, id);
    const asked = images.fetched.filter((digest) => layers.includes(digest));
    assert.deepEqual(asked, [], "nothing came over twice");
    assert.deepEqual(await containerd.leftovers(), []);
  });

  it("gives containerd's CRI an image to start containers from by its id", async () => {
    const id = await pull(dray.cri, `${images.host}/app:1`);
    const { runtime } = containerd.cri;
    const config = {
      metadata: { name: "pod", uid: "u1", namespace: "default", attempt: 0 },
      logDirectory: join(folder, "logs"),
      linux: { securityContext: { namespaceOptions: { network: NamespaceMode.NODE } } },
    };
    const { podSandboxId } = await runtime.runPodSandbox({ config });
    try {
      const created = await runtime.createContainer({
        podSandboxId,
        sandboxConfig: config,
        config: {
          metadata: { name: "c", attempt: 0 },
          image: { image: id },
          command: ["/bin/sleep", "1000"],
          logPath: "c.log",
          linux: {},
        },
      });
      const { containerId } = created;
      await runtime.startContainer({ containerId });
      const said = await runtime.execSync({ containerId, cmd: ["/bin/cat", "/etc/word"], timeout: 10n });
      assert.equal(Buffer.from(said.stdout).toString(), "pulled by dray\n");
      // What runs is kept, whatever becomes of its names.
      await remove(dray.cri, id);
      const again = await runtime.execSync({ containerId, cmd: ["/bin/cat", "/etc/word"], timeout: 10n });
      assert.equal(Buffer.from(again.stdout).toString(), "pulled by dray\n");
    } finally {
      await runtime.stopPodSandbox({ podSandboxId });
      await runtime.removePodSandbox({ podSandboxId });
    }
  });

  it("fetches once what several pulls want at the same time, whoever of them gives up", async () => {
    const shared = [1, 2].map((part) => [{ name: `part-${part}`, data: noise(`shared ${part}`, 400_000) }]);
    const layers = await Promise.all(
      [1, 2, 3, 4, 5].map(async (number) => {
        const own = [{ name: `own-${number}`, data: noise(`own ${number}`, 1000) }];
        return (await images.add(`many:${number}`, { layers: [...shared, own] })).layers;
      }),
    );
    images.forget();
    // Until all of them are under way, nobody gets a layer.
    let asked = 0;
    const { promise: allAsked, resolve } = Promise.withResolvers<void>();
    images.intercept = async ({ method, url }) => {
      if (method === "HEAD" && ++asked === 5) resolve();
      if (method === "GET" && url.includes("/blobs/")) await allAsked;
      return undefined;
    };
    const leaving = new AbortController();
    const gone = dray.cri.images.pullImage(
      { image: { image: `${images.host}/many:1` } },
      { signal: leaving.signal },
    );
    void allAsked.then(() => leaving.abort());
    const staying = [2, 3, 4, 5].map((number) => pull(dray.cri, `${images.host}/many:${number}`));
    await assert.rejects(gone);
    const ids = await Promise.all(staying);
    images.intercept = () => undefined;
    const [first = [], ...others] = layers;
    for (const digest of new Set([...first.slice(0, 2), ...others.flat()])) {
      assert.equal(images.fetched.filter((one) => one === digest).length, 1, digest);
    }
    for (const id of ids) {
      assert.equal((await containerd.cri.images.imageStatus({ image: { image: id } })).image?.id, id);
      await remove(dray.cri, id);
    }
    // The one that was given up is gone on with.
    await remove(dray.cri, await pull(dray.cri, `${images.host}/many:1`));
    await eventually(async () => assert.deepEqual(await containerd.leftovers(), []));
  });

  it("leaves containerd as its own pulls would, after every step of a life of images", async () => {
    await using other = await startContainerd(join(folder, "b"), { sandbox });
    await remove(dray.cri, sandbox);
    for (const { id } of (await dray.cri.images.listImages({})).images) await remove(dray.cri, id);
    const shared = [{ name: "shared", data: noise("shared", 50_000) }];
    const same = [{ name: "own", data: "a" }];
    const { digest } = await images.add("team/one:1", { layers: [shared, same], config: { User: "7:8" } });
    await images.add("team/two:1", {
      layers: [shared, [{ name: "own", data: "b" }]],
      config: { User: "app" },
    });
    await images.add("three:1", { layers: [shared, same, same], config: { Labels: { a: "b" } } });
    images.addIndex("multi:1", digest);
    const host = images.host;
    const one = `${host}/team/one`;
    const moved = async (): Promise<unknown> =>
      await images.add("team/one:1", { layers: [shared, [{ name: "own", data: "newer" }]] });
    type Step = readonly [string, (cri: CriClient) => Promise<unknown>];
    const step = (text: string, act: (cri: CriClient) => Promise<unknown>): Step => [text, act];
    const steps: readonly (Step | (() => Promise<unknown>))[] = [
      step("pull one", (cri) => pull(cri, `${one}:1`)),
      step("pull it again", (cri) => pull(cri, `${one}:1`)),
      step("pull two, which shares a layer", (cri) => pull(cri, `${host}/team/two:1`)),
      step("pull three, which has one layer twice", (cri) => pull(cri, `${host}/three:1`)),
      step("pull by digest", (cri) => pull(cri, `${one}@${digest}`)),
      step("pull by tag and digest", (cri) => pull(cri, `${one}:1@${digest}`)),
      step("pull an index of it", (cri) => pull(cri, `${host}/multi:1`)),
      moved,
      step("pull the tag that moved", (cri) => pull(cri, `${one}:1`)),
      step("remove two by tag", (cri) => remove(cri, `${host}/team/two:1`)),
      step("pull two again", (cri) => pull(cri, `${host}/team/two:1`)),
      step("remove what had the tag, by digest", (cri) => remove(cri, `${one}@${digest}`)),
      step("remove it once more", (cri) => remove(cri, `${one}@${digest}`)),
      step("remove three", (cri) => remove(cri, `${host}/three:1`)),
      step("pull three again", (cri) => pull(cri, `${host}/three:1`)),
      step("pull the sandbox image", (cri) => pull(cri, sandbox)),
    ];
    const names = [
      `${one}:1`,
      `${one}@${digest}`,
      `${host}/team/two:1`,
      `${host}/three:1`,
      `${host}/multi:1`,
    ];
    for (const entry of steps) {
      if (typeof entry === "function") {
        await entry();
        continue;
      }
      const [text, act] = entry;
      const mine = await act(dray.cri);
      assert.deepEqual(mine, await act(other.cri), text);
      assert.deepEqual(await answers(dray.cri, names), await answers(other.cri, names), text);
      await eventually(async () => assert.deepEqual(await containerd.dump(), await other.dump(), text));
      await eventually(async () =>
        assert.deepEqual(await answers(containerd.cri, names), await answers(other.cri, names), text),
      );
    }
    const [usage] = (await dray.cri.images.imageFsInfo({})).imageFilesystems;
    assert.ok((usage?.usedBytes?.value ?? 0n) > 50_000n && (usage?.inodesUsed?.value ?? 0n) > 3n);
    assert.match(usage?.fsId?.mountpoint ?? "", /a\/root\/io\.containerd\.snapshotter\.v1\.overlayfs$/);
  });
});
