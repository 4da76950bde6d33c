/**
 * Measures dray beside its peers on this machine, and says which goals are reached:
 *
 * ```sh
 * npm run bench                          # everything; with a 1 GB image that takes a while
 * npm run bench -- pull push --rounds 3  # some sections
 * npm run bench -- --write               # also keeps the result in docs/benchmarks.md
 * ```
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

import { fetchPeers, findObstacle, peersFolder } from "../test/interop/peers.ts";
import { ROOT } from "../test/processes.ts";
import { type Bench, preparePackage, type Result, type Table } from "./bench.ts";
import { benchCri, benchCriLarge } from "./cri.ts";
import { benchKubelet } from "./kubelet.ts";
import { benchRegistry } from "./registries.ts";
import { benchRegistryScale } from "./registry-scale.ts";
import { benchParse, benchStartup } from "./startup.ts";
import { benchWebhook } from "./webhook.ts";
import { benchSlowNetwork } from "./slow-network.ts";
import { benchUnpack, benchUnpackLarge } from "./unpack.ts";
import { benchCopy, benchPull, benchPullLarge, benchPush } from "./transfers.ts";

const SECTIONS: Readonly<Record<string, (bench: Bench) => Promise<void>>> = {
  parse: benchParse,
  startup: benchStartup,
  pull: benchPull,
  "pull-large": benchPullLarge,
  "pull-slow": benchSlowNetwork,
  push: benchPush,
  copy: benchCopy,
  registry: benchRegistry,
  "registry-scale": benchRegistryScale,
  cri: benchCri,
  "cri-large": benchCriLarge,
  kubelet: benchKubelet,
  webhook: benchWebhook,
  unpack: benchUnpack,
  "unpack-large": benchUnpackLarge,
};

const { values, positionals } = parseArgs({
  options: { rounds: { type: "string", default: "5" }, write: { type: "boolean", default: false } },
  allowPositionals: true,
});
const chosen = positionals.length === 0 ? Object.keys(SECTIONS) : positionals;
const unknown = chosen.filter((name) => !(name in SECTIONS));
const rounds = Number(values.rounds);
if (unknown.length > 0 || !Number.isSafeInteger(rounds) || rounds < 1) {
  console.error(`Cannot measure ${unknown.join(", ")}: sections are ${Object.keys(SECTIONS).join(", ")}`);
  process.exit(2);
}
const obstacle = findObstacle();
if (obstacle !== undefined) {
  console.error(obstacle);
  process.exit(1);
}
fetchPeers(peersFolder(), (line) => console.error(line));

const folder = mkdtempSync(join(tmpdir(), "dray-bench-"));
const cache = join(peersFolder(), "images");
mkdirSync(cache, { recursive: true });
const failures: string[] = [];
try {
  const say = (line: string): void => console.error(line);
  const results: Result[] = [];
  const tables: Table[] = [];
  const bench: Bench = { folder, cache, package: await preparePackage(folder), rounds, say, results, tables };
  for (const name of chosen) {
    try {
      await SECTIONS[name]?.(bench);
    } catch (error) {
      // One section that can't run shouldn't cost the others' results.
      failures.push(name);
      console.error(`Section ${name}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  const text = format(results, tables);
  console.log(text);
  if (values.write) {
    const findings = readFileSync(join(ROOT, "bench", "findings.md"), "utf8");
    writeFileSync(join(ROOT, "docs", "benchmarks.md"), `${introduction()}\n${text}\n${findings}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (failures.length > 0) process.exitCode = 1;

function format(results: readonly Result[], tables: readonly Table[]): string {
  const goals: Table = {
    title: "Goals",
    header: ["what", "dray", "peer", "result", "goal", ""],
    rows: results.map(({ what, dray, peer, ratio, unit, goal }) => [
      what,
      dray,
      peer,
      showNumber(ratio, unit),
      "atMost" in goal ? `≤ ${showNumber(goal.atMost, unit)}` : `≥ ${showNumber(goal.atLeast, unit)}`,
      ("atMost" in goal ? ratio <= goal.atMost : ratio >= goal.atLeast) ? "reached" : "missed",
    ]),
  };
  return [goals, ...tables].map(formatTable).join("\n");
}

function showNumber(number: number, unit: Result["unit"]): string {
  if (unit === "/s" || unit === "MB")
    return `${Math.round(number).toLocaleString("en")}${unit === "MB" ? " MB" : unit}`;
  return `${number.toFixed(2)} ${unit}`;
}

function formatTable({ title, header, rows }: Table): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(" | ")} |`;
  return [`## ${title}`, "", line(header), line(header.map(() => "---")), ...rows.map(line), ""].join("\n");
}

function introduction(): string {
  const memory = /MemTotal:\s+(\d+)/.exec(readFileSync("/proc/meminfo", "utf8"))?.[1];
  return [
    "# Benchmarks",
    "",
    "Written by `npm run bench -- --write`: dray as it is published beside other programs, in one run on one machine,",
    "each in turn; medians of several rounds after one to warm up. Registries are on the same machine, so networks",
    "don't hide what programs cost. Images are made from the machine's own files; peers are Debian's packages.",
    "",
    `Machine: ${availableParallelism()} × ${cpus()[0]?.model.trim() ?? "unknown processor"}, ` +
      `${Math.round(Number(memory) / 1e6)} GB memory; Node ${process.version}; ${new Date().toISOString().slice(0, 10)}.`,
    "",
  ].join("\n");
}
