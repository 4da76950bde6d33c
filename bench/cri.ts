/**
 * Pulls over the CRI as a kubelet makes them: fetched and unpacked, cold. containerd's own against `dray cri` over a
 * containerd of its own, and against `dray unpack`, which keeps no containerd.
 */
import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";

import { openCriClient } from "../src/cri/index.ts";
import { type LabContainerd, makeTar, noise, startContainerd } from "../test/interop/containerd-lab.ts";
import { start, type Started } from "../test/processes.ts";
import { type Bench, costTable, dray, megabytes, type Result, seed, startPeerRegistry } from "./bench.ts";
import { type BenchImage, type ImageSize, LARGE, MEDIUM, prepareImage } from "./images.ts";
import { type Cost, formatCost, median, readUsage, runOnce } from "./measure.ts";

/** Images that share layers, all pulled at once. */
const IMAGES = 20;
const SHARED_LAYERS = 4;
const MEMORY_GOAL = 200;

export async function benchCri(bench: Bench): Promise<void> {
  await benchImage(bench, "medium", MEDIUM, bench.rounds);
  await benchMany(bench);
}

export async function benchCriLarge(bench: Bench): Promise<void> {
  await benchImage(bench, "large", LARGE, Math.max(1, Math.floor(bench.rounds / 2)));
}

async function benchImage(bench: Bench, name: string, size: ImageSize, rounds: number): Promise<void> {
  bench.say(`Preparing the ${name} image`);
  const image = await prepareImage(bench.cache, name, size);
  await using registry = await startPeerRegistry(bench, `cri-${name}`);
  const there = `${registry.host}/bench/${name}:bench`;
  await seed(image.folder, there);
  bench.say(`Pulling ${megabytes(image.size)} for containers to run`);
  const costs = await takeTurns(bench, rounds, {
    dray: (place) => throughDray(bench, place, [there]),
    containerd: (place) => throughContainerd(place, [there]),
    "dray unpack": (place) => {
      const folder = join(place, "files");
      return runOnce(dray(bench, "unpack", "--quiet", there, folder));
    },
  });
  const what = `${megabytes(image.size)} pulled and unpacked`;
  bench.tables.push(costTable(`Pull of ${what} over the CRI, cold`, costs));
  pushGoal(bench, `${what} into containerd, wall`, costs, "dray", 0.9);
  pushGoal(bench, `${what} by dray alone, wall`, costs, "dray unpack", 0.5);
  pushMemory(bench, `${what} into containerd, peak memory of dray`, costs);
}

async function benchMany(bench: Bench): Promise<void> {
  const image = await prepareImage(bench.cache, "medium", MEDIUM);
  await using registry = await startPeerRegistry(bench, "cri-many");
  const repository = `${registry.host}/bench/many`;
  await seed(image.folder, `${repository}:bench`);
  const names = await pushRelatives(image, repository);
  bench.say(`Pulling ${IMAGES} images that share ${SHARED_LAYERS} layers, all at once`);
  const costs = await takeTurns(bench, bench.rounds, {
    dray: (place) => throughDray(bench, place, names),
    containerd: (place) => throughContainerd(place, names),
  });
  const what = `${IMAGES} images sharing layers, pulled at once`;
  bench.tables.push(costTable(what, costs));
  pushGoal(bench, `${what}, wall`, costs, "dray", 0.9);
  pushMemory(bench, `${what}, peak memory of dray`, costs);
}

type Turn = (place: string) => Promise<Cost>;

