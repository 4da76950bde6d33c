/** What `dray up` is told by options, files and extensions, in this process. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { authorize } from "../../examples/private-registry/authorize.ts";
import { run } from "../../src/cli/run.ts";
import { createMemoryContext, type MemoryContext } from "../../src/cli/testing.ts";
import type { NodeStatus } from "../../src/cli/up/status-file.ts";
import { Secret } from "../../src/credentials/index.ts";
import { openServiceAccountKey, verifyServiceAccountToken } from "../../src/kubernetes/index.ts";
import { type ServedRegistry, serveRegistry } from "../../src/registry/index.ts";

interface World {
  readonly folder: string;
  readonly write: (name: string, text: string) => Promise<void>;
  readonly dray: (...words: readonly string[]) => Promise<MemoryContext & { readonly code: number }>;
  /** `dray up --once` over the folder `pods`; what became of the last container named so. */
  readonly up: (...words: readonly string[]) => Promise<string>;
}

async function setUp(t: TestContext, env: Readonly<Record<string, string>> = {}): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "dray-settings-"));
  t.after(() => rm(folder, { recursive: true }));
  for (const name of ["app", "pods"]) await mkdir(join(folder, name));
  await writeFile(join(folder, "app", "file"), "text");
  const dray: World["dray"] = async (...words) => {
    const own = { XDG_DATA_HOME: join(folder, "data"), HOME: folder, PATH: `${folder}:/usr/bin:/bin` };
    const context = createMemoryContext({
      cwd: folder,
      home: folder,
      now: Date.now,
      env: { ...own, ...env },
    });
    const code = await run(words, context);
    return { ...context, code };
  };
  const up: World["up"] = async (...words) => {
    const { stdout, stderr } = await dray("up", "--once", "--json", "--no-registry", ...words);
    const lines = stdout.text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line) as Readonly<Record<string, string | null>>);
    const last = lines.findLast(({ event }) => event === "container");
    return last?.["reason"] ?? last?.["outcome"] ?? stderr.text;
  };
  return { folder, dray, up, write: (name, text) => writeFile(join(folder, name), text) };
}

function pod(image: string, policy: string): string {
  return `{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {containers: [{name: c, image: '${image}', imagePullPolicy: ${policy}}]}}`;
}

async function privateRegistry(t: TestContext, { dray, folder }: World): Promise<ServedRegistry> {
  const registry = await serveRegistry({ dir: join(folder, "registry"), port: 0, authorize });
  t.after(() => registry.close());
  const words = ["--username", "builder", "--tag", `docker://localhost:${registry.port}/me/app:1`, "app"];
  const built = await dray("build", ...words);
  assert.equal(built.code, 0, built.stderr.text);
  return registry;
}

const PASSWORD = { DRAY_PASSWORD: "builder-pw" };
const AUTH = { username: "me", password: "me-pw" };

test("who may use an image that is here is for the verification policy to say", async (t) => {
  const { dray, up, write } = await setUp(t);
  assert.equal((await dray("build", "--tag", "r.example/app:1", "app")).code, 0);
  await write("pods/p.yaml", pod("r.example/app:1", "Never"));
  await write(
    "kubelet.yaml",
    "{apiVersion: kubelet.config.k8s.io/v1beta1, kind: KubeletConfiguration, imagePullCredentialsVerificationPolicy: AlwaysVerify}",
  );
  assert.equal(await up(), "present");
  assert.equal(await up("--verification-policy", "AlwaysVerify"), "ErrImageNeverPull");
  assert.equal(await up("--config", "kubelet.yaml"), "ErrImageNeverPull");
  assert.equal(await up("--config", "kubelet.yaml", "--verification-policy", "NeverVerify"), "present");
  const allowlisted = ["--verification-policy", "NeverVerifyAllowlistedImages", "--verification-allowlist"];
  assert.equal(await up(...allowlisted, "r.example/*"), "present");
  assert.equal(await up(...allowlisted, "other.example/*"), "ErrImageNeverPull");
});

