/** Credential providers that want a token of the Pod's ServiceAccount: run when tokens may be made for them. */
import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { run } from "../../src/cli/run.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import { ConfiguredHosts, fetchTransport } from "../../src/client/index.ts";
import {
  CachingServiceAccounts,
  readProviderConfig,
  registerCredentialProviders,
  runProgram,
  type TokenIssuer,
} from "../../src/credentials/index.ts";
import {
  explain,
  type Explanation,
  explanationSchema,
  GivenObjects,
  ProviderRuns,
  TokenRequests,
} from "../../src/explain/index.ts";
import { forbidden, type KubernetesObject } from "../../src/kubernetes/index.ts";
import { findSchemaFaults } from "./json-schema.ts";
import { setUp } from "./up-cluster.ts";

function providersFor(registry: string): string {
  return `apiVersion: kubelet.config.k8s.io/v1
kind: CredentialProviderConfig
providers:
  - name: cloud
    apiVersion: credentialprovider.kubelet.k8s.io/v1
    defaultCacheDuration: 1h
    matchImages: ["${registry}"]
    tokenAttributes:
      serviceAccountTokenAudience: images.example.com
      requireServiceAccount: true
      cacheType: ServiceAccount
`;
}

/** Keeps what it is asked, and gives what opens the registry. */
function programFor(folder: string, registry: string): string {
  const auth = { [registry]: { username: "me", password: "me-pw" } };
  const answer = { kind: "CredentialProviderResponse", apiVersion: "credentialprovider.kubelet.k8s.io/v1" };
  const text = JSON.stringify({ ...answer, cacheKeyType: "Image", auth });
  return `#!/bin/sh\ncat >> ${folder}/asked.jsonl\necho >> ${folder}/asked.jsonl\ncat <<'EOF'\n${text}\nEOF\n`;
}

async function installProvider(folder: string, registry: string): Promise<readonly string[]> {
  await mkdir(join(folder, "bin"));
  await writeFile(join(folder, "providers.yaml"), providersFor(registry));
  await writeFile(join(folder, "bin/cloud"), programFor(folder, registry));
  await chmod(join(folder, "bin/cloud"), 0o755);
  return [
    "--image-credential-provider-config",
    "providers.yaml",
    "--image-credential-provider-bin-dir",
    "bin",
  ];
}

function claimsOf(token: string): { readonly [claim: string]: unknown } {
  return JSON.parse(Buffer.from(token.split(".")[1] ?? "", "base64url").toString("utf8")) as {
    readonly [claim: string]: unknown;
  };
}

