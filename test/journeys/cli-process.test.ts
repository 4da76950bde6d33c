/** The command as a process: streams, signals and exit codes. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { serveRegistry } from "../../src/registry/index.ts";
import { ROOT, attempt } from "../processes.ts";

const DRAY = join(ROOT, "bin", "dray.js");

async function createFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "dray-process-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test("dray tells results, talk and exit codes apart", { timeout: 60_000 }, async (t) => {
  const folder = await createFolder(t);
  const env = { ...process.env, XDG_DATA_HOME: folder, HOME: folder };
  const version = await attempt(process.execPath, [DRAY, "--version"]);
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
  const unknown = await attempt(process.execPath, [DRAY, "digest", "store:nothing"], { env });
  assert.deepEqual([unknown.status, unknown.stdout], [3, ""]);
  assert.match(unknown.stderr, /^dray: [^\n]+\n$/);
});

test("a reader that goes away ends dray without a word", { timeout: 60_000 }, async () => {
  const command = `"${process.execPath}" "${DRAY}" completion fish; echo "code $?" >&2`;
  const piped = await attempt("sh", ["-c", `(${command}) | true`]);
  assert.match(piped.stderr, /^code (?:0|141)\n$/);
});

test(
  "a reader that goes away in the middle of an archive leaves no copy of it behind",
  { timeout: 60_000 },
  async (t) => {
    const folder = await createFolder(t);
    const [temporary, files] = [join(folder, "tmp"), join(folder, "files")];
    for (const path of [temporary, files]) await mkdir(path);
    await writeFile(join(files, "large"), randomBytes(4_000_000));
    const env = {
      ...process.env,
      XDG_DATA_HOME: folder,
      HOME: folder,
      TMPDIR: temporary,
      NODE_DISABLE_COMPILE_CACHE: "1",
    };
    const built = await attempt(process.execPath, [DRAY, "build", "-t", "large:1", files], { env });
    assert.equal(built.status, 0, built.stderr);
    const command = `("${process.execPath}" "${DRAY}" save large:1; echo "code $?" >&2) | head -c 10 > "${folder}/head"`;
    const saved = await attempt("sh", ["-c", command], { env });
    assert.match(saved.stderr, /^code 141$/m);
    assert.deepEqual(await readdir(temporary), []);
  },
);

test(
  "output that can't be written is a failure, and said",
  { timeout: 60_000, skip: process.platform !== "linux" },
  async () => {
    const full = await attempt("sh", ["-c", `"${process.execPath}" "${DRAY}" completion bash > /dev/full`]);
    assert.equal(full.status, 8, full.stderr);
    assert.match(full.stderr, /^dray: Cannot write to standard output: [^\n]*ENOSPC[^\n]*\n$/);
  },
);

test("dray up serves, and ends in order at a signal", { timeout: 60_000 }, async (t) => {
  const folder = await createFolder(t);
  await mkdir(join(folder, "pods"));
  for (const [signal, code] of [
    ["SIGINT", 0],
    ["SIGTERM", 0],
  ] as const) {
    const args = [
      DRAY,
      "up",
      "--registry-port",
      "0",
      "--data-dir",
      join(folder, "data"),
      join(folder, "pods"),
    ];
    const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"] });
    t.after(() => child.kill("SIGKILL"));
    let said = "";
    const port = await new Promise<string>((resolve, reject) => {
      child.stderr.on("data", (chunk: Buffer) => {
        said += String(chunk);
        const match = /^Registry on http:\/\/127\.0\.0\.1:(\d+)$/m.exec(said);
        if (match?.[1] !== undefined) resolve(match[1]);
      });
      child.on("close", () => reject(new Error(said)));
    });
    const answer = await fetch(`http://127.0.0.1:${port}/v2/`);
    assert.equal(answer.status, 200);
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    child.kill(signal);
    assert.equal(await ended, code, said);
    await assert.rejects(fetch(`http://127.0.0.1:${port}/v2/`));
  }
});

test(
  "a pull interrupted by Ctrl-C ends with 130, and continues the next time",
  { timeout: 60_000 },
  async (t) => {
    const folder = await createFolder(t);
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    const { promise: mayAnswer, resolve: answer } = Promise.withResolvers<void>();
    const served = await serveRegistry({
      dir: join(folder, "registry"),
      port: 0,
      drainTimeout: 100,
      authorize: async (request) => {
        if (request.method === "GET" && request.target.includes("/blobs/")) {
          ask();
          await mayAnswer;
        }
        return { allowed: true };
      },
    });
    t.after(() => served.close());
    const name = `localhost:${served.port}/a:1`;
    await mkdir(join(folder, "app"));
    await writeFile(join(folder, "app", "file"), "content");
    const data = ["--data-dir", join(folder, "data")];
    const built = await attempt(process.execPath, [
      DRAY,
      "build",
      "-t",
      `docker://${name}`,
      ...data,
      join(folder, "app"),
    ]);
    assert.equal(built.status, 0, built.stderr);
    const child = spawn(process.execPath, [DRAY, "pull", ...data, name], { stdio: "ignore" });
    const ended = new Promise<number | null>((resolve) => child.on("close", resolve));
    await asked;
    child.kill("SIGINT");
    assert.equal(await ended, 130);
    answer();
    const again = await attempt(process.execPath, [DRAY, "pull", ...data, name]);
    assert.equal(again.status, 0, again.stderr);
  },
);

test(
  "the quickstart brings the good Pod's images and explains the wrong one",
  { timeout: 60_000 },
  async (t) => {
    const folder = await createFolder(t);
    const script = join(ROOT, "examples", "quickstart", "start.ts");
    const once = await attempt(process.execPath, [
      script,
      "--once",
      "--registry-port",
      "0",
      "--data-dir",
      join(folder, "once"),
    ]);
    assert.equal(once.status, 0, once.stderr);
    assert.match(once.stdout, /^hello {2}web {2}\S+ {2}IfNotPresent {2}Present {2}sha256:/m);
    assert.match(once.stdout, /^wrong {2}web {2}\S+:missing {2}IfNotPresent {2}ErrImagePull {2}.*missing/m);
  },
);
