/** An image made a folder of files: out of a layout beside tar, and out of a registry beside containerd. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import { type Bench, costTable, dray, megabytes, seed, startPeerRegistry } from "./bench.ts";
import { type BenchImage, LARGE, MEDIUM, prepareImage } from "./images.ts";
import { compare, type Contestant, type Cost } from "./measure.ts";
import { containerd } from "./transfers.ts";

export async function benchUnpack(bench: Bench): Promise<void> {
  bench.say("Preparing the medium image");
  const image = await prepareImage(bench.cache, "medium", MEDIUM);
  bench.say(`Unpacking ${megabytes(image.size)} in ${image.layers.length} layers`);
  const local = await compare(
    [unpack(bench, "dray", `oci:${image.folder}:bench`), tar(bench, image)],
    bench.rounds,
    bench.say,
  );
  bench.tables.push(costTable("Unpacking 182 MB from a layout", local));
  report(bench, "unpack 182 MB, from a layout", local, { peer: "tar xzf", atMost: 1 });

  await pullAndUnpack(bench, "medium", image, bench.rounds);
}

/** A section of its own: containerd takes minutes for it where others work, too. */
export async function benchUnpackLarge(bench: Bench): Promise<void> {
  bench.say("Preparing the large image");
  const image = await prepareImage(bench.cache, "large", LARGE);
  await pullAndUnpack(bench, "large", image, Math.max(1, Math.floor(bench.rounds / 2)));
}

async function pullAndUnpack(bench: Bench, name: string, image: BenchImage, rounds: number): Promise<void> {
  const what = `pull and unpack ${megabytes(image.size)}`;
  bench.say(`To ${what}`);
  await using registry = await startPeerRegistry(bench, `unpack-${name}`);
  const there = `${registry.host}/bench/${name}:bench`;
  await seed(image.folder, there);
  const costs = await compare(
    [
      unpack(bench, "dray", there),
      { ...containerd(bench, there, ["images", "pull"]), name: "ctr images pull" },
    ],
    rounds,
    bench.say,
  );
  bench.tables.push(costTable(`To ${what}, from docker-registry`, costs));
  report(bench, what, costs, { peer: "ctr images pull", atMost: 0.5 });
  const memory = costs.get("dray")?.memory ?? Number.NaN;
  bench.results.push({
    what: `${what}, peak memory`,
    dray: megabytes(memory),
    peer: megabytes(costs.get("ctr images pull")?.memory ?? Number.NaN),
    ratio: memory / 1e6,
    unit: "MB",
    goal: { atMost: 200 },
  });
}

function unpack(bench: Bench, name: string, image: string): Contestant {
  const place = (round: number): string => join(bench.folder, `unpacked-${round}`);
  return {
    name,
    command: (round) => dray(bench, "unpack", "--quiet", image, place(round)),
    finish: (round) => rmSync(place(round), { recursive: true, force: true }),
  };
}

/** One layer after the other, as the manifest has them. */
function tar(bench: Bench, { folder, layers }: BenchImage): Contestant {
  const place = (round: number): string => join(bench.folder, `untarred-${round}`);
  const files = layers.map(({ digest }) => join(folder, "blobs", ...digest.split(":")));
  // Counts nothing but what is there.
  for (const file of files) readFileSync(file);
  return {
    name: "tar xzf",
    command: (round) => [
      "sh",
      "-c",
      'mkdir "$0" && for layer in "$@"; do tar -C "$0" -xzf "$layer" || exit 1; done',
      place(round),
      ...files,
    ],
    finish: (round) => rmSync(place(round), { recursive: true, force: true }),
  };
}

function report(
  bench: Bench,
  what: string,
  costs: ReadonlyMap<string, Cost>,
  { peer, atMost }: { readonly peer: string; readonly atMost: number },
): void {
  const [mine = Number.NaN, theirs = Number.NaN] = ["dray", peer].map((name) => costs.get(name)?.wall);
  bench.results.push({
    what,
    dray: `${mine.toFixed(2)} s`,
    peer: `${peer} ${theirs.toFixed(2)} s`,
    ratio: mine / theirs,
    unit: "×",
    goal: { atMost },
  });
}
