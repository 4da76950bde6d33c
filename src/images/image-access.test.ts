import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { ClientError } from "../client/index.ts";
import { hashAuthConfig, Keyring, type PullSecret, Secret } from "../credentials/index.ts";
import { BackOff } from "./back-off.ts";
import type { EnsureOutcome, EnsureRequest } from "./ensure.ts";
import { ImageManager, type ImageManagerOptions } from "./image-manager.ts";
import type { ImageRuntime, PulledImage, RuntimeImage, RuntimePullOptions } from "./image-runtime.ts";
import { CachedPullRecords } from "./pull-records/cached-pull-records.ts";
import { FilePullRecords } from "./pull-records/file-pull-records.ts";
import { PullManager } from "./pull-records/pull-manager.ts";
import type { ImagePullCredentials } from "./pull-records/record.ts";
import { tryCredentials } from "./try-credentials.ts";
import { makeVerificationPolicy, type VerificationPolicyName } from "./verification-policy.ts";

const IMAGE: RuntimeImage = { id: "sha256:1", digest: undefined, size: 42 };

/** A private registry that opens to one user, before a node that keeps what it pulled. */
class PrivateRuntime implements ImageRuntime {
  readonly local = new Set<string>();
  readonly tried: string[] = [];
  user = "alice";
  down = false;

  async find(image: string): Promise<RuntimeImage | undefined> {
    return this.local.has(image) ? IMAGE : undefined;
  }

  async pull(image: string, { credentials = [] }: RuntimePullOptions = {}): Promise<PulledImage> {
    const { credential } = await tryCredentials(credentials, {
      attempt: async (tried) => {
        this.tried.push(tried?.username ?? "nobody");
        if (this.down) throw new ClientError("NETWORK_REFUSED", "nobody there");
        if (tried?.username !== this.user) throw new Error(`${tried?.username ?? "nobody"} may not pull`);
      },
    });
    this.local.add(image);
    return { ...IMAGE, credential };
  }
}

interface World extends AsyncDisposable {
  readonly runtime: PrivateRuntime;
  readonly records: FilePullRecords;
  readonly ensure: (request: Partial<EnsureRequest>) => Promise<EnsureOutcome>;
}

async function setUp(
  policy: VerificationPolicyName = "NeverVerifyPreloadedImages",
  options: Partial<ImageManagerOptions> = {},
): Promise<World> {
  const root = await mkdtemp(join(tmpdir(), "dray-access-"));
  const runtime = new PrivateRuntime();
  const records = await FilePullRecords.open(root);
  const now = (): number => 1000;
  const access = new PullManager({
    records: await CachedPullRecords.open(records, { intents: 10, pulled: 10 }),
    policy: makeVerificationPolicy(policy),
    now,
  });
  const backOff = new BackOff({ now, initial: 0 });
  const keyring = (): Keyring => new Keyring();
  const manager = new ImageManager({ runtime, access, now, backOff, keyring, ...options });
  return {
    runtime,
    records,
    ensure: (request) =>
      manager.ensure({ image: "r.example/app:1", policy: "IfNotPresent", podUid: "u", ...request }),
    [Symbol.asyncDispose]: () => rm(root, { recursive: true }),
  };
}

function secretOf(namespace: string, user: string): PullSecret {
  const auths = { auths: { "r.example": { username: user, password: "pw" } } };
  const data = { ".dockerconfigjson": Buffer.from(JSON.stringify(auths)) };
  return { uid: `uid ${namespace}`, namespace, name: "pull", type: "kubernetes.io/dockerconfigjson", data };
}

function summary(outcome: EnsureOutcome): string {
  return outcome.state === "failed" ? `${outcome.reason}: ${outcome.message}` : outcome.state;
}

async function recordOf({ records }: World): Promise<ImagePullCredentials | undefined> {
  return (await records.pulled.find(IMAGE.id))?.credentialMapping.get("r.example/app");
}

test("an image one tenant pulled is closed to another without credentials, under every pull policy", async () => {
  await using world = await setUp();
  const alice = [secretOf("a", "alice")];
  assert.equal(summary(await world.ensure({ pullSecrets: alice })), "pulled");
  assert.deepEqual(await recordOf(world), {
    kubernetesSecrets: [
      {
        uid: "uid a",
        namespace: "a",
        name: "pull",
        credentialHash: hashAuthConfig({ username: "alice", password: new Secret("pw") }),
      },
    ],
  });
  assert.equal(summary(await world.ensure({ pullSecrets: alice })), "present");
  assert.equal(summary(await world.ensure({ pullSecrets: [] })), "ErrImagePull: nobody may not pull");
  const never = await world.ensure({ pullSecrets: [], policy: "Never" });
  const message = 'Container image "r.example/app:1" is not present with pull policy of Never';
  assert.equal(summary(never), `ErrImageNeverPull: ${message}`);
  assert.equal(never.decision?.because, "never-and-unproven");
  const mallory = await world.ensure({ pullSecrets: [secretOf("m", "mallory"), secretOf("m2", "eve")] });
  assert.equal(summary(mallory), "ErrImagePull: [mallory may not pull, eve may not pull]");
  assert.equal(
    summary(await world.ensure({ pullSecrets: [secretOf("b", "alice")], policy: "Never" })),
    "present",
  );
  assert.deepEqual(
    (await recordOf(world))?.kubernetesSecrets?.map(({ namespace }) => namespace),
    ["a", "b"],
  );
});

