/** `dray cri` is killed at a hundred moments of its pulls into containerd: nothing is left lying, and nothing comes twice. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, it } from "node:test";

import { openContainerd } from "../../src/cri/containerd/connection.ts";
import { unlessMissing } from "../../src/cri/containerd/failures.ts";
import { eventually, LabImages, noise, startContainerd, startDray } from "./containerd-lab.ts";
import { missingPeers } from "./peers.ts";

const LANES = 4;
const KILLS = 100;
/** A pull asks for its name, its manifest, its config and four layers; one request more is never made. */
const REQUESTS = 8;
/** Milliseconds that each answer takes at least, so that kills hit every part of a pull. */
const ANSWER = 20;

const skip = process.getuid?.() === 0 ? missingPeers("containerd") : "containerd needs root";

describe("dray cri over containerd, killed", { skip, timeout: 590_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), "dk-"));
  after(() => rmSync(folder, { recursive: true, force: true }));

  it(`goes on after each of ${KILLS} kills`, async () => {
    const seed = Number(process.env["SEED"] ?? 6);
    const lanes = Array.from({ length: LANES }, (_, lane) => killAgain(seed + lane, join(folder, `${lane}`)));
    const cuts = (await Promise.all(lanes)).flat();
    assert.equal(cuts.length, KILLS);
    const halfway = cuts.filter(({ here, named }) => here > 0 && !named).length;
    assert.ok(halfway >= KILLS / 10, `only ${halfway} kills found a pull halfway, seed ${seed}`);
  });

  interface Cut {
    /** Contents that were complete when the process was killed. */
    readonly here: number;
    readonly named: boolean;
  }

  async function killAgain(seed: number, place: string): Promise<readonly Cut[]> {
    const random = randomNumbers(seed);
    await using images = await LabImages.start();
    mkdirSync(join(place, "d"), { recursive: true });
    await using containerd = await startContainerd(join(place, "c"), { sandbox: "none:1" });
    using connection = openContainerd(containerd.socket, "k8s.io");
    const layers = Array.from({ length: 4 }, (_, index) => [
      { name: `file-${index}`, data: noise(`${seed} ${index}`, 200_000 + index * 400_000) },
    ]);
    const { digest, layers: digests } = await images.add("cut:1", { layers });
    const name = `${images.host}/cut:1`;
    const pause = async (length: number): Promise<void> =>
      await new Promise((resolve) => setTimeout(resolve, length));
    let [asked, last, reached] = [0, 0, (): void => {}];
    images.intercept = async ({ method }) => {
      if (++asked === last) reached();
      if (method === "GET") await pause(ANSWER);
      return undefined;
    };

    const contents = async (): Promise<readonly string[]> => {
      const found = await Promise.all(
        [digest, ...digests].map((one) =>
          unlessMissing(connection.content.info({ digest: one }, connection.call())),
        ),
      );
      return found.flatMap((answer) => answer?.info?.digest ?? []);
    };

    const cuts: Cut[] = [];
    let here: readonly string[] = [];
    const image = { image: { image: name } };
    let dray = await startDray(join(place, "d"), containerd.socket);
    // What is killed keeps no compiled code; one that ends in order does, for all that follow.
    await dray.cri.images.pullImage(image);
    await dray.cri.images.removeImage(image);
    await dray[Symbol.asyncDispose]();
    dray = await startDray(join(place, "d"), containerd.socket);
    while (cuts.length < KILLS / LANES) {
      images.forget();
      // By how far it is, not by the clock: a machine may be busy.
      const { promise: moment, resolve } = Promise.withResolvers<void>();
      [asked, last, reached] = [0, 1 + Math.floor(random() * REQUESTS), resolve];
      const afterwards = random() * ANSWER * 2;
      const pulling = dray.cri.images.pullImage(image).catch(() => {});
      await Promise.race([pulling, moment.then(() => pause(afterwards))]);
      await dray.process.stop("SIGKILL");
      dray.cri[Symbol.dispose]();
      assertNotAgain(here, images.fetched);
      here = await contents();
      const { images: listed } = await connection.images.list({}, connection.call());
      cuts.push({ here: here.length, named: listed.length > 0 });
      dray = await startDray(join(place, "d"), containerd.socket);
      const isLast = cuts.length === KILLS / LANES;
      if (random() < 0.6 && listed.length === 0 && !isLast) continue;

      images.forget();
      await dray.cri.images.pullImage(image);
      assertNotAgain(here, images.fetched);
      assert.deepEqual(await containerd.leftovers(), [], `after kill ${cuts.length}, seed ${seed}`);
      await dray.cri.images.removeImage(image);
      here = await contents();
      assert.deepEqual(here, [], "all of it goes with the image");
      assert.deepEqual(await containerd.dump(), { images: [], content: [], snapshots: [] });
    }
    await dray[Symbol.asyncDispose]();
    assert.deepEqual(await containerd.leftovers(), []);
    const store = join(place, "c", "root", "io.containerd.content.v1.content");
    await eventually(async () => assert.deepEqual(readdirSync(join(store, "ingest")), []));
    return cuts;
  }
});

function assertNotAgain(here: readonly string[], fetched: readonly string[]): void {
  const again = here.filter((digest) => fetched.includes(digest));
  assert.deepEqual(again, [], "what was there was fetched again");
}

/** Mulberry32: the same moments for the same seed. */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