test("settings that a kubelet refuses are refused in its words", async (t) => {
  const { dray, write } = await setUp(t);
  await write("other.yaml", "{apiVersion: v1, kind: Pod}");
  await write("list.yaml", "[1]");
  for (const [words, code, message] of [
    [["--image-gc-low-threshold", "90"], 2, /must be less than imageGCHighThresholdPercent/],
    [["--max-parallel-pulls", "0"], 2, /maxParallelImagePulls 0 must be a positive number/],
    [["--serialize-image-pulls=true", "--max-parallel-pulls=2"], 2, /cannot be larger than 1 unless/],
    [["--max-byte-rate", "fast"], 2, /--max-byte-rate does not take "fast": write 65536, 500k or 20M/],
    [["--registry-qps", "many"], 2, /--registry-qps does not take "many": it is a whole number/],
    [["--config", "other.yaml"], 2, /it is a "Pod" of "v1", not a "KubeletConfiguration"/],
    [["--config", "gone.yaml"], 8, /gone\.yaml/],
    [["--node-config", "gone.json"], 8, /Cannot use ".*gone\.json" as the node's file/],
    [["--node-config", "other.yaml"], 8, /as the node's file: it is no config\.json/],
    [["--image-credential-provider-bin-dir", "gone"], 8, /plugin binary directory .*gone did not exist/],
    [["--credential-extension", "./gone.ts"], 8, /Cannot use extension "\.\/gone\.ts": it can't be loaded/],
    [["--extension-settings", "gone"], 8, /Cannot use ".*gone" as settings of extensions: .*no such file/],
    [
      ["--extension-settings", "list.yaml"],
      8,
      /as settings of extensions: it is no map of settings by module/,
    ],
    [["--extension-settings", "other.yaml"], 8, /it has settings for "apiVersion", which isn't loaded/],
  ] as const) {
    const ended = await dray("up", "--once", "--no-registry", ...words);
    assert.match(ended.stderr.text, message, words.join(" "));
    assert.equal(ended.code, code, words.join(" "));
  }
});

test("policy Always is content with what is here only where that was asked for", async (t) => {
  const { dray, up, write } = await setUp(t);
  // Nothing listens on port 1.
  assert.equal((await dray("build", "--tag", "localhost:1/app:1", "app")).code, 0);
  await write("pods/p.yaml", pod("localhost:1/app:1", "Always"));
  assert.equal(await up(), "ErrImagePull");
  assert.equal(await up("--pull-fallback", "present"), "present");
  assert.equal(await up("--pull-fallback", "none", "--pull-order", "priority"), "ErrImagePull");
  const told = await dray("status", "--json");
  assert.match(told.stdout.text, /connection refused/);
  assert.match(told.stdout.text, /"kind":"passing","because":"unreachable"/);
});

test("the node's own credentials come from its file, the kubelet's places, extensions or Docker", async (t) => {
  const world = await setUp(t, PASSWORD);
  const { up, write, folder } = world;
  const { port } = await privateRegistry(t, world);
  await write("pods/p.yaml", pod(`localhost:${port}/me/app:1`, "Always"));
  const entry = (username: string, password: string): string =>
    JSON.stringify({ auths: { [`localhost:${port}`]: { username, password } } });
  await write(
    "extension.mjs",
    `export const createCredentialSource = () => ({ find: ({ host, repository }) =>
      host === "localhost:${port}" && repository === "me/app" ? [${JSON.stringify(AUTH)}] : [] });`,
  );
  await write("right.json", entry("me", "me-pw"));
  await write("wrong.json", entry("me", "wrong"));
  assert.equal(await up(), "ErrImagePull");
  assert.equal(await up("--node-config", "right.json"), "pulled");
  assert.equal(await up("--node-config", "wrong.json"), "ErrImagePull");
  assert.equal(await up("--credential-extension", "./extension.mjs"), "pulled");
  // The file's entry is tried first, the extension's after it.
  assert.equal(
    await up("--node-config", "wrong.json", "--credential-extension", "./extension.mjs"),
    "pulled",
  );
  // What a module is told stands in a file, by the module's name.
  await write(
    "vault.mjs",
    `export const createCredentialSource = ({ user, vault }) => ({ find: () =>
      vault.open ? [{ username: user, password: user + "-pw" }] : [] });`,
  );
  const extension = ["--credential-extension", "./vault.mjs", "--extension-settings"];
  await write("settings.yaml", "./vault.mjs: { user: me, vault: { open: true } }\n");
  assert.equal(await up(...extension, "settings.yaml"), "pulled");
  await write("settings.json", '{ "./vault.mjs": { "user": "me", "vault": { "open": false } } }');
  assert.equal(await up(...extension, "settings.json"), "ErrImagePull");

  const helper = `#!/bin/sh\ncat > /dev/null\necho '{"Username":"me","Secret":"me-pw"}'\n`;
  await writeFile(join(folder, "docker-credential-here"), helper, { mode: 0o755 });
  await mkdir(join(folder, ".docker"));
  await write(".docker/config.json", JSON.stringify({ credsStore: "here" }));
  assert.equal(await up(), "ErrImagePull");
  assert.equal(await up("--docker-credentials"), "pulled");
  await write("config.json", entry("me", "me-pw"));
  assert.equal(await up(), "pulled");
});

test("an exec provider is given a token of the Pod's ServiceAccount, and the node tells what images are here", async (t) => {
  const world = await setUp(t, PASSWORD);
  const { dray, up, write, folder } = world;
  const { port } = await privateRegistry(t, world);
  await mkdir(join(folder, "bin"));
  await writeFile(
    join(folder, "bin", "teller"),
    `#!${process.execPath}
    const { readFileSync, writeFileSync } = require("node:fs");
    const request = JSON.parse(readFileSync(0, "utf8"));
    writeFileSync(${JSON.stringify(join(folder, "request.json"))}, JSON.stringify(request));
    const { apiVersion, serviceAccountAnnotations = {} } = request;
    const auth = serviceAccountAnnotations.user === "me" ? { "localhost:${port}": ${JSON.stringify(AUTH)} } : {};
    console.log(JSON.stringify({ kind: "CredentialProviderResponse", apiVersion, cacheKeyType: "Registry", auth }));
    `,
    { mode: 0o755 },
  );
  await write(
    "providers.yaml",
    `apiVersion: kubelet.config.k8s.io/v1
kind: CredentialProviderConfig
providers:
  - name: teller
    apiVersion: credentialprovider.kubelet.k8s.io/v1
    matchImages: ["localhost:${port}"]
    defaultCacheDuration: 1m
    tokenAttributes:
      serviceAccountTokenAudience: registry.example
      cacheType: Token
      requireServiceAccount: true
      optionalServiceAccountAnnotationKeys: [user]
`,
  );
  const account =
    "{apiVersion: v1, kind: ServiceAccount, metadata: {name: default, annotations: {user: me}}}";
  await write("pods/p.yaml", `${pod(`localhost:${port}/me/app:1`, "Always")}\n---\n${account}\n`);
  const words = ["--image-credential-provider-config", "providers.yaml"];
  const outcome = await up(...words, "--image-credential-provider-bin-dir", "bin", "--node-name", "lab1");
  assert.equal(outcome, "pulled");

  const { serviceAccountToken } = JSON.parse(await readFile(join(folder, "request.json"), "utf8")) as {
    readonly serviceAccountToken: string;
  };
  const key = await openServiceAccountKey(join(folder, "data", "dray", "pki", "sa.key"));
  const verified = await verifyServiceAccountToken(key, new Secret(serviceAccountToken), {
    now: Date.now,
    audiences: ["registry.example"],
  });
  assert.deepEqual(
    [verified?.username, verified?.pod?.name, verified?.node],
    ["system:serviceaccount:default:default", "p", { name: "lab1" }],
  );
  const told = await dray("status", "--json");
  assert.ok(!told.stdout.text.includes(serviceAccountToken));
  const { images, pods } = JSON.parse(told.stdout.text) as NodeStatus;
  const digest = pods[0]?.containers[0]?.digest ?? "";
  assert.deepEqual(images, [
    {
      names: [`localhost:${port}/me/app@${digest}`, `localhost:${port}/me/app:1`],
      sizeBytes: pods[0]?.containers[0]?.size,
    },
  ]);
  const shown = await dray("status", "--images");
  assert.ok(shown.stdout.text.includes(`localhost:${port}/me/app@${digest} localhost:${port}/me/app:1`));
  assert.equal(
    await up(...words, "--image-credential-provider-bin-dir", "bin", "--node-status-max-images", "0"),
    "pulled",
  );
  assert.deepEqual((JSON.parse((await dray("status", "--json")).stdout.text) as NodeStatus).images, []);
});

test("dray credential-provider answers a kubelet from Docker's file and from extensions", async (t) => {
  const { folder, write } = await setUp(t);
  await write("auth.json", JSON.stringify({ auths: { "r.example/team": AUTH } }));
  await write(
    "extension.mjs",
    `export const createCredentialSource = () => ({ find: ({ host }) => host === "x.example" ? [${JSON.stringify(AUTH)}] : [] });`,
  );
  const ask = async (image: string, ...words: readonly string[]): Promise<unknown> => {
    const request = {
      kind: "CredentialProviderRequest",
      apiVersion: "credentialprovider.kubelet.k8s.io/v1",
      image,
    };
    const stdin = JSON.stringify(request);
    const context = createMemoryContext({ cwd: folder, home: folder, stdin });
    const code = await run(
      ["credential-provider", "--authfile", join(folder, "auth.json"), ...words],
      context,
    );
    return code === 0 ? JSON.parse(context.stdout.text) : [code, context.stderr.text];
  };
  const answer = {
    kind: "CredentialProviderResponse",
    apiVersion: "credentialprovider.kubelet.k8s.io/v1",
    cacheKeyType: "Image",
  };
  assert.deepEqual(await ask("r.example/team/app", "--cache-duration", "10m"), {
    ...answer,
    cacheDuration: "10m0s",
    auth: { "r.example/team/app": AUTH },
  });
  const { auth } = (await ask("x.example/a", "--credential-extension", "./extension.mjs")) as {
    auth: unknown;
  };
  assert.deepEqual(auth, { "x.example/a": AUTH });
  const nothing = (await ask("other.example/a")) as { auth?: unknown };
  assert.deepEqual(nothing.auth ?? {}, {});
  const context = createMemoryContext({ stdin: "{}" });
  assert.equal(await run(["credential-provider"], context), 8);
  assert.match(context.stderr.text, /^dray: Cannot read the credential request: /);
});

test("dray status says so where no node ran, and what is damaged", async (t) => {
  const { dray, folder, up, write } = await setUp(t);
  const none = await dray("status");
  assert.equal(none.code, 8);
  assert.match(none.stderr.text, /: none ran here; start one with dray up\n$/);
  await write("pods/p.yaml", pod("x:1", "Never"));
  assert.equal(await up("--node-name", "lab1"), "ErrImageNeverPull");
  const after = await dray("status", "--events", "p");
  assert.equal(after.code, 1);
  assert.match(after.stderr.text, /^The node isn't running; this is how things stood .* ago\n$/);
  assert.match(after.stdout.text, /^p +c +x:1 +Never +ErrImageNeverPull/m);
  assert.match(
    after.stdout.text,
    /Warning +ErrImageNeverPull +p spec\.containers\{c\} +1 +Container image "x:1" is not present with pull policy of Never/,
  );
  assert.match((await dray("status", "other")).stdout.text, /No Pods yet/);

  const { pods, node } = JSON.parse((await dray("status", "--json")).stdout.text) as NodeStatus;
  assert.equal(node, "lab1");
  const [{ phase, conditions, containerStatuses, qosClass } = assert.fail()] = pods.map(
    ({ status }) => status,
  );
  assert.deepEqual(
    [phase, qosClass, conditions.map(({ type, status }) => `${type}=${status}`)],
    [
      "Pending",
      "BestEffort",
      [
        "PodReadyToStartContainers=True",
        "Initialized=True",
        "Ready=False",
        "ContainersReady=False",
        "PodScheduled=True",
      ],
    ],
  );
  assert.deepEqual(
    containerStatuses.map(({ name, image, imageID, ready }) => [name, image, imageID, ready]),
    [["c", "x:1", "", false]],
  );
  const file = join(folder, "data", "dray", "status.json");
  await writeFile(file, (await readFile(file, "utf8")).slice(0, 40));
  assert.match((await dray("status")).stderr.text, /: status\.json is damaged\n$/);
});