test("another name of the same image doesn't open it", async () => {
  await using world = await setUp();
  await world.ensure({ pullSecrets: [secretOf("a", "alice")] });
  world.runtime.local.add("r.example/mirror:1");
  const other = await world.ensure({ image: "r.example/mirror:1", pullSecrets: [], policy: "Never" });
  assert.equal(other.decision?.because, "never-and-unproven");
});

test("preloaded images are open or closed by policy", async () => {
  for (const [policy, expected] of [
    ["NeverVerify", "present"],
    ["NeverVerifyPreloadedImages", "present"],
    ["AlwaysVerify", "ErrImagePull: nobody may not pull"],
  ] as const) {
    await using world = await setUp(policy);
    world.runtime.local.add("r.example/app:1");
    assert.equal(summary(await world.ensure({ pullSecrets: [] })), expected, policy);
  }
});

test("every intent ends, whether its pull succeeds, fails, waits or is abandoned", async () => {
  await using world = await setUp("NeverVerifyPreloadedImages", { backOff: undefined });
  const intents = async (): Promise<number> => (await world.records.intents.list()).records.length;
  const states: string[] = [];
  for (const pullSecrets of [[], [], [secretOf("a", "alice")]]) {
    states.push(summary(await world.ensure({ pullSecrets })).split(":")[0] ?? "");
    assert.equal(await intents(), 0);
  }
  assert.deepEqual(states, ["ErrImagePull", "ImagePullBackOff", "ImagePullBackOff"]);
  const controller = new AbortController();
  world.runtime.pull = async () => {
    assert.equal(await intents(), 1, "the intent is there while the pull runs");
    controller.abort(new Error("enough"));
    throw new Error("cut");
  };
  await assert.rejects(world.ensure({ podUid: "other", signal: controller.signal }), /enough/);
  assert.equal(await intents(), 0);
});

test("with the gate off nothing is recorded, and who is present is everybody's", async () => {
  await using world = await setUp("AlwaysVerify", { ensureSecretPulled: false });
  const secrets = [secretOf("a", "alice")];
  assert.equal(summary(await world.ensure({ pullSecrets: secrets })), "pulled");
  assert.equal(await recordOf(world), undefined);
  const present = await world.ensure({ pullSecrets: [] });
  assert.equal(
    present.state === "failed" ? "" : present.message,
    'Container image "r.example/app:1" already present on machine',
  );
});

test("a broken Secret fails the Pod with its own text for a reason, wherever credentials are needed", async () => {
  await using world = await setUp();
  const broken = { ...secretOf("a", "x"), data: { ".dockerconfigjson": Buffer.from("{") } };
  const text = "unexpected end of JSON input";
  assert.equal(summary(await world.ensure({ pullSecrets: [broken] })), `${text}: ${text}`);
  await world.ensure({ pullSecrets: [secretOf("a", "alice")] });
  assert.equal(summary(await world.ensure({ pullSecrets: [broken], policy: "Never" })), `${text}: ${text}`);
  assert.deepEqual(world.runtime.tried, ["alice"]);
});

test("falling back on a present image opens it to nobody who couldn't have had it before", async () => {
  await using world = await setUp("NeverVerifyPreloadedImages", { pullFallback: "present" });
  const always = { policy: "Always" } as const;
  const alice = [secretOf("a", "alice")];
  assert.equal(summary(await world.ensure({ ...always, pullSecrets: alice })), "pulled");
  world.runtime.down = true;
  assert.equal(summary(await world.ensure({ ...always, pullSecrets: alice })), "present");
  for (const pullSecrets of [[], [secretOf("m", "mallory")]]) {
    assert.equal(summary(await world.ensure({ ...always, pullSecrets })), "ErrImagePull: nobody there");
  }
  const preloaded = { ...always, image: "r.example/preloaded:1", pullSecrets: [] };
  world.runtime.find = async (image) =>
    image === preloaded.image ? { ...IMAGE, id: "sha256:2" } : undefined;
  assert.equal(
    summary(await world.ensure(preloaded)),
    "present",
    "an intent that came to nothing is no pull",
  );
});