test("a provider gets a token made for the Pod, when that is asked for, and it is shown nowhere", async (t) => {
  const { registry, image, folder, up } = await setUp(t);
  const cluster = await up();
  const options = await installProvider(folder, registry);
  const failing = await cluster.resource("pods").create({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web", namespace: "default" },
    spec: { containers: [{ name: "web", image }] },
  });
  await cluster.until(cluster.resource("pods"), ({ status }) =>
    /"reason":"(ErrImagePull|ImagePullBackOff)"/.test(JSON.stringify(status ?? {})),
  );
  const tell = async (
    ...words: readonly string[]
  ): Promise<{ readonly told: Explanation; readonly text: string; readonly exit: number }> => {
    const env = { XDG_DATA_HOME: `${folder}/data`, PATH: process.env["PATH"] };
    const json = createMemoryContext({ cwd: folder, home: folder, env, now: Date.now });
    const exit = await run(["explain", "pod/web", ...options, ...words, "--json", "--debug"], json);
    const tree = createMemoryContext({ cwd: folder, home: folder, env, now: Date.now });
    await run(["explain", "pod/web", ...options, ...words, "--html", "why.html"], tree);
    const page = await readFile(join(folder, "why.html"), "utf8");
    const told = JSON.parse(json.stdout.text) as Explanation;
    assert.deepEqual(findSchemaFaults(explanationSchema, told), []);
    return { told, exit, text: json.stdout.text + json.stderr.text + tree.stdout.text + page };
  };
  const providerOf = ({ pods }: Explanation): unknown =>
    pods[0]?.images[0]?.credentials.sources.find(({ kind }) => kind === "provider")?.state;

  const without = await tell();
  assert.equal(providerOf(without.told), "not-asked");
  assert.equal(without.told.pods[0]?.images[0]?.outcome.state, "unknown");
  assert.match(without.text, /--service-account-tokens/);
  await assert.rejects(readFile(join(folder, "asked.jsonl")), "the program wasn't run");

  const { told, text, exit } = await tell("--service-account-tokens");
  assert.equal(providerOf(told), "matched", text);
  assert.equal(told.pods[0]?.images[0]?.outcome.state, "pullable");
  assert.equal(exit, 0);
  assert.match(text, /given a token of/);
  const source = told.pods[0]?.images[0]?.credentials.sources.find(({ kind }) => kind === "provider");
  assert.match(source?.run?.token ?? "", /ServiceAccount default\/default for "images\.example\.com"/);
  const asked = (await readFile(join(folder, "asked.jsonl"), "utf8"))
    .split("\n")
    .filter((line) => line !== "");
  const tokens = asked.map(
    (line) => (JSON.parse(line) as { serviceAccountToken: string }).serviceAccountToken,
  );
  assert.equal(tokens.length, 2);
  for (const token of tokens) {
    assert.ok(!text.includes(token));
    assert.deepEqual(claimsOf(token)["aud"], ["images.example.com"]);
    const bound = claimsOf(token)["kubernetes.io"] as { readonly pod?: { readonly uid?: string } };
    assert.equal(bound.pod?.uid, failing.metadata.uid);
  }
});

test("a token that the asker may not make says nothing of the node", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "dray-tokens-"));
  t.after(() => rm(folder, { recursive: true }));
  const registry = "registry.example.com";
  await installProvider(folder, registry);
  const config = join(folder, "providers.yaml");
  const issuer: TokenIssuer = {
    get: () => Promise.resolve({ uid: "7", annotations: {} }),
    issue: () =>
      Promise.reject(forbidden({ group: "", kind: "serviceaccounts/token", name: "default" }, "not yours")),
  };
  const requests = new TokenRequests(issuer);
  const runs = new ProviderRuns(runProgram, () => 0);
  const { providers: registered } = await registerCredentialProviders({
    config,
    binDirectory: join(folder, "bin"),
    systemEnvironment: [],
    now: () => 0,
    serviceAccounts: new CachingServiceAccounts(requests, { now: () => 0, random: () => 0 }),
    run: runs.run,
  });
  const { config: read } = await readProviderConfig(config);
  const pod: KubernetesObject = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web", namespace: "shop" },
    spec: { containers: [{ name: "web", image: `${registry}/shop/web:1` }] },
  };
  const told = await explain({
    workloads: [{ object: pod }],
    nodes: [{ platform: { os: "linux", architecture: "amd64" } }],
    surroundings: new GivenObjects({ objects: [], secrets: [], complete: true }),
    sources: { providers: { tokens: true, requests, registered, configs: read.providers, runs } },
    admission: [],
    hosts: () => new ConfiguredHosts(),
    send: fetchTransport(() =>
      Promise.resolve(
        new Response(null, { status: 401, headers: { "www-authenticate": 'Basic realm="r"' } }),
      ),
    ),
    problems: [],
    rate: 1,
    now: () => 0,
  });
  const [image] = told.pods[0]?.images ?? [];
  const [source] = image?.credentials.sources ?? [];
  assert.equal(source?.state, "not-asked");
  assert.match(source.detail ?? "", /you may not make one: .*not yours/);
  assert.equal(image?.outcome.state, "unknown");
});

test("tokens can't be made without a cluster", async () => {
  const context = createMemoryContext({ stdin: "{}" });
  assert.equal(await run(["explain", "-", "--service-account-tokens"], context), 2);
  assert.match(context.stderr.text, /needs a cluster that makes them/);
});