/** As `compare` does: one round to warm up, then each in turn, every other round the other way about. */
async function takeTurns(
  bench: Bench,
  rounds: number,
  contestants: Readonly<Record<string, Turn>>,
): Promise<ReadonlyMap<string, Cost>> {
  const costs = new Map<string, Cost[]>(Object.keys(contestants).map((name) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    const order = Object.entries(contestants);
    for (const [name, turn] of round % 2 === 0 ? order : order.toReversed()) {
      const place = join(bench.folder, `turn-${round}`);
      mkdirSync(place, { recursive: true });
      const cost = await turn(place);
      rmSync(place, { recursive: true, force: true });
      if (round > 0) costs.get(name)?.push(cost);
      bench.say(`  ${round === 0 ? "warm-up" : `round ${round}`} ${name}: ${formatCost(cost)}`);
    }
  }
  const middle = (all: readonly Cost[], part: keyof Cost): number => median(all.map((cost) => cost[part]));
  return new Map(
    [...costs].map(([name, all]) => [
      name,
      { wall: middle(all, "wall"), cpu: middle(all, "cpu"), memory: middle(all, "memory") },
    ]),
  );
}

async function throughContainerd(place: string, images: readonly string[]): Promise<Cost> {
  await using containerd = await startContainerd(join(place, "c"), { sandbox: "none:1" });
  return await timePulls(containerd.socket, images, containerd, []);
}

async function throughDray(bench: Bench, place: string, images: readonly string[]): Promise<Cost> {
  await using containerd = await startContainerd(join(place, "c"), { sandbox: "none:1" });
  const socket = join(place, "d.sock");
  const [program, ...args] = dray(bench, "cri", "--containerd", containerd.socket, "--socket", socket);
  await using serving: Started = start(program, [...args, "--data-dir", join(place, "d")]);
  await serving.waitFor(/Serving the CRI/);
  return await timePulls(socket, images, containerd, [serving.pid]);
}

/** The memory is that of who serves the pulls, the time of processors that of all who take part. */
async function timePulls(
  socket: string,
  images: readonly string[],
  containerd: LabContainerd,
  helpers: readonly number[],
): Promise<Cost> {
  const used = (): number => [containerd.pid, ...helpers].reduce((sum, pid) => sum + readUsage(pid).cpu, 0);
  using client = openCriClient(socket);
  await client.runtime.version({});
  const before = used();
  const began = performance.now();
  await Promise.all(images.map((image) => client.images.pullImage({ image: { image } })));
  const wall = (performance.now() - began) / 1000;
  return { wall, cpu: used() - before, memory: readUsage(helpers[0] ?? containerd.pid).memory };
}

function pushGoal(
  bench: Bench,
  what: string,
  costs: ReadonlyMap<string, Cost>,
  who: string,
  atMost: number,
): void {
  const [mine, theirs] = [costs.get(who)?.wall ?? Number.NaN, costs.get("containerd")?.wall ?? Number.NaN];
  const result: Result = {
    what,
    dray: `${mine.toFixed(2)} s`,
    peer: `containerd ${theirs.toFixed(2)} s`,
    ratio: mine / theirs,
    unit: "×",
    goal: { atMost },
  };
  bench.results.push(result);
}

function pushMemory(bench: Bench, what: string, costs: ReadonlyMap<string, Cost>): void {
  const [mine, theirs] = [costs.get("dray")?.memory ?? 0, costs.get("containerd")?.memory ?? 0];
  bench.results.push({
    what,
    dray: megabytes(mine),
    peer: `containerd ${megabytes(theirs)}`,
    ratio: mine / 1e6,
    unit: "MB",
    goal: { atMost: MEMORY_GOAL },
  });
}

interface Pointer {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** Images of some of another's layers and one of their own, pushed beside it. Returns their names. */
async function pushRelatives(image: BenchImage, repository: string): Promise<readonly string[]> {
  const read = (digest: string): string =>
    readFileSync(join(image.folder, "blobs", ...digest.split(":")), "utf8");
  const index = JSON.parse(readFileSync(join(image.folder, "index.json"), "utf8")) as {
    readonly manifests: readonly Pointer[];
  };
  const manifest = JSON.parse(read(index.manifests[0]?.digest ?? "")) as {
    readonly mediaType: string;
    readonly config: Pointer;
    readonly layers: readonly Pointer[];
  };
  const config = JSON.parse(read(manifest.config.digest)) as {
    readonly rootfs: { readonly diff_ids: readonly string[] };
  };
  const [host = "", ...path] = repository.split("/");
  const base = `http://${host}/v2/${path.join("/")}`;
  const names: string[] = [];
  for (let number = 0; number < IMAGES; number++) {
    const plain = await makeTar([{ name: `own-${number}`, data: noise(`own ${number}`, 1_000_000) }]);
    const layer = await pushBlob(base, gzipSync(plain));
    const own = {
      ...config,
      history: [],
      rootfs: {
        type: "layers",
        diff_ids: [...config.rootfs.diff_ids.slice(0, SHARED_LAYERS), digestOf(plain)],
      },
    };
    const body = JSON.stringify({
      ...manifest,
      config: { ...manifest.config, ...(await pushBlob(base, Buffer.from(JSON.stringify(own)))) },
      layers: [
        ...manifest.layers.slice(0, SHARED_LAYERS),
        { mediaType: manifest.layers[0]?.mediaType, ...layer },
      ],
    });
    const headers = { "content-type": manifest.mediaType };
    await demand(fetch(`${base}/manifests/${number}`, { method: "PUT", headers, body }));
    names.push(`${repository}:${number}`);
  }
  return names;
}

async function pushBlob(base: string, bytes: Buffer): Promise<Omit<Pointer, "mediaType">> {
  const digest = digestOf(bytes);
  const begun = await demand(fetch(`${base}/blobs/uploads/`, { method: "POST" }));
  const location = new URL(begun.headers.get("location") ?? "", base);
  location.searchParams.set("digest", digest);
  await demand(fetch(location, { method: "PUT", body: new Uint8Array(bytes) }));
  return { digest, size: bytes.length };
}

async function demand(answer: Promise<Response>): Promise<Response> {
  const response = await answer;
  if (!response.ok) throw new Error(`Cannot push: ${response.url} answered ${response.status}`);
  return response;
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}
