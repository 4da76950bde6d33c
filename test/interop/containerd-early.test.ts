/** A big layer is unpacked while it comes; nothing of it counts before containerd has verified it. */
import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, describe, it } from "node:test";

import { ConnectError } from "@connectrpc/connect";

import { openContainerd } from "../../src/cri/containerd/connection.ts";
import { Ingest } from "../../src/cri/containerd/ingest.ts";
import { CODE_TRAILER } from "../../src/cri/index.ts";
import {
  type Dray,
  eventually,
  type LabContainerd,
  LabImages,
  noise,
  startContainerd,
  startDray,
} from "./containerd-lab.ts";
import { missingPeers } from "./peers.ts";

const skip = process.getuid?.() === 0 ? missingPeers("containerd") : "containerd needs root";

/** Bytes that come at first. */
const FIRST = 20_000_000;

describe("dray cri over containerd, with a big layer", { skip, timeout: 300_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "de-"));
  const data = noise("big", 26_000_000);
  const big = [
    { name: "early", data: "as it comes" },
    { name: "data", data },
  ];
  let images: LabImages;
  let containerd: LabContainerd;
  let dray: Dray;
  let layer: string;
  /** Whatever a test holds back. */
  let letGo = (): void => {};

  before(async () => {
    images = await LabImages.start();
    containerd = await startContainerd(join(folder, "c"), { sandbox: "none:1" });
    mkdirSync(join(folder, "d"));
    dray = await startDray(join(folder, "d"), containerd.socket);
    [layer = ""] = (await images.add("big:1", { layers: [big] })).layers;
    await images.add("big:2", { layers: [big, [{ name: "more", data: "of the second" }]] });
  });
  afterEach(async () => {
    letGo();
    images.intercept = () => undefined;
    images.forget();
    for (const { id } of (await dray.cri.images.listImages({})).images) {
      await dray.cri.images.removeImage({ image: { image: id } });
    }
  });
  after(async () => {
    await dray[Symbol.asyncDispose]();
    await containerd[Symbol.asyncDispose]();
    await images[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const pull = async (name: string, options: { readonly signal?: AbortSignal } = {}): Promise<string> =>
    (await dray.cri.images.pullImage({ image: { image: `${images.host}/${name}` } }, options)).imageRef;

  /** Files of this name in all snapshots, finished or not. */
  function unpacked(name: string): readonly string[] {
    const snapshots = join(folder, "c", "root", "io.containerd.snapshotter.v1.overlayfs", "snapshots");
    const all = existsSync(snapshots) ? readdirSync(snapshots) : [];
    return all.map((number) => join(snapshots, number, "fs", name)).filter((file) => existsSync(file));
  }

  /** The first part comes at once, the rest when it is let go. */
  function holdBack(first: () => Buffer | Uint8Array | string | undefined): {
    readonly release: () => void;
    readonly held: Promise<void>;
  } {
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const { promise: held, resolve: holding } = Promise.withResolvers<void>();
    letGo = release;
    images.intercept = async ({ method, url, headers }) => {
      if (method !== "GET" || !url.endsWith(layer)) return undefined;
      if (headers["range"] === undefined)
        return { ...images.serve(layer), body: first() ?? "", cutAfter: FIRST };
      holding();
      await released;
      return undefined;
    };
    return { release, held };
  }

  const right = (): Buffer | Uint8Array | string | undefined => images.serve(layer).body;

  it("has its first files before its last bytes have come", async () => {
    const { release, held } = holdBack(right);
    const pulling = pull("big:1");
    await held;
    await eventually(async () => assert.equal(unpacked("early").length, 1));
    const early = unpacked("early");
    assert.deepEqual((await containerd.dump()).images, []);
    assert.deepEqual(
      (await containerd.dump()).snapshots.filter((line) => line.startsWith("sha256:")),
      [],
      "no snapshot is finished",
    );
    release();
    const id = await pulling;
    assert.equal((await containerd.cri.images.imageStatus({ image: { image: id } })).image?.id, id);
    const [file = ""] = unpacked("data");
    assert.ok(readFileSync(file).equals(data));
    assert.deepEqual(unpacked("early"), early, "it is the same snapshot still");
    assert.deepEqual(await containerd.leftovers(), []);
  });

  it("is undone when it turns out to be another, and comes whole the next time", async () => {
    const { release, held } = holdBack(right);
    const forged = Buffer.from(right() as Uint8Array);
    forged.fill(7, FIRST + 1_000_000, FIRST + 1_001_000);
    const rest = images.intercept;
    images.intercept = async (request) => {
      const reply = await rest(request);
      const from = Number(/[0-9]+/.exec(request.headers["range"] ?? "")?.[0] ?? 0);
      if (reply !== undefined || from === 0 || !request.url.endsWith(layer)) return reply;
      const range = `bytes ${from}-${forged.length - 1}/${forged.length}`;
      return { status: 206, headers: { "content-range": range }, body: forged.subarray(from) };
    };
    const pulling = pull("big:1");
    await held;
    await eventually(async () => assert.equal(unpacked("early").length, 1));
    release();
    await assert.rejects(pulling, (error) => {
      assert.equal(ConnectError.from(error).metadata.get(CODE_TRAILER), "DIGEST_INVALID");
      return true;
    });
    await eventually(async () => assert.deepEqual(unpacked("early"), []));
    images.intercept = () => undefined;
    await pull("big:1");
    assert.deepEqual(await containerd.leftovers(), []);
  });

  it("begins again when what an earlier pull left of it was wrong", async () => {
    const forged = Buffer.from(right() as Uint8Array);
    forged.fill(7, 1_000_000, 1_001_000);
    const { held } = holdBack(() => forged);
    const leaving = new AbortController();
    const cut = pull("big:1", leaving);
    await held;
    leaving.abort();
    await assert.rejects(cut);
    images.intercept = () => undefined;
    await pull("big:1");
    const [file = ""] = unpacked("data");
    assert.ok(readFileSync(file).equals(data));
    assert.deepEqual(await containerd.leftovers(), []);
  });

  it("comes once for two pulls, whoever of them goes", async () => {
    const { release, held } = holdBack(right);
    const leaving = new AbortController();
    const gone = pull("big:1", leaving);
    await held;
    await eventually(async () => assert.equal(unpacked("early").length, 1));
    const staying = pull("big:2");
    // It waits for the layer, too, when it has everything else.
    const [, own = ""] = (
      await images.add("big:2", { layers: [big, [{ name: "more", data: "of the second" }]] })
    ).layers;
    await eventually(async () => assert.ok(images.fetched.includes(own)));
    leaving.abort();
    await assert.rejects(gone);
    release();
    await staying;
    assert.equal(unpacked("data").length, 1);
    assert.equal(images.ranges(layer).length, 2, "one request, and one for the rest");
    assert.deepEqual(
      (await containerd.leftovers()).filter((line) => !line.startsWith("lease")),
      [],
    );
  });

  it("is waited for while somebody else writes it, which shows, and goes on where they stop", async () => {
    using connection = openContainerd(containerd.socket, "k8s.io");
    // One that no other pull here wanted: what is left of a pull that was given up keeps its layers for a while.
    const layers = [[{ name: "theirs", data: noise("theirs", 26_000_000) }]];
    const [digest = ""] = (await images.add("theirs:1", { layers })).layers;
    const bytes = images.serve(digest).body as Buffer;
    const target = { ref: `layer-${digest}`, digest, size: bytes.length };
    const theirs = await Ingest.open(connection, target, {});
    await theirs.write(bytes.subarray(0, 4 * 512 * 1024));
    const ours = pull("theirs:1");
    const stopped = ours.then(() => assert.fail("it didn't wait"));
    stopped.catch(() => {});
    const shows = eventually(async () => {
      const seen: (readonly [string, bigint])[] = [];
      for await (const { pull: report } of dray.cri.pulls.watch({})) {
        for (const content of report?.contents ?? []) {
          if (content.digest === digest) seen.push([content.phase, content.bytes]);
        }
      }
      assert.deepEqual(seen, [["awaited", BigInt(4 * 512 * 1024)]]);
    });
    try {
      await Promise.race([stopped, shows]);
    } finally {
      await theirs[Symbol.asyncDispose]();
    }
    await ours;
    assert.deepEqual(images.ranges(digest), [`bytes=${4 * 512 * 1024}-`]);
  });
});
