/** The command as a process: streams, signals and exit codes. */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { serveRegistry } from "../../src/registry/index.ts";
import { ROOT, attempt, start } from "../processes.ts";

const DRAY = join(ROOT, "bin", "dray.js");
/** Nothing here takes long on a machine that has nothing else to do. */
const LIMIT = { timeout: 300_000 };

async function createFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "dray-process-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test("dray tells results, talk and exit codes apart", LIMIT, async (t) => {
  const folder = await createFolder(t);
  const env = { ...process.env, XDG_DATA_HOME: folder, HOME: folder };
  const version = await attempt(process.execPath, [DRAY, "--version"]);
  assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
  const unknown = await attempt(process.execPath, [DRAY, "digest", "store:nothing"], { env });
  assert.deepEqual([unknown.status, unknown.stdout], [3, ""]);
  assert.match(unknown.stderr, /^dray: [^\n]+\n$/);
});

test("a reader that goes away ends dray without a word", LIMIT, async () => {
  const command = `"${process.execPath}" "${DRAY}" completion fish; echo "code $?" >&2`;
  const piped = await attempt("sh", ["-c", `(${command}) | true`]);
  assert.match(piped.stderr, /^code (?:0|141)\n$/);
});

test("a reader that goes away in the middle of an archive leaves no copy of it behind", LIMIT, async (t) => {
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
});

test(
  "output that can't be written is a failure, and said",
  { ...LIMIT, skip: process.platform !== "linux" },
  async () => {
    const full = await attempt("sh", ["-c", `"${process.execPath}" "${DRAY}" completion bash > /dev/full`]);
    assert.equal(full.status, 8, full.stderr);
    assert.match(full.stderr, /^dray: Cannot write to standard output: [^\n]*ENOSPC[^\n]*\n$/);
  },
);

test("dray up serves, and ends in order at a signal", LIMIT, async (t) => {
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
    await using up = start(process.execPath, args);
    const [, port] = await up.waitFor(/^Registry on http:\/\/127\.0\.0\.1:(\d+)$/m);
    const answer = await fetch(`http://127.0.0.1:${port}/v2/`);
    assert.equal(answer.status, 200);
    await up.stop(signal);
    assert.equal(up.exitCode, code, up.said);
  }
});

test("commands end by themselves, since process.exit() may wait for ever", LIMIT, async (t) => {
  const folder = await createFolder(t);
  const [asked, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const served = await serveRegistry({
    dir: join(folder, "registry"),
    port: 0,
    drainTimeout: 100,
    authorize: async ({ method, target }) => {
      if (method === "GET" && target.includes("/stuck/blobs/")) {
        asked.resolve();
        await gate.promise;
      }
      return { allowed: true };
    },
  });
  t.after(() => served.close());
  await mkdir(join(folder, "app"));
  await writeFile(join(folder, "app", "file"), "content");
  // Whatever stays open holds a command up for ever then.
  const disarmed = `--import=data:text/javascript,${encodeURIComponent("process.exit = () => {};")}`;
  const env = { ...process.env, NODE_OPTIONS: disarmed, XDG_DATA_HOME: join(folder, "data"), HOME: folder };
  const registry = `localhost:${served.port}`;
  for (const [words, code, input = ""] of [
    [["completion", "bash"], 0],
    [["build", "-t", `docker://${registry}/a:1`, "-t", `docker://${registry}/stuck:1`, "app"], 0],
    [["pull", `${registry}/a:1`], 0],
    [["pull", `${registry}/a:2`], 3],
    [["digest", "store:nothing"], 3],
    [["save", "-o", "a.tar", `${registry}/a:1`], 0],
    [["load"], 6, "no archive"],
    [["explain", "-"], 0, podOf(`${registry}/a:1`)],
  ] as const) {
    const ended = await attempt(process.execPath, [DRAY, ...words], { cwd: folder, env, input });
    assert.equal(ended.status, code, `${words.join(" ")}: ${ended.stderr}`);
  }
  await using pull = start(
    process.execPath,
    [DRAY, "pull", "--data-dir", join(folder, "other"), `${registry}/stuck:1`],
    { env },
  );
  await asked.promise;
  await pull.stop("SIGINT");
  gate.resolve();
  assert.equal(pull.exitCode, 130, pull.said);
  for (const [words, ready] of [
    [["registry", "--port", "0"], /Registry on/],
    [["cri"], /Serving the CRI/],
    [["webhook", "--always-pull-images", "--port", "0"], /Reviews are answered/],
  ] as const) {
    await using service = start(process.execPath, [DRAY, ...words], { cwd: folder, env });
    await service.waitFor(ready);
    await service.stop("SIGTERM");
    assert.equal(service.exitCode, 0, service.said);
  }
});

function podOf(image: string): string {
  const metadata = { name: "web" };
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata,
    spec: { containers: [{ name: "web", image }] },
  });
}

test("a pull interrupted by Ctrl-C ends with 130, and continues the next time", LIMIT, async (t) => {
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
});

test("the quickstart brings the good Pod's images and explains the wrong one", LIMIT, async (t) => {
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
});
