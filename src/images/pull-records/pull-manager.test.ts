import assert from "node:assert/strict";
import { test } from "node:test";

import { makeVerificationPolicy, type VerificationPolicyName } from "../verification-policy.ts";
import type { PodCredentials } from "./decide-access.ts";
import { PullManager } from "./pull-manager.ts";
import type { ImagePulledRecord, ImagePullIntent, ImagePullSecret } from "./record.ts";
import type { RecordShelf } from "./record-shelf.ts";

class MemoryShelf<T> implements RecordShelf<T> {
  readonly records = new Map<string, T>();
  writeError: Error | undefined;
  deleteError: Error | undefined;
  writes = 0;
  readonly #keyOf: (record: T) => string;

  constructor(keyOf: (record: T) => string) {
    this.#keyOf = keyOf;
  }

  async list(): Promise<{ readonly records: readonly T[] }> {
    return { records: [...this.records.values()] };
  }

  async find(key: string): Promise<T | undefined> {
    await new Promise(setImmediate);
    return this.records.get(key);
  }

  async write(record: T): Promise<void> {
    await new Promise(setImmediate);
    if (this.writeError !== undefined) throw this.writeError;
    this.writes++;
    this.records.set(this.#keyOf(record), record);
  }

  async delete(key: string): Promise<void> {
    if (this.deleteError !== undefined) throw this.deleteError;
    this.records.delete(key);
  }
}

interface World {
  readonly intents: MemoryShelf<ImagePullIntent>;
  readonly pulled: MemoryShelf<ImagePulledRecord>;
  readonly warnings: string[];
  readonly manager: PullManager;
}

function setUp(policy: VerificationPolicyName = "NeverVerifyPreloadedImages"): World {
  const intents = new MemoryShelf<ImagePullIntent>((intent) => intent.image);
  const pulled = new MemoryShelf<ImagePulledRecord>((record) => record.imageRef);
  const warnings: string[] = [];
  const manager = new PullManager({
    records: { intents, pulled },
    policy: makeVerificationPolicy(policy),
    now: () => 5000,
    onWarning: (message) => void warnings.push(message),
  });
  return { intents, pulled, warnings, manager };
}

function secret(name: string, credentialHash: string = `hash of ${name}`): ImagePullSecret {
  return { uid: `uid of ${name}`, namespace: "ns", name, credentialHash };
}

async function ask(world: World, shown: PodCredentials = { secrets: [] }): Promise<string> {
  const { mustPull, because } = await world.manager.mustAttemptImagePull("app:1", "ref", async () => shown);
  return `${mustPull ? "pull" : "use"}: ${because}`;
}

test("who pulled an image may use it, others must show that they could", async () => {
  const world = setUp();
  assert.equal(await ask(world), "use: policy-allows", "nobody knows the image yet: it is preloaded");
  await world.manager.recordPullIntent("app:1");
  assert.equal(await ask(world), "pull: no-record", "it is coming, by whose credentials nobody knows");
  await world.manager.recordImagePulled("app:1", "ref", { kubernetesSecrets: [secret("a")] });
  assert.equal(await ask(world), "pull: credentials-not-recorded");
  assert.equal(await ask(world, { secrets: [secret("b"), secret("a")] }), "use: secret-hash-recorded");
  assert.equal(await ask(world, { secrets: [secret("b", "hash of a")] }), "use: secret-hash-recorded");
  assert.equal(await ask(world, { secrets: [secret("b", "new")] }), "use: secret-recorded", "b was learnt");
  assert.equal(
    await ask(world, { secrets: [secret("c", "new")] }),
    "use: secret-hash-recorded",
    "so was its hash",
  );
  const account = { uid: "u", namespace: "ns", name: "robot" };
  assert.equal(await ask(world, { secrets: [], serviceAccount: account }), "pull: credentials-not-recorded");
  await world.manager.recordImagePulled("app:2", "ref", { kubernetesServiceAccounts: [account] });
  assert.equal(await ask(world, { secrets: [], serviceAccount: account }), "use: service-account-recorded");
  await world.manager.recordImagePulled("app:1", "ref", { nodePodsAccessible: true });
  assert.equal(await ask(world), "use: open-to-node");
  assert.deepEqual(world.intents.records.size, 0);
});

test("with a hundred secrets recorded, only equal credentials count, and none are learnt", async () => {
  const world = setUp();
  const known = Array.from({ length: 100 }, (_, i) => secret(`s${i}`));
  await world.manager.recordImagePulled("app:1", "ref", { kubernetesSecrets: known });
  const { writes } = world.pulled;
  assert.equal(await ask(world, { secrets: [secret("s5", "changed")] }), "pull: credentials-not-recorded");
  assert.equal(await ask(world, { secrets: [secret("other", "hash of s7")] }), "use: secret-hash-recorded");
  assert.equal(world.pulled.writes, writes);
});

test("a record that can't be written leaves its intent, so the image counts as pulled all the same", async () => {
  const world = setUp();
  await world.manager.recordPullIntent("app:1");
  world.pulled.writeError = new Error("disk full");
  await world.manager.recordImagePulled("app:1", "ref", { nodePodsAccessible: true });
  assert.equal(world.manager.intentsOf("app:1"), 1);
  assert.equal(world.intents.records.size, 1);
  assert.deepEqual(world.warnings, ['failed to write image pulled record for "ref": disk full']);
  assert.equal(await ask(world), "pull: no-record");
});

test("an intent that can't be written fails the pull; one that can't be deleted is kept in mind", async () => {
  const world = setUp();
  world.intents.writeError = new Error("read-only");
  await assert.rejects(world.manager.recordPullIntent("app:1"), {
    code: "RECORD_UNWRITABLE",
    message: "failed to record image pull intent: read-only",
  });
  assert.equal(world.manager.intentsOf("app:1"), 0);
  world.intents.writeError = undefined;
  await world.manager.recordPullIntent("app:1");
  world.intents.deleteError = new Error("busy");
  await world.manager.recordImagePullFailed("app:1");
  assert.equal(world.manager.intentsOf("app:1"), 1);
});

test("pulls of one image at once keep one intent until the last of them ends, and lose no credential", async () => {
  const world = setUp();
  const names = Array.from({ length: 20 }, (_, i) => `s${String(i).padStart(2, "0")}`);
  await Promise.all(names.map(() => world.manager.recordPullIntent("app:1")));
  await world.manager.recordImagePullFailed("app:1");
  await Promise.all(
    names
      .slice(1)
      .map((name) => world.manager.recordImagePulled("app:1", "ref", { kubernetesSecrets: [secret(name)] })),
  );
  const recorded = world.pulled.records.get("ref")?.credentialMapping.get("app")?.kubernetesSecrets;
  assert.deepEqual(
    recorded?.map(({ name }) => name),
    names.slice(1),
  );
  assert.equal(world.intents.records.size, 0);
});

test("convertIntents() knows names as they are written only", async () => {
  const world = setUp();
  for (const image of ["docker.io/library/nginx:1", "nginx", "gone:1"]) await world.intents.write({ image });
  await world.manager.convertIntents(async () => [
    { id: "ref", repoTags: ["docker.io/library/nginx:1", "docker.io/library/nginx:latest"], repoDigests: [] },
  ]);
  assert.deepEqual([...world.intents.records.keys()], ["nginx", "gone:1"]);
  assert.deepEqual(world.pulled.records.get("ref"), {
    imageRef: "ref",
    lastUpdatedTime: 5000,
    credentialMapping: new Map(),
  });
});

test("pruneUnknownRecords() spares what changed at the moment given or later", async () => {
  const world = setUp();
  for (const [imageRef, lastUpdatedTime] of [
    ["old", 99],
    ["same", 100],
    ["listed", 1],
    ["timeless", undefined],
  ] as const) {
    await world.pulled.write({ imageRef, lastUpdatedTime, credentialMapping: new Map() });
  }
  await world.manager.pruneUnknownRecords(["listed"], 100);
  assert.deepEqual([...world.pulled.records.keys()], ["same", "listed"]);
});
