/**
 * What containerd's own CRI was recorded to answer, `dray cri` answers over a real containerd. Nothing is told apart
 * but what the replay of every backend leaves out: sentences, for which codes and facts stand, times and folders.
 */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { fileURLToPath } from "node:url";

import { openContainerd } from "../../src/cri/containerd/connection.ts";
import { unlessExists } from "../../src/cri/containerd/failures.ts";
import { chainId } from "../../src/cri/describe-image.ts";
import { ContainerdBackend } from "../../src/cri/index.ts";
import type { OpenBackend } from "../traces/cri/lab.ts";
import { readCriRecordings } from "../traces/cri/recording.ts";
import { replayCri } from "../traces/cri/replay.ts";
import type { RecordedImage } from "../traces/recording.ts";
import { type Containerd, startContainerd } from "./containerd.ts";
import { missingPeers } from "./peers.ts";

const RECORDINGS = fileURLToPath(new URL("../traces/cri/recordings/", import.meta.url));

const skip = process.getuid?.() === 0 ? missingPeers("containerd") : "containerd needs root";

describe("recordings of containerd's CRI, over containerd", { skip, timeout: 300_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "dt-"));
  let containerd: Containerd;

  before(async () => {
    containerd = await startContainerd(folder);
  });
  after(async () => {
    await containerd[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true, force: true });
  });

  const address = join(folder, "containerd.sock");

  it("are answered alike", async (t) => {
    let replayed = 0;
    for await (const recording of readCriRecordings(RECORDINGS)) {
      replayed++;
      await t.test(`${recording.id}: ${recording.title}`, async () => {
        // Images, content and snapshots of one namespace are nothing to the others.
        const namespace = recording.id;
        const open: OpenBackend = async (parts, { registry }) => {
          await unpackNothing(namespace, registry.images);
          return await ContainerdBackend.open({ ...parts, address, namespace });
        };
        assert.deepEqual(await replayCri(recording, open), []);
      });
    }
    assert.equal(replayed, (await readdir(RECORDINGS)).length);
  });

  /** The recordings tell of layers without having them: they are here, unpacked and empty. */
  async function unpackNothing(namespace: string, images: readonly RecordedImage[]): Promise<void> {
    using connection = openContainerd(address, namespace);
    const { snapshots, call } = connection;
    const [snapshotter, labels] = ["overlayfs", { "containerd.io/gc.root": "kept" }];
    for (const { configText } of images.flatMap((image) => [image, ...(image.manifests ?? [])])) {
      if (configText === undefined) continue;
      const { rootfs } = JSON.parse(configText) as {
        readonly rootfs: { readonly diff_ids: readonly string[] };
      };
      for (const [index, last] of rootfs.diff_ids.entries()) {
        const [parent, name] = [index, index + 1].map((count) => chainId(rootfs.diff_ids.slice(0, count)));
        const key = `empty ${name} ${last}`;
        if (
          !(await unlessExists(snapshots.prepare({ snapshotter, key, parent: parent ?? "", labels }, call())))
        )
          continue;
        if (!(await unlessExists(snapshots.commit({ snapshotter, key, name: name ?? "", labels }, call()))))
          await snapshots.remove({ snapshotter, key }, call());
      }
    }
  }
});
