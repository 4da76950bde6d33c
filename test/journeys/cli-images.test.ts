/** Images through the commands, in this process, against a registry on a port. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { run } from "../../src/cli/run.ts";
import { type MemoryContextOptions, createMemoryContext } from "../../src/cli/testing.ts";
import { serveRegistry } from "../../src/registry/index.ts";

interface Result {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly bytes: Uint8Array;
}

interface World {
  /** `localhost:PORT`. */
  readonly registry: string;
  readonly folder: string;
  readonly dray: (words: readonly string[], options?: MemoryContextOptions) => Promise<Result>;
  /** A command that has to work; what it printed, trimmed. */
  readonly ok: (...words: string[]) => Promise<string>;
}

async function setUp(t: TestContext): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "dray-cli-"));
  const served = await serveRegistry({ dir: join(folder, "registry"), port: 0, drainTimeout: 500 });
  t.after(async () => {
    await served.close();
    await rm(folder, { recursive: true });
  });
  const home = join(folder, "home");
  await mkdir(home);
  await mkdir(join(folder, "app", "bin"), { recursive: true });
  await writeFile(join(folder, "app", "bin", "hello"), "#!/bin/sh\necho hello\n", { mode: 0o755 });
  const dray = async (words: readonly string[], options: MemoryContextOptions = {}): Promise<Result> => {
    const env = { XDG_DATA_HOME: join(folder, "data"), ...options.env };
    const context = createMemoryContext({ cwd: folder, home, now: Date.now, ...options, env });
    const code = await run(words, context);
    return { code, out: context.stdout.text, err: context.stderr.text, bytes: context.stdout.bytes };
  };
  const ok = async (...words: string[]): Promise<string> => {
    const { code, out, err } = await dray(words);
    assert.equal(code, 0, `dray ${words.join(" ")}: ${err}`);
    return out.trim();
  };
  return { registry: `localhost:${served.port}`, folder, dray, ok };
}

test("an image is built, pushed, pulled elsewhere and looked at", { timeout: 300_000 }, async (t) => {
  const { registry, folder, dray, ok } = await setUp(t);
  const name = `${registry}/team/hello:1`;
  const digest = await ok(
    "build",
    "--tag",
    name,
    "--entrypoint",
    "/bin/hello",
    "--env",
    "A=b",
    "--push",
    "app",
  );
  assert.match(digest, /^sha256:[0-9a-f]{64}$/);
  assert.equal(
    await ok("build", "--tag", "again:1", "--entrypoint", "/bin/hello", "--env", "A=b", "app"),
    digest,
  );
  assert.equal(await ok("digest", name), digest);
  assert.equal(await ok("tags", `${registry}/team/hello`), "1");

  const elsewhere = ["--data-dir", join(folder, "elsewhere")];
  assert.equal(await ok("pull", ...elsewhere, name), `${name}@${digest}`);
  const again = JSON.parse(await ok("pull", "--json", ...elsewhere, name)) as Record<string, unknown>;
  assert.deepEqual([again["name"], again["digest"], again["transferred"]], [name, digest, 0]);

  const config = JSON.parse(await ok("config", ...elsewhere, `store:${name}`)) as { config: unknown };
  assert.deepEqual(config.config, { Env: ["A=b"], Entrypoint: ["/bin/hello"] });
  const manifest = await dray(["manifest", name]);
  const stored = await readFile(join(folder, "elsewhere", "blobs", "sha256", digest.slice(7)));
  assert.deepEqual(Buffer.from(manifest.bytes), stored, "byte for byte");

  const [heading = "", row = ""] = (await ok("images", ...elsewhere)).split("\n");
  assert.match(heading, /^IMAGE +DIGEST +SIZE +UPDATED$/);
  assert.ok(row.startsWith(name) && row.includes(digest.slice(0, 19)), row);
});

