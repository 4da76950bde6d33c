/** Cold processes that move an image: pull into a store, push, copy from registry to registry. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { start, type Started } from "../test/processes.ts";
import {
  type Bench,
  costTable,
  dray,
  fastestPeer,
  megabytes,
  type RunningRegistry,
  type Result,
  seed,
  startPeerRegistry,
} from "./bench.ts";
import { type BenchImage, type ImageSize, LARGE, MEDIUM, prepareImage } from "./images.ts";
import { compare, type Contestant, type Cost, peer, readUsage } from "./measure.ts";

export async function benchPull(bench: Bench): Promise<void> {
  const medium = await pull(bench, "medium", MEDIUM, bench.rounds);
  bench.results.push({ ...medium.wall, goal: { atMost: 1 } }, { ...medium.memory, goal: { atMost: 120 } });
}

export async function benchPullLarge(bench: Bench): Promise<void> {
  const large = await pull(bench, "large", LARGE, Math.max(1, Math.floor(bench.rounds / 2)));
  bench.results.push({ ...large.wall, goal: { atMost: 0.8 } }, { ...large.memory, goal: { atMost: 120 } });
}

async function pull(
  bench: Bench,
  name: string,
  size: ImageSize,
  rounds: number,
): Promise<Readonly<Record<"wall" | "memory", Omit<Result, "goal">>>> {
  const image = await prepare(bench, name, size);
  await using registry = await startPeerRegistry(bench, `pull-${name}`);
  const there = `${registry.host}/bench/${name}:bench`;
  await seed(image.folder, there);
  bench.say(`Pulling ${megabytes(image.size)} in ${image.layers.length} layers`);
  const place = (round: number, who: string): string => join(bench.folder, `${who}-${round}`);
  const clean = (who: string) => (round: number) =>
    rmSync(place(round, who), { recursive: true, force: true });
  const contestants: Contestant[] = [
    {
      name: "dray",
      command: (round) => dray(bench, "pull", "--quiet", "--data-dir", place(round, "dray"), there),
      finish: clean("dray"),
    },
    {
      name: "crane",
      command: (round) => [peer("crane"), "pull", "--insecure", "--format=oci", there, place(round, "crane")],
      finish: clean("crane"),
    },
    {
      name: "oras",
      command: (round) => [
        peer("oras"),
        ..."cp --no-tty --from-plain-http --to-oci-layout".split(" "),
        there,
        `${place(round, "oras")}:bench`,
      ],
      finish: clean("oras"),
    },
    {
      name: "skopeo",
      command: (round) => [
        peer("skopeo"),
        ..."copy --quiet --src-tls-verify=false".split(" "),
        `docker://${there}`,
        `oci:${place(round, "skopeo")}:bench`,
      ],
      finish: clean("skopeo"),
    },
    containerd(bench, there),
  ];
  const costs = await compare(contestants, rounds, bench.say);
  bench.tables.push(costTable(`Pull of ${megabytes(image.size)} into a store, cold process`, costs));
  const [fastest, cost] = fastestPeer(costs);
  const mine = costs.get("dray") ?? cost;
  const what = `pull of ${megabytes(image.size)}`;
  return {
    wall: {
      what: `${what}, wall`,
      dray: `${mine.wall.toFixed(2)} s`,
      peer: `${fastest} ${cost.wall.toFixed(2)} s`,
      ratio: mine.wall / cost.wall,
      unit: "×",
    },
    memory: {
      what: `${what}, peak memory`,
      dray: megabytes(mine.memory),
      peer: `${fastest} ${megabytes(cost.memory)}`,
      ratio: mine.memory / 1e6,
      unit: "MB",
    },
  };
}

/** A daemon fetches on `ctr`'s behalf, so what it takes counts too; it starts afresh, and empty, for every round. */
export function containerd(
  bench: Bench,
  image: string,
  verb: readonly string[] = ["content", "fetch"],
): Contestant {
  let daemon: Started | undefined;
  let before = 0;
  const folder = (round: number): string => join(bench.folder, `ctr-${round}`);
  const socket = (round: number): string => join(folder(round), "c.sock");
  return {
    name: "ctr",
    prepare: async (round) => {
      mkdirSync(folder(round), { recursive: true });
      const config = join(folder(round), "config.toml");
      const lines = [
        "version = 2",
        `root = ${JSON.stringify(join(folder(round), "root"))}`,
        `state = ${JSON.stringify(join(folder(round), "state"))}`,
        'disabled_plugins = ["io.containerd.grpc.v1.cri", "io.containerd.internal.v1.opt"]',
        `[grpc]\n  address = ${JSON.stringify(socket(round))}`,
        `[ttrpc]\n  address = ${JSON.stringify(`${socket(round)}.ttrpc`)}`,
      ];
      writeFileSync(config, `${lines.join("\n")}\n`);
      daemon = start(peer("containerd"), ["--config", config]);
      await daemon.waitFor(/containerd successfully booted/);
      before = readUsage(daemon.pid).cpu;
    },
    command: (round) => [peer("ctr"), "--address", socket(round), ...verb, "--plain-http", image],
    finish: async (round, cost): Promise<Cost> => {
      const usage = readUsage(daemon?.pid ?? -1);
      await daemon?.stop();
      rmSync(folder(round), { recursive: true, force: true });
      return { wall: cost.wall, cpu: cost.cpu + usage.cpu - before, memory: cost.memory + usage.memory };
    },
  };
}

