/** dray's registry beside docker-registry: the same requests to both, in turn. */
import { statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";

import { run } from "../test/processes.ts";
import {
  type Bench,
  megabytes,
  type RunningRegistry,
  seed,
  startDrayRegistry,
  startPeerRegistry,
} from "./bench.ts";
import { MEDIUM, prepareImage } from "./images.ts";
import { median, peer, readUsage } from "./measure.ts";

const MANIFEST_TYPES = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json";
const SECONDS = 3;
/** One upload of an image takes less than half a second: more of them cost little and say more. */
const UPLOAD_ROUNDS = 10;

type Pair = Readonly<Record<"dray" | "docker-registry", number>>;

export async function benchRegistry(bench: Bench): Promise<void> {
  bench.say("Preparing the medium image");
  const image = await prepareImage(bench.cache, "medium", MEDIUM);
  await using mine = await startDrayRegistry(bench, "registry-dray");
  await using theirs = await startPeerRegistry(bench, "registry-peer");
  const registries = { dray: mine, "docker-registry": theirs };
  for (const { host } of [mine, theirs]) await seed(image.folder, `${host}/bench/medium:bench`);
  const largest = image.layers.toSorted((a, b) => b.size - a.size)[0];
  if (largest === undefined) throw new Error("Cannot measure: the image has no layers");

  const requests = async (host: string, connections: number): Promise<number> =>
    await wrk(`http://${host}/v2/bench/medium/manifests/bench`, connections, /Requests\/sec:\s+([\d.]+)/);
  for (const connections of [1, 16]) {
    const rates = await inTurn(bench, registries, async ({ host }) => await requests(host, connections));
    report(
      bench,
      `manifest by tag, ${connections} connection${connections === 1 ? "" : "s"}`,
      rates,
      "/s",
      15,
    );
  }

  const blob = async (host: string, connections: number): Promise<number> =>
    await wrk(
      `http://${host}/v2/bench/medium/blobs/${largest.digest}`,
      connections,
      /Transfer\/sec:\s+([\d.]+[KMG]B)/,
    );
  for (const connections of [1, 4]) {
    const rates = await inTurn(bench, registries, async ({ host }) => await blob(host, connections));
    report(bench, `blob GET, ${connections} connection${connections === 1 ? "" : "s"}`, rates, " MB/s", 1);
  }

  let repository = 0;
  const spent: Record<keyof Pair, number> = { dray: 0, "docker-registry": 0 };
  const uploadImage = async ({ host, pid }: RunningRegistry, name: keyof Pair): Promise<number> => {
    repository += 1;
    const { cpu } = readUsage(pid);
    const began = process.hrtime.bigint();
    await Promise.all(
      image.layers.map((layer) => upload(host, `up/r${repository}`, image.folder, layer.digest)),
    );
    const wall = Number(process.hrtime.bigint() - began) / 1e9;
    spent[name] += (readUsage(pid).cpu - cpu) / UPLOAD_ROUNDS;
    return image.size / 1e6 / wall;
  };
  const speeds = await inTurn(bench, registries, uploadImage, UPLOAD_ROUNDS);
  report(bench, `upload of ${image.layers.length} layers at once`, speeds, " MB/s", 1);
  const cpu = (name: keyof Pair): string => `${spent[name].toFixed(2)} s`;
  bench.say(`  processor time of each: dray ${cpu("dray")}, docker-registry ${cpu("docker-registry")}`);
  await benchUploads(bench, registries);
}

/** 200 uploads at once, of 1 MB and then of 4 MB each: memory that follows the bytes would show. */
async function benchUploads(
  bench: Bench,
  registries: Readonly<Record<keyof Pair, RunningRegistry>>,
): Promise<void> {
  const rows: string[][] = [];
  const peaks: number[] = [];
  for (const [name, { host, pid }] of Object.entries(registries)) {
    for (const size of [1_000_000, 4_000_000]) {
      const before = readUsage(pid).resident;
      let peak = 0;
      const watch = setInterval(() => (peak = Math.max(peak, readUsage(pid).resident)), 20);
      await Promise.all(
        Array.from({ length: 200 }, async (_, index) => await uploadSlowly(host, index, size)),
      );
      clearInterval(watch);
      rows.push([name, megabytes(size), megabytes(before), megabytes(peak)]);
      if (name === "dray") peaks.push(peak);
      bench.say(
        `  200 uploads of ${megabytes(size)} to ${name}: ${megabytes(before)} before, ${megabytes(peak)} at most`,
      );
    }
  }
  const [small = 1, big = 1] = peaks;
  bench.tables.push({
    title: "Memory of the registry under 200 concurrent uploads",
    header: ["", "each", "before", "peak"],
    rows,
  });
  bench.results.push({
    what: "memory under 200 uploads, 4 MB each to 1 MB each",
    dray: megabytes(big),
    peer: `dray ${megabytes(small)}`,
    ratio: big / small,
    unit: "×",
    goal: { atMost: 1.2 },
  });
}

async function inTurn(
  bench: Bench,
  registries: Readonly<Record<keyof Pair, RunningRegistry>>,
  measure: (registry: RunningRegistry, name: keyof Pair) => Promise<number>,
  rounds: number = Math.max(1, Math.ceil(bench.rounds / 2)),
): Promise<Pair> {
  const seen: Record<keyof Pair, number[]> = { dray: [], "docker-registry": [] };
  for (let round = 0; round < rounds; round++) {
    for (const name of ["dray", "docker-registry"] as const)
      seen[name].push(await measure(registries[name], name));
  }
  return { dray: median(seen.dray), "docker-registry": median(seen["docker-registry"]) };
}

function report(bench: Bench, what: string, rates: Pair, unit: string, goal: number): void {
  const ratio = rates.dray / rates["docker-registry"];
  const show = (rate: number): string => `${Math.round(rate).toLocaleString("en")}${unit}`;
  bench.say(
    `  ${what}: dray ${show(rates.dray)}, docker-registry ${show(rates["docker-registry"])}, ${ratio.toFixed(2)} ×`,
  );
  bench.results.push({
    what,
    dray: show(rates.dray),
    peer: `docker-registry ${show(rates["docker-registry"])}`,
    ratio,
    unit: "×",
    goal: { atLeast: goal },
  });
}

async function wrk(url: string, connections: number, pattern: RegExp): Promise<number> {
  const args = ["-t1", `-c${connections}`, `-d${SECONDS}s`, "-H", `Accept: ${MANIFEST_TYPES}`, url];
  const said = await run(peer("wrk"), args);
  if (/Non-2xx/.test(said)) throw new Error(`Cannot measure ${url}: not every answer was good:\n${said}`);
  const text = pattern.exec(said)?.[1] ?? "";
  const unit = { K: 1024 / 1e6, M: 1024 ** 2 / 1e6, G: 1024 ** 3 / 1e6 }[text.at(-2) ?? ""];
  return unit === undefined ? Number(text) : Number.parseFloat(text) * unit;
}

async function upload(host: string, repository: string, layout: string, digest: string): Promise<void> {
  const file = join(layout, "blobs", ...digest.split(":"));
  const location = await startUpload(host, repository);
  const url = `${location}${location.includes("?") ? "&" : "?"}digest=${digest}`;
  const args = [
    "-sS",
    "-f",
    "-T",
    file,
    "-H",
    "Content-Type: application/octet-stream",
    "-H",
    "Expect:",
    url,
  ];
  await run(peer("curl"), [...args, "-o", "/dev/null"]);
  if (statSync(file).size === 0) throw new Error(`${file} is empty`);
}

async function startUpload(host: string, repository: string): Promise<string> {
  const began = await fetch(`http://${host}/v2/${repository}/blobs/uploads/`, { method: "POST" });
  await began.body?.cancel();
  const location = began.headers.get("location");
  if (began.status !== 202 || location === null)
    throw new Error(`${host} refused an upload: ${began.status}`);
  return new URL(location, `http://${host}`).href;
}

/** Sends a body on a socket of its own, as fast as the registry takes it, and cancels nothing. */
async function uploadSlowly(host: string, index: number, size: number): Promise<void> {
  const url = new URL(await startUpload(host, `many/r${index}`));
  const [address = "", port = ""] = host.split(":");
  const piece = Buffer.alloc(64 * 1024, index);
  await new Promise<void>((resolve, reject) => {
    const socket = connect(Number(port), address);
    let left = size;
    const pour = (): void => {
      while (left > 0) {
        const chunk = left < piece.length ? piece.subarray(0, left) : piece;
        left -= chunk.length;
        if (!socket.write(chunk)) {
          socket.once("drain", pour);
          return;
        }
      }
    };
    let answer = "";
    socket.on("connect", () => {
      const head = `PATCH ${url.pathname}${url.search} HTTP/1.1\r\nHost: ${host}\r\nContent-Length: ${size}\r\n`;
      socket.write(`${head}Content-Type: application/octet-stream\r\nConnection: close\r\n\r\n`);
      pour();
    });
    socket.on("data", (chunk: Buffer) => {
      answer += chunk.toString("latin1");
    });
    socket.on("error", reject);
    socket.on("close", () => {
      if (answer.startsWith("HTTP/1.1 202 ")) resolve();
      else reject(new Error(`${host} refused a chunk: ${answer.slice(0, 200)}`));
    });
  });
}
