/** `dray up` in this process: real HTTP, a real folder, a real store. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, unlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { run } from "../../src/cli/run.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";

interface Line {
  readonly event: string;
  readonly pod?: string;
  readonly container?: string;
  readonly phase?: string;
  readonly outcome?: string | null;
  readonly reason?: string | null;
  readonly message?: string | null;
  readonly digest?: string | null;
  readonly registry?: { readonly port: number } | null;
}

interface World {
  readonly folder: string;
  /** Where the Pods are. */
  readonly pods: string;
  /** Starts `dray up --json` with these words; ends with the test. */
  readonly up: (...words: string[]) => Up;
  /** Builds an image with this text in it, and pushes it. */
  readonly push: (name: string, text: string) => Promise<string>;
}

interface Up {
  /** The first line from now on, or so far, that is as wanted. */
  readonly line: (wanted: Partial<Line>) => Promise<Line>;
  readonly stderr: (pattern: RegExp) => Promise<RegExpExecArray>;
  /** Ctrl-C; the exit code. */
  readonly stop: () => Promise<number>;
  readonly ended: Promise<number>;
}

async function setUp(t: TestContext): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "dray-up-"));
  const running: Up[] = [];
  t.after(async () => {
    for (const each of running) await each.stop();
    await rm(folder, { recursive: true });
  });
  const pods = join(folder, "pods");
  const env = { XDG_DATA_HOME: join(folder, "data") };
  const up = (...words: string[]): Up => {
    const controller = new AbortController();
    const looks = new Set<() => void>();
    const context = createMemoryContext({
      cwd: folder,
      home: folder,
      env,
      now: Date.now,
      signal: controller.signal,
      onWrite: () => looks.forEach((look) => look()),
    });
    const ended = run(["up", "--json", ...words, pods], context);
    const find = <T>(search: () => T | null | undefined): Promise<T> =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = search();
          if (found === null || found === undefined) return;
          looks.delete(look);
          resolve(found);
        };
        looks.add(look);
        look();
        void ended.then(() => reject(new Error(`up ended:\n${context.stdout.text}${context.stderr.text}`)));
      });
    const lines = (): Line[] =>
      context.stdout.text
        .split("\n")
        .filter((text) => text !== "")
        .map((text) => JSON.parse(text) as Line);
    const handle: Up = {
      line: (wanted) =>
        find(() =>
          lines().find((line) =>
            Object.entries(wanted).every(([key, value]) => line[key as keyof Line] === value),
          ),
        ),
      stderr: (pattern) => find(() => pattern.exec(context.stderr.text)),
      stop: async () => {
        controller.abort();
        return await ended;
      },
      ended,
    };
    running.push(handle);
    return handle;
  };
  const push = async (name: string, text: string): Promise<string> => {
    await mkdir(join(folder, "app"), { recursive: true });
    await writeFile(join(folder, "app", "file"), text);
    const context = createMemoryContext({ cwd: folder, home: folder, env, now: Date.now });
    assert.equal(await run(["build", "-t", `docker://${name}`, "app"], context), 0, context.stderr.text);
    return context.stdout.text.trim();
  };
  await mkdir(pods);
  return { folder, pods, up, push };
}

function pod(name: string, containers: string): string {
  return `apiVersion: v1\nkind: Pod\nmetadata: {name: ${name}}\nspec: {containers: [${containers}]}\n`;
}