test("images go through every kind of place and keep their digest", { timeout: 300_000 }, async (t) => {
  const { registry, ok } = await setUp(t);
  const digest = await ok("build", "-t", "hello:1", "--entrypoint", "/bin/hello", "app");
  const places = [
    "oci:layout:1.0",
    "oci-archive:hello.tar:example.org/hello:1",
    `${registry}/a:1`,
    `docker://${registry}/b:1`,
    "store:copied:2",
  ];
  let from = "store:hello:1";
  for (const place of places) {
    assert.equal(await ok("copy", from, place), digest, place);
    assert.equal(await ok("digest", place), digest, place);
    from = place;
  }
  // `docker save` keeps layers uncompressed, so the image there is another one with the same content.
  await ok("copy", "store:copied:2", "docker-archive:docker.tar:hello:1");
  const config = await ok("config", "docker-archive:docker.tar");
  assert.equal(config, await ok("config", "store:hello:1"));
});

test("save and load take images out of one store and into another", { timeout: 300_000 }, async (t) => {
  const { folder, dray, ok } = await setUp(t);
  const digest = await ok("build", "-t", "hello:1", "-t", "also/this:2", "app");
  await ok("save", "-o", "both.tar", "hello:1", "also/this:2");
  const other = ["--data-dir", join(folder, "other")];
  assert.deepEqual((await ok("load", "-i", "both.tar", ...other)).split("\n").toSorted(), [
    "also/this:2",
    "hello:1",
  ]);
  assert.equal(await ok("digest", ...other, "store:also/this:2"), digest);

  const saved = await dray(["save", "--format", "docker", "hello:1"]);
  assert.equal(saved.code, 0, saved.err);
  const third = ["--data-dir", join(folder, "third")];
  const loaded = await dray(["load", "--json", ...third], { stdin: saved.bytes });
  assert.equal((JSON.parse(loaded.out) as { name: string }).name, "docker.io/library/hello:1");
  const terminal = await dray(["save", "hello:1"], { isTTY: true });
  assert.deepEqual([terminal.code, terminal.out], [2, ""]);

  await ok("copy", "store:hello:1", "oci-archive:bare.tar:1.0");
  const bare = await dray(["load", "-i", "bare.tar", ...third]);
  assert.equal(bare.err.split("\n")[0], 'dray: Cannot load an image known only as "1.0": add --name NAME');
  assert.equal(await ok("load", "-i", "bare.tar", "-t", "named:1", ...third), "named:1");
});

test("names are added and forgotten, and gc frees what nothing leads to", { timeout: 300_000 }, async (t) => {
  const { dray, ok } = await setUp(t);
  await ok("build", "-t", "hello:1", "app");
  assert.equal(await ok("tag", "hello:1", "example.org/other:2"), "example.org/other:2");
  assert.equal(await ok("rm", "hello:1"), "hello:1");
  assert.equal(await ok("images", "-q"), "example.org/other:2");
  const missing = await dray(["rm", "hello:1"]);
  assert.deepEqual([missing.code, missing.err], [3, 'dray: Cannot remove "hello:1": not in the store\n']);
  assert.equal((await dray(["rm", "-f", "hello:1"])).code, 0);
  assert.match(await ok("gc", "--grace", "0"), /^Freed 0 B: 0 blobs/);
  await ok("rm", "example.org/other:2");
  const usage = JSON.parse(await ok("df", "--json")) as { names: number; blobs: { count: number } };
  assert.deepEqual([usage.names, usage.blobs.count], [0, 3]);
  assert.match(await ok("gc", "--grace", "0", "--dry-run"), /^Would free .*: 3 blobs/);
  assert.match(await ok("gc", "--grace", "0"), /^Freed .*: 3 blobs/);
  const after = JSON.parse(await ok("df", "--json")) as { blobs: { count: number } };
  assert.equal(after.blobs.count, 0);
});

