/** What the sections of the benchmark share. */
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { startDockerRegistry, type DockerRegistry } from "../test/interop/docker-registry.ts";
import { ROOT, run, start, type Started } from "../test/processes.ts";
import { type Cost, peer } from "./measure.ts";

/** One line of the table: what was measured, against whom, and whether the goal is reached. */
export interface Result {
  readonly what: string;
  readonly dray: string;
  readonly peer: string;
  /** dray to peer, or the number itself where there's no peer. */
  readonly ratio: number;
  readonly unit: "×" | "s" | "/s" | "MB";
  readonly goal: { readonly atMost: number } | { readonly atLeast: number };
}

export interface Table {
  readonly title: string;
  readonly header: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

export interface Bench {
  /** Scratch space, gone afterwards. */
  readonly folder: string;
  /** Kept between runs: the images. */
  readonly cache: string;
  /** The built package, as users run it: `node bin/dray.js` uses `dist`, not the sources. */
  readonly package: string;
  readonly rounds: number;
  readonly say: (line: string) => void;
  readonly results: Result[];
  readonly tables: Table[];
}

/** The packed files in a folder of their own, with the checkout's dependencies. */
export async function preparePackage(folder: string): Promise<string> {
  await run(process.execPath, ["scripts/build.ts"], { cwd: ROOT });
  const place = join(folder, "package");
  mkdirSync(place);
  for (const name of ["bin", "dist", "package.json"])
    cpSync(join(ROOT, name), join(place, name), { recursive: true });
  symlinkSync(join(ROOT, "node_modules"), join(place, "node_modules"));
  writeFileSync(
    join(place, "serve.mjs"),
    [
      'import { serveRegistry } from "./dist/registry/index.js";',
      "const served = await serveRegistry({ dir: process.argv[2], port: 0 });",
      "console.log(`listening on 127.0.0.1:${served.port}`);",
      'process.on("SIGTERM", () => void served.close().then(() => process.exit(0)));',
      "",
    ].join("\n"),
  );
  return place;
}

export function dray(bench: Bench, ...args: readonly string[]): readonly [string, ...string[]] {
  return [process.execPath, join(bench.package, "bin", "dray.js"), ...args];
}

export interface RunningRegistry extends AsyncDisposable {
  readonly host: string;
  readonly pid: number;
}

export async function startDrayRegistry(bench: Bench, name: string): Promise<RunningRegistry> {
  const started: Started = start(process.execPath, [
    join(bench.package, "serve.mjs"),
    join(bench.folder, name),
  ]);
  const [, host = ""] = await started.waitFor(/listening on (\S+)/);
  return { host, pid: started.pid, [Symbol.asyncDispose]: async () => await started.stop() };
}

/** docker-registry, without the starter's shell in between: `pid` is its own. */
export async function startPeerRegistry(bench: Bench, name: string): Promise<RunningRegistry> {
  const started: DockerRegistry = await startDockerRegistry(join(bench.folder, name));
  return {
    host: started.host,
    pid: started.process.pid,
    [Symbol.asyncDispose]: async () => await started.process.stop(),
  };
}

/** Puts a layout's image into a registry, once. */
export async function seed(layout: string, image: string): Promise<void> {
  await run(peer("oras"), ["cp", "--from-oci-layout", "--to-plain-http", `${layout}:bench`, image], {
    timeout: 600_000,
  });
}

export function megabytes(bytes: number): string {
  return `${(bytes / 1e6).toFixed(0)} MB`;
}

/** A table of what each contestant took, quickest first. */
export function costTable(title: string, costs: ReadonlyMap<string, Cost>): Table {
  const mine = costs.get("dray");
  const rows = [...costs]
    .toSorted(([, a], [, b]) => a.wall - b.wall)
    .map(([name, cost]) => [
      name,
      `${cost.wall.toFixed(2)} s`,
      mine === undefined ? "" : (mine.wall / cost.wall).toFixed(2),
      `${cost.cpu.toFixed(2)} s`,
      megabytes(cost.memory),
    ]);
  return { title, header: ["", "wall", "dray ÷ this", "cpu", "peak memory"], rows };
}

/** The fastest contestant that isn't dray, or the one that is named. */
export function fastestPeer(costs: ReadonlyMap<string, Cost>, named?: string): readonly [string, Cost] {
  const peers = [...costs]
    .filter(([name]) => (named === undefined ? name !== "dray" : name === named))
    .toSorted(([, a], [, b]) => a.wall - b.wall);
  const fastest = peers[0];
  if (fastest === undefined) throw new Error("Cannot compare: nobody else took part");
  return fastest;
}
