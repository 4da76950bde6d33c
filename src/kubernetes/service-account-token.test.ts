import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { importJWK, jwtVerify } from "jose";

import { Secret } from "../internal/secret.ts";
import {
  DEFAULT_ISSUER,
  issueServiceAccountToken,
  type TokenRequest,
  verifyServiceAccountToken,
} from "./service-account-token.ts";
import {
  generateServiceAccountKey,
  openServiceAccountKey,
  publicJwk,
  ServiceAccountKeyError,
} from "./service-account-token-key.ts";

const NOW = Date.UTC(2026, 0, 1);
const now = (): number => NOW;
const REQUEST: TokenRequest = {
  namespace: "team",
  serviceAccount: { name: "robot", uid: "u-1" },
  pod: { name: "web", uid: "u-2" },
  node: { name: "lab1", uid: "u-3" },
  audiences: ["registry.example"],
};
const audiences = ["registry.example"];

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "dray-key-"));
  t.after(() => rm(folder, { recursive: true }));
  return folder;
}

test("a token says whose it is and what for, as one of Kubernetes does", async () => {
  const key = generateServiceAccountKey();
  const { token, expires, lifetimeSeconds } = await issueServiceAccountToken(key, REQUEST, { now });
  assert.deepEqual([expires, lifetimeSeconds], [NOW + 3_600_000, 3600]);
  // Verified by somebody else's code, with what the issuer publishes.
  const { payload, protectedHeader } = await jwtVerify(token.reveal(), await importJWK(publicJwk(key)), {
    currentDate: new Date(NOW),
  });
  const { jti, ...claims } = payload;
  assert.match(jti ?? "", /^[0-9a-f-]{36}$/);
  assert.deepEqual(protectedHeader, { alg: "ES256", kid: key.id });
  assert.deepEqual(claims, {
    iss: DEFAULT_ISSUER,
    sub: "system:serviceaccount:team:robot",
    aud: ["registry.example"],
    iat: NOW / 1000,
    nbf: NOW / 1000,
    exp: NOW / 1000 + 3600,
    "kubernetes.io": {
      namespace: "team",
      serviceaccount: { name: "robot", uid: "u-1" },
      pod: { name: "web", uid: "u-2" },
      node: { name: "lab1", uid: "u-3" },
    },
  });
});

test("a token is good for its key, its time and its audience alone", async () => {
  const key = generateServiceAccountKey();
  const { token } = await issueServiceAccountToken(key, { ...REQUEST, lifetimeSeconds: 600 }, { now });
  const verify = verifyServiceAccountToken;
  assert.deepEqual(await verify(key, token, { now, audiences: ["other", ...audiences] }), {
    namespace: "team",
    serviceAccount: REQUEST.serviceAccount,
    pod: REQUEST.pod,
    node: REQUEST.node,
    username: "system:serviceaccount:team:robot",
    audiences,
    id: JSON.parse(Buffer.from(token.reveal().split(".")[1] ?? "", "base64url").toString()).jti as string,
    expires: NOW + 600_000,
  });
  assert.equal(await verify(generateServiceAccountKey(), token, { now, audiences }), undefined);
  assert.equal(await verify(key, token, { now }), undefined, "it isn't for the issuer");
  assert.equal(await verify(key, token, { now: () => NOW + 600_000, audiences }), undefined, "expired");
  assert.equal(await verify(key, token, { now: () => NOW - 1000, audiences }), undefined, "not yet");
  assert.equal(await verify(key, token, { now, audiences, issuer: "https://other" }), undefined);
  const [header = "", payload = "", signature = ""] = token.reveal().split(".");
  const none = Buffer.from('{"alg":"none"}').toString("base64url");
  for (const text of [
    "",
    "a.b.c",
    `${header}.${payload}.`,
    `${none}.${payload}.`,
    `${header}.e30.${signature}`,
  ]) {
    assert.equal(await verify(key, new Secret(text), { now, audiences }), undefined, text.slice(0, 20));
  }
});

test("a token without an audience is for the issuer", async () => {
  const key = generateServiceAccountKey();
  const request = { namespace: "n", serviceAccount: { name: "a", uid: "u" }, audiences: [] };
  const { token } = await issueServiceAccountToken(key, request, { now });
  const verified = await verifyServiceAccountToken(key, token, { now });
  assert.deepEqual(
    [verified?.audiences, verified?.pod, verified?.node],
    [[DEFAULT_ISSUER], undefined, undefined],
  );
});

test("a key is made once, for its owner alone, however many ask at once", async (t) => {
  const folder = await makeFolder(t);
  const path = join(folder, "sa.key");
  const keys = await Promise.all(Array.from({ length: 8 }, () => openServiceAccountKey(path)));
  assert.equal(new Set(keys.map(({ id }) => id)).size, 1);
  assert.equal((await openServiceAccountKey(path)).id, keys[0]?.id);
  assert.deepEqual(await readdir(folder), ["sa.key"]);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
});

test("a file that holds no such key is refused, and nothing of it is quoted", async (t) => {
  const path = join(await makeFolder(t), "sa.key");
  const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey;
  for (const [text, why] of [
    ["hush-hush", "no private key stands in it"],
    [String(rsa.export({ type: "pkcs8", format: "pem" })), "its key is none of the curve P-256"],
  ] as const) {
    await writeFile(path, text);
    await assert.rejects(openServiceAccountKey(path), (error: unknown) => {
      assert.ok(error instanceof ServiceAccountKeyError);
      assert.equal(error.code, "KEY_INVALID");
      assert.ok(error.message.includes(why), error.message);
      assert.ok(!error.message.includes("hush"), error.message);
      return true;
    });
  }
});
