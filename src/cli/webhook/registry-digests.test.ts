import assert from "node:assert/strict";
import { test } from "node:test";

import type { DigestAnswer, DigestQuestion } from "../../admission/index.ts";
import { ClientError, type ClientErrorCode } from "../../client/index.ts";
import { decodeDocument, Keyring, type PullSecret, type TrackedCredential } from "../../credentials/index.ts";
import type { Descriptor } from "../../oci/index.ts";
import type { PullObjects } from "./pull-objects.ts";
import { RegistryDigests } from "./registry-digests.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;
const QUESTION: DigestQuestion = {
  image: "registry.example.com/team/app:1",
  namespace: "shop",
  imagePullSecrets: ["pull"],
  serviceAccountName: "robot",
};

function secretOf(name: string, username: string): PullSecret {
  const auths = { "registry.example.com": { username, password: "hush-hush" } };
  const data = { ".dockerconfigjson": Buffer.from(JSON.stringify({ auths })) };
  return { name, namespace: "shop", uid: name, type: "kubernetes.io/dockerconfigjson", data };
}

interface World {
  readonly secrets?: readonly PullSecret[];
  readonly account?: readonly string[];
  /** Who may see the image; `null` is everybody. */
  readonly allowed: readonly (string | null)[];
  readonly nodeUser?: string;
  readonly fails?: ClientErrorCode;
  readonly objects?: Partial<PullObjects>;
}

async function ask(world: World, question = QUESTION): Promise<{ answer: DigestAnswer; tried: unknown[] }> {
  const tried: unknown[] = [];
  const ofNode = new Keyring({ track: true });
  if (world.nodeUser !== undefined) {
    const text = JSON.stringify({ "registry.example.com": { username: world.nodeUser, password: "p" } });
    ofNode.add(decodeDocument(Buffer.from(text), "dockercfg"), { kind: "file", label: "node" });
  }
  const digests = new RegistryDigests({
    objects: {
      secret: async ({ namespace, name }) =>
        world.secrets?.find((secret) => secret.namespace === namespace && secret.name === name),
      accountSecrets: async ({ name }) => (name === "robot" ? world.account : undefined),
      ...world.objects,
    },
    keyring: () => ofNode,
    repository: (reference, credential: TrackedCredential | null) => ({
      resolve: async (tag): Promise<Descriptor> => {
        const who = credential?.username ?? null;
        tried.push(who);
        if (world.fails !== undefined) throw new ClientError(world.fails, "Cannot ask: it failed");
        if (!world.allowed.includes(who)) throw new ClientError("UNAUTHORIZED", "Cannot ask: login refused");
        assert.equal(`${reference.path}:${tag}`, "team/app:1");
        return {
          mediaType: "application/vnd.oci.image.index.v1+json",
          digest: DIGEST as Descriptor["digest"],
          size: 1,
        };
      },
    }),
  });
  const answer = await digests.resolve(question, { signal: new AbortController().signal });
  assert.doesNotMatch(JSON.stringify(answer), /hush-hush/);
  return { answer, tried };
}

test("a Pod's own Secret is tried before what nodes have, and what it finds is the Pod's alone", async () => {
  const { answer, tried } = await ask({
    secrets: [secretOf("pull", "me")],
    allowed: ["me"],
    nodeUser: "node",
  });
  assert.deepEqual(answer, { digest: DIGEST, openToAll: false });
  assert.deepEqual(tried, ["me"]);
});

test("what nodes have, and nobody's, may be known by all", async () => {
  const wrong = { secrets: [secretOf("pull", "wrong")], allowed: ["node"], nodeUser: "node" };
  assert.deepEqual(await ask(wrong), {
    answer: { digest: DIGEST, openToAll: true },
    tried: ["wrong", "node"],
  });
  const open = await ask({ allowed: [null] }, { ...QUESTION, imagePullSecrets: [] });
  assert.deepEqual(open, { answer: { digest: DIGEST, openToAll: true }, tried: [null] });
});

test("the ServiceAccount's Secrets count where the Pod names none, and only then", async () => {
  const secrets = [secretOf("of-account", "account")];
  const world = { secrets, account: ["of-account"], allowed: ["account"] };
  const none = await ask(world, { ...QUESTION, imagePullSecrets: [] });
  assert.deepEqual(none.answer, { digest: DIGEST, openToAll: false });
  const own = await ask(world);
  assert.deepEqual(own.tried, [null]);
});

const FAILURES: readonly (readonly [code: ClientErrorCode, expected: string])[] = [
  ["MANIFEST_UNKNOWN", "NOT_FOUND"],
  ["NAME_UNKNOWN", "NOT_FOUND"],
  ["DENIED", "DENIED"],
  ["TOOMANYREQUESTS", "RATE_LIMITED"],
  ["NETWORK_TIMEOUT", "TIMEOUT"],
  ["NETWORK_REFUSED", "UNREACHABLE"],
  ["STATUS_UNEXPECTED", "UNREACHABLE"],
];

for (const [code, expected] of FAILURES) {
  test(`${code} of a registry is ${expected} to admission`, async () => {
    const { answer } = await ask({ secrets: [secretOf("pull", "me")], allowed: [], fails: code });
    assert.equal("failure" in answer && answer.failure.code, expected);
  });
}

test("a refusal names the Secrets that aren't there", async () => {
  const { answer } = await ask({ allowed: [] });
  assert.deepEqual(answer, {
    failure: { code: "DENIED", message: 'Cannot ask: login refused (there is no Secret "pull")' },
  });
});

test("an API server that can't be asked is no reason to ask as nobody", async () => {
  const secret = async (): Promise<never> => {
    throw new ClientError("NETWORK_REFUSED", "Cannot reach API server: connection refused");
  };
  const { answer, tried } = await ask({ allowed: [null], objects: { secret } });
  assert.equal("failure" in answer && answer.failure.code, "UNREACHABLE");
  assert.deepEqual(tried, []);
});

test("a Secret that can't be read is the Pod's fault", async () => {
  const broken = { ...secretOf("pull", "me"), data: { ".dockerconfigjson": Buffer.from("{") } };
  const { answer } = await ask({ secrets: [broken], allowed: [null] });
  assert.equal("failure" in answer && answer.failure.code, "DENIED");
});
