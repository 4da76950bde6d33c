/** Runs programs and says what they took. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { findPeer } from "../test/interop/peers.ts";
import { run } from "../test/processes.ts";

export interface Cost {
  /** Seconds from start to exit. */
  readonly wall: number;
  /** Seconds of processor time, user and system. */
  readonly cpu: number;
  /** Bytes of memory resident at the worst moment. */
  readonly memory: number;
}

export interface Contestant {
  readonly name: string;
  /** Called before each run, outside the measurement, with the number of the run. */
  readonly prepare?: (round: number) => Promise<void> | void;
  readonly command: (round: number) => readonly [program: string, ...args: string[]];
  readonly env?: NodeJS.ProcessEnv;
  /** Called after each run; may add what another process took on its behalf, and checks the result. */
  readonly finish?: (round: number, cost: Cost) => Promise<Cost | void> | Cost | void;
}

/**
 * Runs all contestants in turn, `rounds` times over, so that whatever else the machine does meets each of them, and
 * returns the median of each. The first round warms the page cache and doesn't count.
 */
export async function compare(
  contestants: readonly Contestant[],
  rounds: number,
  say: (line: string) => void,
): Promise<ReadonlyMap<string, Cost>> {
  const costs = new Map<string, Cost[]>(contestants.map(({ name }) => [name, []]));
  for (let round = 0; round <= rounds; round++) {
    // Every other round the other way about: nobody always goes first.
    const order = round % 2 === 0 ? contestants : contestants.toReversed();
    for (const contestant of order) {
      await contestant.prepare?.(round);
      let cost = await runOnce(contestant.command(round), contestant.env);
      cost = (await contestant.finish?.(round, cost)) ?? cost;
      if (round > 0) costs.get(contestant.name)?.push(cost);
      say(`  ${round === 0 ? "warm-up" : `round ${round}`} ${contestant.name}: ${formatCost(cost)}`);
    }
  }
  return new Map([...costs].map(([name, all]) => [name, medianCost(all)]));
}

/** Runs a program to its end. */
export async function runOnce(
  command: readonly [string, ...string[]],
  env: NodeJS.ProcessEnv = process.env,
): Promise<Cost> {
  const folder = mkdtempSync(join(tmpdir(), "dray-time-"));
  try {
    const out = join(folder, "cost");
    const began = process.hrtime.bigint();
    await run(peer("time"), ["-q", "-o", out, "-f", "%U %S %M", ...command], { env, timeout: 300_000 });
    const wall = Number(process.hrtime.bigint() - began) / 1e9;
    const [user = 0, system = 0, kilobytes = 0] = readFileSync(out, "utf8").trim().split(" ").map(Number);
    return { wall, cpu: user + system, memory: kilobytes * 1024 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The starter of a program to measure with or against. */
export function peer(name: string): string {
  const path = findPeer(name);
  if (path === undefined) throw new Error(`Cannot measure with ${name}: run "npm run peers" first`);
  return path;
}

/** What a running process has used so far, from /proc. */
export function readUsage(pid: number): Pick<Cost, "cpu" | "memory"> & { readonly resident: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kilobytes = (name: string): number =>
    Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1] ?? 0);
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const ticks = Number(fields[11]) + Number(fields[12]);
  return { cpu: ticks / 100, memory: kilobytes("VmHWM") * 1024, resident: kilobytes("VmRSS") * 1024 };
}

export function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? upper) + upper) / 2;
}

function medianCost(costs: readonly Cost[]): Cost {
  return {
    wall: median(costs.map((cost) => cost.wall)),
    cpu: median(costs.map((cost) => cost.cpu)),
    memory: median(costs.map((cost) => cost.memory)),
  };
}

export function formatCost({ wall, cpu, memory }: Cost): string {
  return `${wall.toFixed(2)} s, cpu ${cpu.toFixed(2)} s, ${(memory / 1e6).toFixed(0)} MB`;
}
