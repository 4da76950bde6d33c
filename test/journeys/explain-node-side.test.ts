/** What the node has besides the API: files of credentials, providers, images. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, it } from "node:test";

import { findCommand } from "../../src/cli/catalogue.ts";
import { runExplain } from "../../src/cli/explain/run-explain.ts";
import { parseArguments } from "../../src/cli/parse-arguments.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import type { Explanation } from "../../src/explain/index.ts";
import { ScriptedRegistries, type ScriptedRegistry } from "./scripted-registries.ts";

const HOST = "registry.example.com";
const PASSWORD = "alice-opens-sesame";
const PRIVATE: ScriptedRegistry = { users: { alice: PASSWORD }, images: { "shop/web:1": {} } };

type Json = Readonly<Record<string, unknown>>;

function auths(host: string, password = PASSWORD): string {
  return JSON.stringify({ auths: { [host]: { username: "alice", password } } });
}

function images(tag: string): string {
  const id = `sha256:${"a".repeat(64)}`;
  const repoDigests = [`${HOST}/shop/web@sha256:${"b".repeat(64)}`];
  return JSON.stringify({ images: [{ id, repoTags: [`${HOST}/shop/web:${tag}`], repoDigests, size: "10" }] });
}

const PROVIDERS = `apiVersion: kubelet.config.k8s.io/v1
kind: CredentialProviderConfig
providers:
  - name: cloud
    apiVersion: credentialprovider.kubelet.k8s.io/v1
    defaultCacheDuration: 1h
    matchImages: ["*.example.com"]
`;

function answering(auth: Json): string {
  const answer = { kind: "CredentialProviderResponse", apiVersion: "credentialprovider.kubelet.k8s.io/v1" };
  return `#!/bin/sh\ncat >/dev/null\ncat <<'EOF'\n${JSON.stringify({ ...answer, cacheKeyType: "Image", auth })}\nEOF\n`;
}

const WITH_PROVIDERS = ["--image-credential-provider-config", "providers.yaml"];
const WITH_PROGRAMS = [...WITH_PROVIDERS, "--image-credential-provider-bin-dir", "bin"];

interface Case {
  readonly files?: Readonly<Record<string, string>>;
  readonly options: readonly string[];
  readonly policy?: string;
  readonly secret?: string;
  readonly registry?: ScriptedRegistry;
  readonly causes: readonly string[];
  readonly says?: readonly string[];
}

const CASES: Readonly<Record<string, Case>> = {
  "a wrong Secret, and a node that knows better": {
    files: { "config.json": auths(HOST) },
    options: ["--node-config", "config.json"],
    secret: auths(HOST, "not-the-one"),
    causes: [],
    says: [
      '1. Secret shop/s, auths["registry.example.com"]',
      '2. config.json, auths["registry.example.com"]',
    ],
  },
  "a node with a wrong password": {
    files: { "config.json": auths(HOST, "not-the-one") },
    options: ["--node-config", "config.json"],
    causes: ["failure CREDENTIAL_REFUSED"],
    says: ["refuses config.json"],
  },
  "a node that knows another host": {
    files: { "config.json": auths("other.example.com") },
    options: ["--node-config", "config.json"],
    causes: ["failure CREDENTIAL_HOST_MISMATCH"],
  },
  "a .dockercfg in the kubelet's root": {
    files: { "root/.dockercfg": JSON.stringify({ [HOST]: { username: "alice", password: PASSWORD } }) },
    options: ["--kubelet-root", "root"],
    causes: [],
  },
  "Never, and another tag there": {
    files: { "images.json": images("2") },
    options: ["--node-images", "images.json"],
    policy: "Never",
    causes: ["failure NEVER_ABSENT"],
  },
  "IfNotPresent, there, and moved since": {
    files: { "images.json": images("1") },
    options: ["--node-images", "images.json"],
    registry: { images: { "shop/web:1": {} } },
    causes: ["risk TAG_MOVED"],
  },
  "IfNotPresent, there, and the registry down": {
    files: { "images.json": images("1") },
    options: ["--node-images", "images.json"],
    registry: { fail: "NETWORK_REFUSED" },
    causes: [],
  },
  "Always, there, and the registry down": {
    files: { "images.json": images("1") },
    options: ["--node-images", "images.json"],
    policy: "Always",
    registry: { fail: "NETWORK_REFUSED" },
    causes: ["failure CONNECTION_REFUSED"],
  },
  "a provider that talks": {
    files: { "providers.yaml": PROVIDERS, "bin/cloud": `#!/bin/sh\necho hello ${PASSWORD}\n` },
    options: WITH_PROGRAMS,
    causes: ["failure PROVIDER_FAILED"],
    says: ["→ exit 0 in"],
  },
  "a provider that answers": {
    files: {
      "providers.yaml": PROVIDERS,
      "bin/cloud": answering({ "*.example.com": { username: "alice", password: PASSWORD } }),
    },
    options: WITH_PROGRAMS,
    causes: [],
    says: ["kept by image for 3600 s"],
  },
  "a provider whose answer is for another path": {
    files: {
      "providers.yaml": PROVIDERS,
      "bin/cloud": answering({ [`${HOST}/team`]: { username: "alice", password: PASSWORD } }),
    },
    options: WITH_PROGRAMS,
    causes: ["failure PROVIDER_EMPTY"],
    says: ['its path "/team"'],
  },
  "a provider whose program is on the node alone": {
    files: { "providers.yaml": PROVIDERS },
    options: WITH_PROVIDERS,
    causes: ["risk PROVIDER_FAILED"],
    says: ["not to be known from here", "it wasn't run here", '"*.example.com" fits: its glob fits the host'],
  },
};

describe("explaining with what the node has", () => {
  for (const [name, one] of Object.entries(CASES)) {
    it(name, async () => {
      const { causes, tree } = await tell(one);
      assert.deepEqual(causes, one.causes, tree);
      for (const text of one.says ?? []) assert.ok(tree.includes(text), `${text}\n${tree}`);
      assert.ok(!tree.includes(PASSWORD), tree);
    });
  }

  it("misses files that options name", async () => {
    for (const option of ["--node-config", "--node-images", "--kubelet-config"]) {
      await assert.rejects(tell({ options: [option, "nowhere"], causes: [] }), { code: "UNREADABLE" });
    }
  });
});

async function tell(one: Case): Promise<{ readonly causes: readonly string[]; readonly tree: string }> {
  const command = await findCommand("explain");
  assert.ok(command !== undefined);
  const cwd = await mkdtemp(join(tmpdir(), "dray-node-side-"));
  try {
    for (const [path, text] of Object.entries(one.files ?? {})) {
      await mkdir(dirname(join(cwd, path)), { recursive: true });
      await writeFile(join(cwd, path), text, { mode: 0o755 });
    }
    const stdin = objectsOf(one)
      .map((object) => JSON.stringify(object))
      .join("\n---\n");
    const run = async (...words: readonly string[]): Promise<string> => {
      const context = createMemoryContext({ cwd, stdin, env: { PATH: process.env["PATH"] } });
      const line = ["-", "--complete", "--platform", "linux/amd64", ...one.options, ...words];
      const { values, positionals } = parseArguments(command, line);
      const { send } = new ScriptedRegistries({ [HOST]: one.registry ?? PRIVATE });
      await runExplain({ values, positionals, send }, context);
      return context.stdout.text;
    };
    const { pods } = JSON.parse(await run("--json")) as Explanation;
    const causes = pods.flatMap(({ images: list }) => list.flatMap((image) => image.causes));
    return { causes: causes.map(({ severity, code }) => `${severity} ${code}`), tree: await run() };
  } finally {
    await rm(cwd, { recursive: true });
  }
}

function objectsOf({ policy = "IfNotPresent", secret }: Case): readonly Json[] {
  const metadata = { name: "web", namespace: "shop" };
  const containers = [{ name: "web", image: `${HOST}/shop/web:1`, imagePullPolicy: policy }];
  if (secret === undefined) return [{ apiVersion: "v1", kind: "Pod", metadata, spec: { containers } }];
  const data = { ".dockerconfigjson": Buffer.from(secret).toString("base64") };
  return [
    { apiVersion: "v1", kind: "Pod", metadata, spec: { containers, imagePullSecrets: [{ name: "s" }] } },
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "s", namespace: "shop" },
      type: "kubernetes.io/dockerconfigjson",
      data,
    },
  ];
}
