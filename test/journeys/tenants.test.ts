/**
 * Two tenants on one node, before a registry that knows them apart: what one may pull, the other doesn't get from
 * the node either. Real HTTP, a real store, records on a real disk.
 */
import assert from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { buildImage } from "../../src/build/index.ts";
import { ConfiguredHosts, RegistryClient } from "../../src/client/index.ts";
import { Keyring, Secret, StaticSource, toCandidate } from "../../src/credentials/index.ts";
import type { PullSecret, TrackedCredential } from "../../src/credentials/index.ts";
import {
  ImageManager,
  makeVerificationPolicy,
  openPullManager,
  StoreRuntime,
} from "../../src/images/index.ts";
import type { EnsureOutcome, PullPolicy, VerificationPolicyName } from "../../src/images/index.ts";
import { openSqliteMetadata, type Decision, serveRegistry } from "../../src/registry/index.ts";
import type { Access, RegistryRequest } from "../../src/registry/index.ts";
import { MemoryBlobStore, openStore } from "../../src/store/index.ts";

/** Who may pull what; `*` is everybody. Only root may push. */
const READERS: Readonly<Record<string, readonly string[]>> = {
  "a/app": ["alice", "adam"],
  "b/app": ["bob"],
  "public/app": ["*"],
};

interface World {
  readonly domain: string;
  readonly folder: string;
  /** Requests that reached a repository and were let in, as `user repository`. */
  readonly granted: string[];
  /** Builds an image with this text in it. */
  readonly push: (repository: string, text: string) => Promise<string>;
  readonly clientOf: (credential: TrackedCredential | null | undefined) => RegistryClient;
}