test(
  "an image that is for another platform alone is pulled with a warning",
  { timeout: 300_000 },
  async (t) => {
    const { registry, dray, ok } = await setUp(t);
    await ok("build", "-t", `docker://${registry}/a:1`, "--platform", "linux/arm64", "app");
    const name = `${registry}/a:1`;
    const fitting = await dray(["pull", "--platform", "linux/arm64", name]);
    assert.deepEqual([fitting.code, fitting.err], [0, ""]);
    const foreign = await dray(["pull", "--platform", "windows/amd64", name]);
    assert.equal(foreign.code, 0);
    assert.equal(foreign.err, `Warning: ${name} is for linux/arm64 alone, not for windows/amd64\n`);
  },
);

test("failures end with their own exit code and one sentence", { timeout: 300_000 }, async (t) => {
  const { registry, dray, ok } = await setUp(t);
  await ok("build", "-t", `docker://${registry}/a:1`, "app");
  for (const [words, code] of [
    [["pull", `${registry}/a:2`], 3],
    [["pull", `${registry}/nothing:1`], 3],
    [["digest", "store:nothing"], 3],
    [["push", "nothing:1"], 3],
    [["pull", "Not-A-Name"], 2],
    [["pull", "--tls-ca", "missing.pem", `${registry}/a:1`], 2],
    [["load", "-i", "missing.tar"], 8],
    [["config", "--platform", "plan9/mips", `${registry}/a:1`], 0],
  ] as const) {
    const result = await dray(words);
    assert.equal(result.code, code, `${words.join(" ")}: ${result.err}`);
    if (code === 0) continue;
    assert.match(result.err, /^dray: [^\n]+[^.\n]\n(?:Try: .*\n)?$/, words.join(" "));
    assert.equal(result.out, "");
  }
});

test(
  "a login is kept only if the registry accepts it, and never shows the password",
  { timeout: 300_000 },
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), "dray-login-"));
    const expected = `Basic ${Buffer.from("me:s3cret").toString("base64")}`;
    const served = await serveRegistry({
      dir: join(folder, "registry"),
      port: 0,
      drainTimeout: 500,
      authorize: (request) =>
        request.header("authorization") === expected
          ? { allowed: true }
          : { allowed: false, status: 401, reason: "log in", challenge: 'Basic realm="test"' },
    });
    t.after(async () => {
      await served.close();
      await rm(folder, { recursive: true });
    });
    const registry = `localhost:${served.port}`;
    await mkdir(join(folder, "app"));
    await writeFile(join(folder, "app", "file"), "content");
    const dray = async (words: readonly string[], stdin = ""): Promise<Result> => {
      const env = { DOCKER_CONFIG: join(folder, "docker"), XDG_DATA_HOME: join(folder, "data") };
      const context = createMemoryContext({ cwd: folder, home: folder, env, stdin, now: Date.now });
      const code = await run(words, context);
      return { code, out: context.stdout.text, err: context.stderr.text, bytes: context.stdout.bytes };
    };
    const wrong = await dray(["login", registry, "-u", "me", "--password-stdin", "--debug"], "wr0ng\n");
    assert.equal(wrong.code, 4, wrong.err);
    assert.ok(!wrong.err.includes("wr0ng"));
    assert.match(
      wrong.err,
      /^dray: Cannot log in to "localhost:\d+": it does not take this user name and password$/m,
    );
    const push = ["build", "-t", `docker://${registry}/a:1`, "app"];
    assert.equal((await dray(push)).code, 4);
    const right = await dray(["login", registry, "-u", "me", "--password-stdin"], "s3cret\n");
    assert.deepEqual([right.code, right.out], [0, "Login Succeeded\n"], right.err);
    assert.equal((await dray(push)).code, 0);
    assert.equal((await dray(["logout", registry])).out, `Removed login credentials for ${registry}\n`);
    assert.equal((await dray(["digest", `${registry}/a:1`])).code, 4);
    const once = await dray(["digest", `${registry}/a:1`, "-u", "me", "--password-stdin"], "s3cret");
    assert.equal(once.code, 0, once.err);
  },
);