test("the table stays true while Pods are edited and tags are pushed", { timeout: 240_000 }, async (t) => {
  const { pods, up, push } = await setUp(t);
  const node = up("--registry-port", "0");
  const { registry } = await node.line({ event: "started" });
  const name = `localhost:${registry?.port}/team/app`;
  await writeFile(
    join(pods, "app.yaml"),
    pod("app", `{name: fixed, image: '${name}:1'}, {name: newest, image: '${name}:latest'}`),
  );
  const failed = await node.line({ container: "fixed", phase: "failed", reason: "ErrImagePull" });
  assert.match(failed.message ?? "", /team\/app/);

  // What failed for want of the tag is taken up when the tag comes, without waiting for the back-off to end.
  const one = await push(`${name}:1`, "one");
  await node.line({ container: "fixed", outcome: "pulled", digest: one });
  const first = await push(`${name}:latest`, "first");
  await node.line({ container: "newest", outcome: "pulled", digest: first });
  const second = await push(`${name}:latest`, "second");
  assert.notEqual(first, second);
  await node.line({ container: "newest", outcome: "pulled", digest: second });

  await writeFile(join(pods, "app.yaml"), pod("app", `{name: edited, image: '${name}:1'}`));
  await node.line({ container: "edited", outcome: "present", digest: one });
  await writeFile(join(pods, "new.yaml"), pod("new", `{name: bad, image: 'Not A Name'}`));
  const bad = await node.line({ pod: "new", reason: "InvalidImageName" });
  assert.match(
    bad.message ?? "",
    /^Failed to apply default image tag "Not A Name": couldn't parse image name/,
  );
  await unlink(join(pods, "new.yaml"));
  await node.line({ event: "pod-removed", pod: "new" });
  assert.equal(await node.stop(), 0);
});

test("bad YAML is one sentence with a place, and the rest goes on", { timeout: 240_000 }, async (t) => {
  const { pods, up } = await setUp(t);
  await writeFile(join(pods, "bad.yaml"), "kind: Pod\n  apiVersion: v1\n");
  await writeFile(join(pods, "never.yaml"), pod("never", "{name: c, image: 'x:1', imagePullPolicy: Never}"));
  const node = up("--registry-port", "0");
  await node.line({ event: "started" });
  const problem = await node.line({ event: "problem" });
  assert.match(problem.message ?? "", /^bad\.yaml, line \d+, column \d+: not valid YAML: [^\n]+$/);
  const never = await node.line({ pod: "never", reason: "ErrImageNeverPull" });
  assert.equal(never.message, 'Container image "x:1" is not present with pull policy of Never');
});

test(
  "a port that is taken is one sentence, and the node goes on without the registry",
  { timeout: 240_000 },
  async (t) => {
    const { pods, up } = await setUp(t);
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    t.after(() => new Promise((resolve) => taken.close(resolve)));
    const { port } = taken.address() as AddressInfo;
    await writeFile(join(pods, "p.yaml"), pod("p", "{name: c, image: 'x:1', imagePullPolicy: Never}"));
    const node = up("--registry-port", String(port));
    const [said] = await node.stderr(/^dray: .*$/m);
    assert.match(
      said,
      new RegExp(
        `^dray: Cannot serve the registry on "127.0.0.1:${port}": .*--registry-port ${port + 1}\\); the node goes on without it$`,
      ),
    );
    await node.line({ pod: "p", reason: "ErrImageNeverPull" });
    assert.equal(await node.stop(), 8);
  },
);

test("--once ends by itself: 0 when every image came, 1 when one can't", { timeout: 240_000 }, async (t) => {
  const { pods, up } = await setUp(t);
  assert.equal(await up("--once", "--no-registry").ended, 0);
  await writeFile(join(pods, "p.yaml"), pod("p", "{name: c, image: 'x:1', imagePullPolicy: Never}"));
  assert.equal(await up("--once", "--no-registry").ended, 1);
});

test("a folder that cannot be written or read is one sentence", { timeout: 240_000 }, async (t) => {
  const { folder, pods, up } = await setUp(t);
  await rm(pods, { recursive: true });
  await writeFile(pods, "a file, not a folder");
  const node = up("--registry-port", "0");
  await node.stderr(/^dray: Cannot make folder .*: it exists already$/m);
  const problem = await node.line({ event: "problem" });
  assert.equal(
    problem.message,
    `Cannot read folder ${JSON.stringify(join(folder, "pods"))}: it is not a folder`,
  );
});
