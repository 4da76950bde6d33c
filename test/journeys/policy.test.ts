/** `dray policy` says of manifests what the webhook would, and writes it into them. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { run } from "../../src/cli/run.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import { serveRegistry } from "../../src/registry/index.ts";

const ACCOUNT = `apiVersion: v1
kind: ServiceAccount
metadata: { name: builder, namespace: shop }
imagePullSecrets: [{ name: regcred }]
`;

function deployment(...containers: readonly string[]): string {
  return `# mine
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, namespace: shop }
spec:
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      serviceAccountName: builder
      containers:
${containers.map((line) => `        ${line}\n`).join("")}`;
}

interface World {
  readonly folder: string;
  readonly dray: (
    words: readonly string[],
    stdin?: string,
  ) => Promise<{ readonly code: number; readonly out: string; readonly err: string }>;
}

async function setUp(t: TestContext, files: Readonly<Record<string, string>>): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "dray-policy-"));
  t.after(() => rm(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const dray: World["dray"] = async (words, stdin = "") => {
    const env = { XDG_DATA_HOME: folder };
    const context = createMemoryContext({ cwd: folder, home: folder, now: Date.now, env, stdin });
    const code = await run(words, context);
    return { code, out: context.stdout.text, err: context.stderr.text };
  };
  return { folder, dray };
}

test("dray policy refuses what the webhook refuses, once for a template and its Pods", async (t) => {
  const web = deployment("- { name: web, image: busybox }");
  const { dray } = await setUp(t, { "web.yaml": web });
  const { code, out } = await dray(["policy", "--forbid-latest", "web.yaml"]);
  assert.equal(code, 1);
  assert.equal(out.match(/refused: /g)?.length, 1, out);
  assert.match(out, /web\.yaml:2 Deployment shop\/web: refused/);
  const warned = await dray(["policy", "--forbid-latest", "--warn-only", "web.yaml"]);
  assert.equal(warned.code, 0);
  assert.match(warned.out, /warning: image "busybox" of container "web" has no tag/);
  assert.equal(
    (await dray(["policy", "--forbid-latest", "--warn-only", "--fail-on", "warning", "web.yaml"])).code,
    1,
  );
  const exempt = ["policy", "--forbid-latest", "--exempt-namespace", "shop", "web.yaml"];
  assert.equal((await dray(exempt)).code, 0);
});

test("dray policy tells defaults from plugins, and adds an account's Secrets", async (t) => {
  const web =
    deployment("- { name: web, image: a/b:1 }", "- { name: side, image: busybox }") + `---\n${ACCOUNT}`;
  const { dray } = await setUp(t, { "web.yaml": web });
  const { code, out } = await dray(["policy", "--always-pull-images", "--json", "web.yaml"]);
  assert.equal(code, 0);
  const [object] = (JSON.parse(out) as { objects: Record<string, unknown>[] }).objects;
  assert.deepEqual(object?.["pullSecrets"], ["regcred"]);
  assert.deepEqual(object?.["patch"], []);
  assert.deepEqual(object?.["podPatch"], [
    { op: "replace", path: "/spec/containers/0/imagePullPolicy", value: "Always" },
    { op: "add", path: "/spec/imagePullSecrets", value: [{ name: "regcred" }] },
  ]);
  const policies = ((object?.["images"] ?? []) as { policy: unknown }[]).map(({ policy }) => policy);
  assert.deepEqual(policies, [
    { after: "Always", by: "AlwaysPullImages" },
    { after: "Always", by: "default" },
  ]);
  assert.equal((await dray(["policy", "--always-pull-images", "--fail-on", "change", "web.yaml"])).code, 1);
});

test("dray policy --complete misses ServiceAccounts that are in no file", async (t) => {
  const { dray } = await setUp(t, { "web.yaml": deployment("- { name: web, image: a/b:1 }") });
  assert.equal((await dray(["policy", "web.yaml"])).code, 0);
  const { code, out } = await dray(["policy", "--complete", "web.yaml"]);
  assert.equal(code, 1);
  assert.match(out, /builder.* not found/);
});

test("dray policy --fix writes policies in blocks, in braces and in JSON, and nothing the second time", async (t) => {
  const block = ['- image: "a/b:1" # here', "  name: web", "- { name: side, image: a/b:2 }"];
  const kept = ["- name: kept", "  image: a/b:3", "  imagePullPolicy: 'Never' # no"];
  const pod = `{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p"},"spec":{"containers":[{"name":"c","image":"a/b:4"}]}}`;
  const files = {
    "web.yaml": deployment(...block, ...kept),
    "windows.yaml": deployment("- image: a/b:1", "  name: web").replaceAll("\n", "\r\n"),
    "pod.json": pod,
  };
  const { folder, dray } = await setUp(t, files);
  const words = ["policy", "--always-pull-images", "--fix", "web.yaml", "windows.yaml", "pod.json"];
  assert.equal((await dray(words)).code, 0);
  const read = (name: string): Promise<string> => readFile(join(folder, name), "utf8");
  const wanted = deployment(
    '- image: "a/b:1" # here',
    "  imagePullPolicy: Always",
    "  name: web",
    "- { name: side, image: a/b:2, imagePullPolicy: Always }",
    "- name: kept",
    "  image: a/b:3",
    "  imagePullPolicy: 'Always' # no",
  );
  assert.equal(await read("web.yaml"), wanted);
  const windows = deployment("- image: a/b:1", "  imagePullPolicy: Always", "  name: web");
  assert.equal(await read("windows.yaml"), windows.replaceAll("\n", "\r\n"));
  assert.equal(await read("pod.json"), pod.replace('"a/b:4"', '"a/b:4", "imagePullPolicy": "Always"'));
  const again = await dray([...words.filter((word) => word !== "--fix"), "--fail-on", "change"]);
  assert.equal(again.code, 0, again.out);
});

test("dray policy --pin asks registries for digests alone, and writes them", async (t) => {
  const { folder, dray } = await setUp(t, {});
  const served = await serveRegistry({ dir: join(folder, "registry"), port: 0 });
  t.after(() => served.close());
  await mkdir(join(folder, "app"));
  await writeFile(join(folder, "app", "file"), "one");
  const image = `localhost:${served.port}/shop/app:1`;
  const built = await dray(["build", "--tag", `docker://${image}`, "app"]);
  assert.equal(built.code, 0, built.err);
  const digest = built.out.trim();
  const text = deployment(`- { name: web, image: '${image}' }`);
  await writeFile(join(folder, "web.yaml"), text);
  const printed = await dray(["policy", "--pin", "-o", "yaml", "web.yaml"]);
  assert.equal(printed.code, 0, printed.err);
  assert.equal(printed.out, text.replace(image, `${image}@${digest}`));
  const input = await dray(["policy", "--pin", "-o", "yaml", "-"], text);
  assert.equal(input.out, printed.out);
  await dray(["policy", "--pin", "--fix", "web.yaml"]);
  assert.equal(await readFile(join(folder, "web.yaml"), "utf8"), printed.out);
  const gone = await dray(["policy", "--pin", "-"], text.replace("app:1", "app:2"));
  assert.equal(gone.code, 1);
  assert.match(gone.out, /refused: /);
});

test("dray policy says when it can't do what it is asked", async (t) => {
  const { dray } = await setUp(t, {
    "none.yaml": "kind: ConfigMap\napiVersion: v1\nmetadata: { name: a }\n",
  });
  assert.equal((await dray(["policy", "none.yaml"])).code, 2);
  assert.equal((await dray(["policy", "nowhere.yaml"])).code, 8);
  assert.equal((await dray(["policy", "--fix", "-"])).code, 2);
  assert.equal((await dray(["policy", "--fix", "-o", "yaml", "none.yaml"])).code, 2);
});
