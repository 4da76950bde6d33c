/** What one waits for before anything happens: starting, and reading a name. */
import { join } from "node:path";

import { findFreePort, untilListening } from "../test/interop/docker-registry.ts";
import { run, start } from "../test/processes.ts";
import { type Bench, costTable, dray } from "./bench.ts";
import { compare, median } from "./measure.ts";

export async function benchStartup(bench: Bench): Promise<void> {
  bench.say("Starting");
  const costs = await compare(
    [
      { name: "dray", command: () => dray(bench, "--version") },
      { name: "node -e 0", command: () => [process.execPath, "-e", "0"] },
    ],
    bench.rounds * 4,
    () => {},
  );
  const mine = costs.get("dray")?.wall ?? Number.NaN;
  const bare = costs.get("node -e 0")?.wall ?? Number.NaN;
  bench.tables.push(costTable("`dray --version`", costs));
  bench.results.push({
    what: "`dray --version`",
    dray: `${(mine * 1000).toFixed(0)} ms`,
    peer: `node -e 0 ${(bare * 1000).toFixed(0)} ms`,
    ratio: mine / bare,
    unit: "×",
    goal: { atMost: 2.5 },
  });

  const times: number[] = [];
  for (let round = 0; round < bench.rounds; round++) times.push(await startUp(bench, round));
  const ready = median(times);
  bench.say(`  dray up answers after ${ready.toFixed(2)} s`);
  bench.results.push({
    what: "`dray up` until the registry answers",
    dray: `${ready.toFixed(2)} s`,
    peer: "",
    ratio: ready,
    unit: "s",
    goal: { atMost: 1 },
  });
}

/** Seconds until the registry of a new `dray up` answers. */
async function startUp(bench: Bench, round: number): Promise<number> {
  const port = await findFreePort();
  const folder = join(bench.folder, `up-${round}`);
  const [program, ...args] = dray(
    bench,
    "up",
    "--data-dir",
    folder,
    "--registry-port",
    String(port),
    join(folder, "pods"),
  );
  const began = process.hrtime.bigint();
  await using up = start(program, args, { cwd: bench.folder });
  await untilListening(port, up);
  const answer = await fetch(`http://127.0.0.1:${port}/v2/`);
  if (!answer.ok) throw new Error(`dray up answers ${answer.status}`);
  return Number(process.hrtime.bigint() - began) / 1e9;
}

export async function benchParse(bench: Bench): Promise<void> {
  const script = [
    `const { parseReference } = await import(${JSON.stringify(join(bench.package, "dist", "reference", "index.js"))});`,
    `const digest = "sha256:" + "0123456789abcdef".repeat(4);`,
    'const names = ["busybox", "nginx:1.27", "library/redis:7-alpine", "docker.io/library/ubuntu:24.04",',
    '  "registry.k8s.io/pause:3.10", "ghcr.io/owner/app:v1.2.3", "localhost:5000/team/api:latest",',
    '  "quay.io/org/tool@" + digest, "gcr.io/project/service/web:2024-01-01@" + digest];',
    "let kept = 0;",
    "const round = (times) => { for (let i = 0; i < times; i++) for (const name of names) kept += parseReference(name).path.length; };",
    "round(20_000);",
    "const began = process.hrtime.bigint();",
    "round(200_000);",
    "const seconds = Number(process.hrtime.bigint() - began) / 1e9;",
    "console.log(200_000 * names.length / seconds, kept > 0);",
  ].join("\n");
  const rates: number[] = [];
  for (let round = 0; round < bench.rounds; round++) {
    rates.push(Number.parseFloat(await run(process.execPath, ["--input-type=module", "-e", script])));
  }
  const rate = median(rates);
  bench.say(`  ${Math.round(rate).toLocaleString("en")} names a second`);
  bench.results.push({
    what: "`parseReference` on common names",
    dray: `${Math.round(rate).toLocaleString("en")}/s`,
    peer: "",
    ratio: rate,
    unit: "/s",
    goal: { atLeast: 1_500_000 },
  });
}
