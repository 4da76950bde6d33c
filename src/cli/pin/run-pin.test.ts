import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { serveRegistry } from "../../registry/index.ts";
import { run } from "../run.ts";
import { createMemoryContext } from "../testing.ts";

interface World {
  readonly folder: string;
  readonly registry: string;
  /** Builds an image with this content and tags it. */
  readonly push: (tag: string, content: string) => Promise<string>;
  readonly pin: (
    ...words: readonly string[]
  ) => Promise<{ readonly code: number; readonly out: string; readonly err: string }>;
}

async function setUp(t: TestContext): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "dray-pin-"));
  const served = await serveRegistry({ dir: join(folder, "registry"), port: 0 });
  t.after(async () => {
    await served.close();
    await rm(folder, { recursive: true });
  });
  await mkdir(join(folder, "app"));
  const registry = `localhost:${served.port}`;
  const call = async (words: readonly string[]): ReturnType<World["pin"]> => {
    const context = createMemoryContext({
      cwd: folder,
      home: folder,
      now: Date.now,
      env: { XDG_DATA_HOME: folder },
    });
    const code = await run(words, context);
    return { code, out: context.stdout.text, err: context.stderr.text };
  };
  const push: World["push"] = async (tag, content) => {
    await writeFile(join(folder, "app", "file"), content);
    const { code, out, err } = await call(["build", "--tag", `docker://${registry}/${tag}`, "app"]);
    assert.equal(code, 0, err);
    return out.trim();
  };
  return { folder, registry, push, pin: (...words) => call(["pin", ...words]) };
}

function podOf(image: string): string {
  return `# mine\nkind: Pod\nspec:\n  containers:\n    - image: "${image}" # here\n`;
}

test("dray pin gives every tag its digest, keeps the rest, and does nothing the second time", async (t) => {
  const { folder, registry, push, pin } = await setUp(t);
  const digest = await push("app:1", "one");
  await mkdir(join(folder, "manifests", ".git"), { recursive: true });
  const file = join(folder, "manifests", "web.yaml");
  await writeFile(file, podOf(`${registry}/app:1`));
  await writeFile(join(folder, "manifests", ".git", "x.yaml"), podOf(`${registry}/none:1`));
  await writeFile(join(folder, "manifests", "notes.txt"), podOf(`${registry}/none:1`));
  await chmod(file, 0o640);
  const first = await pin("manifests");
  assert.equal(first.code, 0, first.err);
  assert.equal(first.out, `manifests/web.yaml:5: ${registry}/app:1 → ${registry}/app:1@${digest}\n`);
  assert.equal(await readFile(file, "utf8"), podOf(`${registry}/app:1@${digest}`));
  assert.equal((await stat(file)).mode & 0o777, 0o640);
  assert.deepEqual(await pin("manifests"), { code: 0, out: "", err: "" });
});

test("--check tells what isn't pinned and what has moved, and changes nothing; --update takes it", async (t) => {
  const { folder, registry, push, pin } = await setUp(t);
  const old = await push("app:1", "one");
  const file = join(folder, "web.yaml");
  await writeFile(file, podOf(`${registry}/app:1@${old}`));
  assert.equal((await pin("--check", "web.yaml")).code, 0);
  const fresh = await push("app:1", "two");
  const check = await pin("--check", "web.yaml");
  assert.equal(check.code, 1);
  assert.match(check.out, new RegExp(`moved: tag 1 was ${old} \\(made .*\\), is ${fresh} \\(made `));
  assert.equal(await readFile(file, "utf8"), podOf(`${registry}/app:1@${old}`));
  // Without being asked to, nothing that is pinned is looked at.
  assert.deepEqual(await pin("web.yaml"), { code: 0, out: "", err: "" });
  assert.equal((await pin("--update", "web.yaml")).code, 0);
  assert.equal(await readFile(file, "utf8"), podOf(`${registry}/app:1@${fresh}`));
  await writeFile(file, podOf(`${registry}/app:1`));
  const unpinned = await pin("--check", "--json", "web.yaml");
  assert.equal(unpinned.code, 1);
  const { state, line, digest } = JSON.parse(unpinned.out) as Record<string, unknown>;
  assert.deepEqual([state, line, digest], ["unpinned", 5, fresh]);
});

test("a rule lets versions move on as far as it says", async (t) => {
  const { folder, registry, push, pin } = await setUp(t);
  const old = await push("app:1.2.0", "a");
  const patch = await push("app:1.2.9", "b");
  await push("app:1.10.0", "c");
  const file = join(folder, "web.yaml");
  await writeFile(file, podOf(`${registry}/app:1.2.0@${old}`));
  const behind = await pin("--check", "--rule", `${registry}/app=patch`, "web.yaml");
  assert.equal(behind.code, 1);
  assert.match(
    behind.out,
    new RegExp(`is behind: tag 1\\.2\\.9 is ${patch} \\(made .*\\), and it is at ${old} `),
  );
  const updated = await pin("--update", "--rule", `${registry}/app=patch`, "--rule", "*=major", "web.yaml");
  assert.equal(updated.code, 0, updated.err);
  assert.equal(await readFile(file, "utf8"), podOf(`${registry}/app:1.2.9@${patch}`));
});

test("what can't be looked up is said with its place, and the others are pinned", async (t) => {
  const { folder, registry, push, pin } = await setUp(t);
  const digest = await push("app:1", "one");
  await writeFile(join(folder, "a.yaml"), podOf(`${registry}/none:1`));
  await writeFile(join(folder, "b.yaml"), podOf(`${registry}/app:1`));
  const { code, err } = await pin("a.yaml", "b.yaml");
  assert.equal(code, 1);
  assert.match(err, /^a\.yaml:5: localhost:\d+\/none:1: Cannot read manifest/);
  assert.equal(await readFile(join(folder, "b.yaml"), "utf8"), podOf(`${registry}/app:1@${digest}`));
  const missing = await pin("b.yaml", "nowhere.yaml");
  assert.equal(missing.code, 8);
  assert.match(missing.err, /Cannot read "nowhere\.yaml"/);
  assert.equal((await pin("--check", "--update", "b.yaml")).code, 2);
  assert.equal((await pin("--update", "--rule", "x=often", "b.yaml")).code, 2);
});
