/** An image made a folder of files: out of a layout beside tar, and out of a registry beside containerd. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

import { type Bench, costTable, dray, megabytes, seed, startPeerRegistry } from "./bench.ts";
import { type BenchImage, MEDIUM, prepareImage } from "./images.ts";
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

  await using registry = await startPeerRegistry(bench, "unpack");
  const there = `${registry.host}/bench/unpack:bench`;
  await seed(image.folder, there);
  const remote = await compare(
    [
      unpack(bench, "dray", there),
      { ...containerd(bench, there, ["images", "pull"]), name: "ctr images pull" },
    ],
    bench.rounds,
    bench.say,
  );
  bench.tables.push(costTable("Pulling and unpacking 182 MB from docker-registry", remote));
  report(bench, "pull and unpack 182 MB", remote, { peer: "ctr images pull", atMost: 0.5 });
  const memory = remote.get("dray")?.memory ?? Number.NaN;
  bench.results.push({
    what: "peak memory of that",
    dray: megabytes(memory),
    peer: megabytes(remote.get("ctr images pull")?.memory ?? Number.NaN),
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