async function setUp(t: TestContext): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "dray-tenants-"));
  const granted: string[] = [];
  const metadata = openSqliteMetadata(":memory:");
  const served = await serveRegistry({
    blobs: new MemoryBlobStore(),
    metadata,
    port: 0,
    authorize: (request, access) => authorize(request, access, granted),
  });
  const domain = `${served.address}:${served.port}`;
  const clients = new Map<string, RegistryClient>();
  t.after(async () => {
    for (const client of clients.values()) await client.close();
    await served.close();
    await metadata[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  const clientOf = (credential: TrackedCredential | null | undefined): RegistryClient => {
    const candidate = credential ? toCandidate(credential) : undefined;
    const key = credential?.username ?? "";
    const known = clients.get(key);
    if (known !== undefined) return known;
    const credentials = new StaticSource(candidate === undefined ? [] : [{ registry: domain, candidate }]);
    const hosts = new ConfiguredHosts({ defaultScheme: "http" });
    const client = new RegistryClient({ hosts, credentials, retry: { attempts: 1 } });
    clients.set(key, client);
    return client;
  };
  const push = async (repository: string, text: string): Promise<string> => {
    await writeFile(join(folder, "file"), text);
    const root = clientOf(credentialOf("root"));
    const to = root.repository(domain, repository);
    const { descriptor } = await buildImage({ to, as: "1", context: folder, copy: [{ from: "file" }] });
    granted.length = 0;
    return descriptor.digest;
  };
  return { domain, folder, granted, push, clientOf };
}

/** Basic authentication where everybody's password is the name backwards. */
function authorize(request: RegistryRequest, access: readonly Access[], granted: string[]): Decision {
  const [, encoded = ""] = (request.header("authorization") ?? "").split(" ");
  const [user = "", password = ""] = Buffer.from(encoded, "base64").toString().split(":");
  const known = user !== "" && password === passwordOf(user);
  const challenge = 'Basic realm="tenants"';
  for (const { name, actions } of access) {
    const readers = READERS[name] ?? [];
    const allowed =
      (known && user === "root") ||
      (actions.every((action) => action === "pull") &&
        (readers.includes("*") || (known && readers.includes(user))));
    if (!allowed) return { allowed: false, status: 401, reason: "not for you", challenge };
    granted.push(`${known ? user : "nobody"} ${name}`);
  }
  return { allowed: true };
}

function passwordOf(user: string): string {
  return user.split("").toReversed().join("");
}

function credentialOf(username: string): TrackedCredential {
  const origin = { kind: "argument", label: "test" } as const;
  return {
    username,
    password: new Secret(passwordOf(username)),
    email: "",
    owner: undefined,
    hash: "",
    origin,
  };
}

function secretOf(domain: string, namespace: string, user: string): PullSecret {
  const auths = { auths: { [domain]: { username: user, password: passwordOf(user) } } };
  const data = { ".dockerconfigjson": Buffer.from(JSON.stringify(auths)) };
  return { uid: `uid-${namespace}`, namespace, name: "pull", type: "kubernetes.io/dockerconfigjson", data };
}

interface Node extends AsyncDisposable {
  /** The reason of a failure, `present` or `pulled`. */
  readonly ensure: (
    repository: string,
    policy: PullPolicy,
    tenant: { readonly namespace: string; readonly user?: string },
  ) => Promise<string>;
  readonly last: () => EnsureOutcome | undefined;
}

/** A node on the world's folder; opened anew, it is the same node after a restart. */
async function openNode(
  { domain, folder, clientOf }: World,
  name: VerificationPolicyName = "NeverVerifyPreloadedImages",
  allowlist: readonly string[] = [],
): Promise<Node> {
  const data = join(folder, "node");
  const store = await openStore(data);
  const now = Date.now;
  const runtime = new StoreRuntime({
    store,
    platform: { os: "linux", architecture: "amd64" },
    registry: (reference, credential) => clientOf(credential).repository(reference.domain, reference.path),
  });
  const access = await openPullManager({
    root: data,
    policy: makeVerificationPolicy(name, { allowlist }),
    now,
    listImages: async () => [],
  });
  const manager = new ImageManager({
    runtime,
    access,
    now,
    keyring: () => new Keyring(),
    rate: { qps: 0, burst: 0 },
  });
  let pods = 0;
  let last: EnsureOutcome | undefined;
  return {
    ensure: async (repository, policy, { namespace, user }) => {
      const uid = `pod-${++pods}`;
      last = await manager.ensure({
        image: repository.startsWith("sha256:") ? repository : `${domain}/${repository}`,
        policy,
        podUid: uid,
        pod: { name: "p", namespace, uid, serviceAccountName: "default" },
        pullSecrets: user === undefined ? [] : [secretOf(domain, namespace, user)],
      });
      return last.state === "failed" ? last.reason : last.state;
    },
    last: () => last,
    [Symbol.asyncDispose]: () => store.close(),
  };
}

/** Puts the image there without the node's knowing, as an administrator does. */
async function preload(world: World, repository: string): Promise<void> {
  await using store = await openStore(join(world.folder, "node"));
  const runtime = new StoreRuntime({
    store,
    platform: { os: "linux", architecture: "amd64" },
    registry: ({ domain, path }) => world.clientOf(credentialOf("root")).repository(domain, path),
  });
  await runtime.pull(`${world.domain}/${repository}`);
}

const A = { namespace: "a", user: "alice" };
const STRANGER = { namespace: "b" };
const BOB = { namespace: "b", user: "bob" };

test("what namespace A pulled with its Secret is refused to namespace B without one", async (t) => {
  const world = await setUp(t);
  await world.push("a/app", "private");
  {
    await using node = await openNode(world);
    assert.equal(await node.ensure("a/app:1", "IfNotPresent", A), "pulled");
    assert.equal(await node.ensure("a/app:1", "IfNotPresent", A), "present");
    assert.equal(await node.ensure("a/app:1", "Never", A), "present");

    assert.equal(await node.ensure("a/app:1", "IfNotPresent", STRANGER), "ErrImagePull");
    const refused = node.last();
    assert.equal(refused?.state === "failed" && refused.detail?.because, "denied");
    assert.equal(await node.ensure("a/app:1", "IfNotPresent", BOB), "ErrImagePull");
    for (const tenant of [STRANGER, BOB]) {
      assert.equal(await node.ensure("a/app:1", "Never", tenant), "ErrImageNeverPull");
      const never = node.last();
      assert.equal(
        never?.state === "failed" ? never.message : "",
        `Container image "${world.domain}/a/app:1" is not present with pull policy of Never`,
      );
    }
  }
  // The node forgets nothing over a restart, and no attempt of B's opened the image to B.
  await using node = await openNode(world);
  assert.equal(await node.ensure("a/app:1", "Never", STRANGER), "ErrImageNeverPull");
  assert.equal(await node.ensure("a/app:1", "IfNotPresent", STRANGER), "ErrImagePull");
  assert.equal(await node.ensure("a/app:1", "Never", A), "present");
});

test("a Secret of B's own opens the image: the same content at once, another one by asking the registry", async (t) => {
  const world = await setUp(t);
  await world.push("a/app", "private");
  await using node = await openNode(world);
  await node.ensure("a/app:1", "IfNotPresent", A);
  world.granted.length = 0;
  assert.equal(await node.ensure("a/app:1", "Never", { namespace: "b", user: "alice" }), "present");
  assert.equal(world.granted.length, 0, "known by its hash");
  assert.equal(await node.ensure("a/app:1", "IfNotPresent", { namespace: "c", user: "adam" }), "pulled");
  assert.ok(world.granted.includes("adam a/app"), "the registry was asked as adam");
  assert.equal(await node.ensure("a/app:1", "Never", { namespace: "c", user: "adam" }), "present");
  const records = join(world.folder, "node", "image_manager", "pulled");
  const [file = "", ...others] = await readdir(records);
  assert.deepEqual(others, []);
  const text = await readFile(join(records, file), "utf8");
  assert.doesNotMatch(text, /alice|ecila|adam|mada/, "names and passwords stay out of the records");
});

test("the verification policies come to the recorded outcomes", async (t) => {
  // By policy: what becomes of an image that A pulled, and of one that was preloaded, when B without credentials wants it.
  for (const [policy, allowlist, pulled, preloaded] of [
    ["NeverVerify", [], "present", "present"],
    ["NeverVerifyPreloadedImages", [], "ErrImagePull", "present"],
    ["NeverVerifyAllowlistedImages", ["b/app"], "ErrImagePull", "present"],
    ["NeverVerifyAllowlistedImages", ["a/app"], "present", "ErrImagePull"],
    ["NeverVerifyAllowlistedImages", ["a/*"], "present", "ErrImagePull"],
    ["AlwaysVerify", [], "ErrImagePull", "ErrImagePull"],
  ] as const) {
    const world = await setUp(t);
    await world.push("a/app", "private");
    await world.push("b/app", "private, too");
    await preload(world, "b/app:1");
    await using node = await openNode(
      world,
      policy,
      allowlist.map((entry) => `${world.domain}/${entry}`),
    );
    assert.equal(await node.ensure("a/app:1", "IfNotPresent", A), "pulled");
    const label = `${policy} ${allowlist.join()}`;
    assert.equal(await node.ensure("a/app:1", "IfNotPresent", STRANGER), pulled, label);
    assert.equal(await node.ensure("b/app:1", "IfNotPresent", STRANGER), preloaded, label);
    const never = (outcome: string): string => (outcome === "present" ? outcome : "ErrImageNeverPull");
    assert.equal(await node.ensure("a/app:1", "Never", STRANGER), never(pulled), label);
    assert.equal(await node.ensure("a/app:1", "Always", STRANGER), "ErrImagePull", `${label}: Always asks`);
  }
});

test("AlwaysVerify pulls a preloaded public image once, and then it is everybody's", async (t) => {
  const world = await setUp(t);
  await world.push("public/app", "public");
  await preload(world, "public/app:1");
  await using node = await openNode(world, "AlwaysVerify");
  assert.equal(await node.ensure("public/app:1", "Never", STRANGER), "ErrImageNeverPull");
  assert.equal(await node.ensure("public/app:1", "IfNotPresent", STRANGER), "pulled");
  assert.equal(await node.ensure("public/app:1", "IfNotPresent", A), "present");
  assert.equal(await node.ensure("public/app:1", "Never", STRANGER), "present");
});

test("a digest that two names share opens neither by the other", async (t) => {
  const world = await setUp(t);
  const digest = await world.push("a/app", "the same");
  assert.equal(await world.push("b/app", "the same"), digest);
  assert.equal(await world.push("public/app", "the same"), digest);
  await using node = await openNode(world);
  assert.equal(await node.ensure("a/app:1", "IfNotPresent", A), "pulled");
  const pulledByA = node.last();
  assert.equal(await node.ensure("b/app:1", "IfNotPresent", BOB), "pulled");
  assert.equal(await node.ensure("public/app:1", "IfNotPresent", STRANGER), "pulled");
  for (const [image, own, other] of [
    ["a/app:1", A, BOB],
    [`a/app@${digest}`, A, BOB],
    ["b/app:1", BOB, A],
    [`b/app@${digest}`, BOB, A],
  ] as const) {
    assert.equal(await node.ensure(image, "Never", own), "present", image);
    assert.equal(await node.ensure(image, "Never", other), "ErrImageNeverPull", image);
    assert.equal(await node.ensure(image, "IfNotPresent", other), "ErrImagePull", image);
    assert.equal(await node.ensure(image, "IfNotPresent", { namespace: "c" }), "ErrImagePull", image);
  }
  const id = pulledByA?.state === "pulled" ? pulledByA.imageRef : "";
  assert.match(id, /^sha256:/);
  assert.equal(await node.ensure(id, "Never", STRANGER), "ErrImageNeverPull", "nor by the image's id");
});
