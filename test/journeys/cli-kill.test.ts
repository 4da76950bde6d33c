/**
 * A pull that is killed goes on where it was. `DRAY_KILLS` sets how often it is killed (8 by default), `DRAY_SEED`
 * when.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createCipheriv, createHash } from "node:crypto";
import { globSync, statSync } from "node:fs";
import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { run } from "../../src/cli/run.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import { serveRegistry } from "../../src/registry/index.ts";
import { ROOT } from "../processes.ts";

const KILLS = Number(process.env["DRAY_KILLS"] ?? 8);
const SEED = Number(process.env["DRAY_SEED"] ?? 1);
const LAYERS = 4;
/** Milliseconds after which nothing more will come of a pull that is held up. */
const LONG = 3000;
const LAYER_SIZE = 12 * 1024 * 1024;

interface Ended {
  readonly killed: boolean;
  readonly code: number | null;
  readonly output: string;
  readonly milliseconds: number;
}

/**
 * Milliseconds after a pull's start, or after the registry was asked for its first layer, or after so many bytes of a
 * layer were on the disk.
 */
interface Moment {
  readonly after: "start" | "first layer" | "bytes";
  readonly milliseconds: number;
  readonly bytes?: number;
}

/** Called when the registry is asked for content; what it returns is waited for before the answer. */
let onContent: (target: string) => Promise<void> | void = () => {};
/** A layer that comes in no pull which is to be killed after it asked for layers: it can't be done before. */
let withheld = "";

/** Runs `dray pull`, and kills it at that moment if it is still at it. */
async function pull(name: string, dataDir: string, moment?: Moment): Promise<Ended> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [join(ROOT, "bin", "dray.js"), "pull", "--data-dir", dataDir, name]);
  let output = "";
  for (const stream of [child.stdout, child.stderr])
    stream.on("data", (chunk: Buffer) => (output += String(chunk)));
  let timer: NodeJS.Timeout | undefined;
  const startTimer = (): void => {
    timer ??= setTimeout(() => child.kill("SIGKILL"), moment?.milliseconds);
  };
  if (moment?.after === "start") startTimer();
  const gone = Promise.withResolvers<void>();
  let watch: NodeJS.Timeout | undefined;
  const look = (until: number): void => {
    // All that may come can have come between two looks.
    if (largestPart(dataDir) >= (moment?.bytes ?? 0) || performance.now() > until) startTimer();
  };
  if (moment !== undefined && moment.after !== "start") {
    onContent = (target) => {
      if (moment.after === "first layer") startTimer();
      else watch ??= setInterval(look, 1, performance.now() + LONG);
      return target.endsWith(withheld) ? gone.promise : undefined;
    };
  }
  const [code, signal] = await new Promise<[number | null, NodeJS.Signals | null]>((resolve) =>
    child.on("close", (status, by) => resolve([status, by])),
  );
  onContent = () => {};
  gone.resolve();
  clearTimeout(timer);
  clearInterval(watch);
  return { killed: signal === "SIGKILL", code, output, milliseconds: performance.now() - startedAt };
}

/** Bytes of the content that is furthest, of those that aren't whole. */
function largestPart(dataDir: string): number {
  const parts = globSync("*.part", { cwd: join(dataDir, "ingest") });
  const sizes = parts.map(
    (name) => statSync(join(dataDir, "ingest", name), { throwIfNoEntry: false })?.size ?? 0,
  );
  return Math.max(0, ...sizes);
}

/** Bytes nobody can compress, the same for the same seed. */
function randomBytes(size: number, seed: number): Buffer {
  const key = createHash("sha256").update(String(seed)).digest().subarray(0, 16);
  return createCipheriv("aes-128-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(size));
}

/** Mulberry32. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

async function assertVerified(dataDir: string): Promise<void> {
  const folder = join(dataDir, "blobs", "sha256");
  for (const name of await readdir(folder).catch(() => [])) {
    const hash = createHash("sha256")
      .update(await readFile(join(folder, name)))
      .digest("hex");
    assert.equal(hash, name, "a blob that can be seen is not what its name says");
  }
}

test(`dray pull killed at ${KILLS} random moments goes on where it was`, { timeout: 590_000 }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "dray-kill-"));
  let resumed = 0;
  const served = await serveRegistry({
    dir: join(folder, "registry"),
    port: 0,
    drainTimeout: 500,
    authorize: async (request) => {
      if (request.method === "GET" && request.target.includes("/blobs/")) await onContent(request.target);
      if (request.method === "GET" && /^bytes=[1-9]/.test(request.header("range") ?? "")) resumed++;
      return { allowed: true };
    },
  });
  t.after(async () => {
    await served.close();
    await rm(folder, { recursive: true });
  });
  const name = `localhost:${served.port}/big/image:1`;
  let from: string[] = [];
  for (let layer = 0; layer < LAYERS; layer++) {
    const app = join(folder, `app${layer}`);
    await mkdir(app);
    await writeFile(join(app, `data${layer}`), randomBytes(LAYER_SIZE, SEED * 100 + layer));
    const context = createMemoryContext({ cwd: folder, home: folder, env: {}, now: Date.now });
    const words = [
      "build",
      "-t",
      `docker://${name}`,
      "--compression",
      "none",
      "--data-dir",
      join(folder, "b"),
      ...from,
      app,
    ];
    assert.equal(await run(words, context), 0, context.stderr.text);
    from = ["--from", name];
  }
  const whole = await pull(name, join(folder, "whole"));
  assert.equal(whole.code, 0, whole.output);
  const digest = whole.output.trim().slice(-71);
  const manifest = await readFile(join(folder, "whole", "blobs", "sha256", digest.slice(7)), "utf8");
  withheld = (JSON.parse(manifest) as { layers: [{ digest: string }] }).layers[0].digest;

  const random = createRandom(SEED);
  const dataDir = join(folder, "data");
  let kills = 0;
  let completed = 0;
  // On a busy machine all of the moments may fall before a second byte has come; then some more are tried.
  for (let attempt = 0; kills < KILLS || resumed === 0; attempt++) {
    assert.ok(attempt < KILLS * 25, `of ${attempt} pulls, ${kills} were killed and ${resumed} continued`);
    const moments: readonly Moment[] = [
      { after: "first layer", milliseconds: random() * 100 },
      { after: "start", milliseconds: random() * whole.milliseconds },
      { after: "bytes", milliseconds: 0, bytes: 1 + (random() * LAYER_SIZE) / 4 },
    ];
    const ended = await pull(name, dataDir, moments[attempt % moments.length]);
    await assertVerified(dataDir);
    if (ended.killed) {
      kills++;
      continue;
    }
    assert.equal(ended.code, 0, ended.output);
    completed++;
    await rm(dataDir, { recursive: true });
  }
  const last = await pull(name, dataDir);
  assert.equal(last.code, 0, last.output);
  assert.equal(last.output.trim(), `${name}@${digest}`);
  await assertVerified(dataDir);
  const [expected, actual] = await Promise.all(
    [join(folder, "whole"), dataDir].map(async (each) =>
      (await readdir(join(each, "blobs", "sha256"))).toSorted(),
    ),
  );
  assert.deepEqual(actual, expected);
  t.diagnostic(
    `${kills} kills, ${completed} pulls completed between them, ${resumed} downloads continued by range`,
  );
});