export async function benchPush(bench: Bench): Promise<void> {
  const image = await prepare(bench, "medium", MEDIUM);
  bench.say(`Pushing ${megabytes(image.size)}`);
  const costs = await compare(
    [
      intoEmptyRegistry(bench, "dray", (to) =>
        dray(bench, "copy", "--quiet", `oci:${image.folder}:bench`, to),
      ),
      intoEmptyRegistry(bench, "crane", (to) => [peer("crane"), "push", "--insecure", image.folder, to]),
    ],
    bench.rounds,
    bench.say,
  );
  bench.tables.push(costTable(`Push of ${megabytes(image.size)} from an OCI layout`, costs));
  pushWall(bench, `push of ${megabytes(image.size)}, wall`, costs);
}

export async function benchCopy(bench: Bench): Promise<void> {
  const image = await prepare(bench, "medium", MEDIUM);
  await using source = await startPeerRegistry(bench, "copy-from");
  const from = `${source.host}/bench/medium:bench`;
  await seed(image.folder, from);
  bench.say(`Copying ${megabytes(image.size)} from registry to registry`);
  const skopeo = [
    "copy",
    "--quiet",
    "--src-tls-verify=false",
    "--dest-tls-verify=false",
    `docker://${from}`,
  ] as const;
  const costs = await compare(
    [
      intoEmptyRegistry(bench, "dray", (to) => dray(bench, "copy", "--quiet", from, to)),
      intoEmptyRegistry(bench, "skopeo", (to) => [peer("skopeo"), ...skopeo, `docker://${to}`]),
      intoEmptyRegistry(bench, "crane", (to) => [peer("crane"), "copy", "--insecure", from, to]),
    ],
    bench.rounds,
    bench.say,
  );
  bench.tables.push(costTable(`Copy of ${megabytes(image.size)} from registry to registry`, costs));
  pushWall(bench, `copy of ${megabytes(image.size)} between registries, wall`, costs, "skopeo");
}

/** An empty registry for every round: nothing is there already, and no client remembers what could be mounted. */
function intoEmptyRegistry(
  bench: Bench,
  name: string,
  command: (to: string) => readonly [string, ...string[]],
): Contestant {
  let registry: RunningRegistry | undefined;
  const folder = (round: number): string => `target-${name}-${round}`;
  return {
    name,
    prepare: async (round) => {
      registry = await startPeerRegistry(bench, folder(round));
    },
    command: () => command(`${registry?.host}/bench/medium:bench`),
    finish: async (round) => {
      await registry?.[Symbol.asyncDispose]();
      rmSync(join(bench.folder, folder(round)), { recursive: true, force: true });
    },
  };
}

/** Against the goal's own peer, or whoever was fastest. */
function pushWall(bench: Bench, what: string, costs: ReadonlyMap<string, Cost>, against?: string): void {
  const [name, cost] = fastestPeer(costs, against);
  const mine = costs.get("dray") ?? cost;
  bench.results.push({
    what,
    dray: `${mine.wall.toFixed(2)} s`,
    peer: `${name} ${cost.wall.toFixed(2)} s`,
    ratio: mine.wall / cost.wall,
    unit: "×",
    goal: { atMost: 1 },
  });
}

async function prepare(bench: Bench, name: string, size: ImageSize): Promise<BenchImage> {
  bench.say(`Preparing the ${name} image`);
  return await prepareImage(bench.cache, name, size);
}
