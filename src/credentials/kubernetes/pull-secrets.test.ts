import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { CredentialsError } from "../errors.ts";
import { Keyring } from "./keyring.ts";
import {
  collectPullSecrets,
  explainPullSecrets,
  judgeSecret,
  type PullSecret,
  secretsKeyring,
} from "./pull-secrets.ts";

function secretOf(
  text: string,
  type = "kubernetes.io/dockerconfigjson",
  key = ".dockerconfigjson",
): PullSecret {
  return { name: "pull", namespace: "team", uid: "1", type, data: { [key]: Buffer.from(text) } };
}

describe("judgeSecret()", () => {
  for (const [secret, why] of [
    [secretOf("{}", "Opaque"), "type"],
    [secretOf("{}", "constructor"), "type"],
    [secretOf("{}", "kubernetes.io/dockercfg"), "key-missing"],
    [secretOf("{}", "kubernetes.io/dockerconfigjson", ".dockercfg"), "key-missing"],
    [secretOf(""), "key-empty"],
  ] as const) {
    test(`passes over ${secret.type} with ${Object.keys(secret.data).join("")}: ${why}`, () => {
      assert.deepEqual(judgeSecret(secret), { usable: false, why });
    });
  }
});

describe("secretsKeyring()", () => {
  for (const [text, message] of [
    [
      '{"auths": "none"}',
      "json: cannot unmarshal string into Go struct field DockerConfigJSON.auths of type credentialprovider.DockerConfig",
    ],
    ['{"auths": {"localhost:5011": {"auth": "!!!not-base64!!!"}}}', "illegal base64 data at input byte 0"],
    [
      '{"auths": {"a.io": {"auth": "cGFudHM="}}}',
      "unable to parse auth field, must be formatted as base64(username:password)",
    ],
    [
      '{"auths": {"a.io": {"username": 1}}}',
      "json: cannot unmarshal number into Go struct field DockerConfigJSON.auths.username of type string",
    ],
    [
      '{"auths": {"a.io": "x"}}',
      "json: cannot unmarshal string into Go struct field DockerConfigJSON.auths of type credentialprovider.dockerConfigEntryWithAuth",
    ],
    ["{", "unexpected end of JSON input"],
    ["[]", "json: cannot unmarshal array into Go value of type credentialprovider.DockerConfigJSON"],
  ] as const) {
    test(`passes on what Go says of ${text}`, () => {
      const fallback = new Keyring();
      assert.throws(
        () => secretsKeyring([secretOf(text)], fallback),
        (error) =>
          error instanceof CredentialsError && error.code === "CONFIG_INVALID" && error.message === message,
      );
    });
  }

  test("is the fallback itself when no Secret counts", () => {
    const fallback = new Keyring();
    assert.equal(secretsKeyring([secretOf("")], fallback), fallback);
    assert.notEqual(secretsKeyring([secretOf("{}")], fallback), fallback);
  });
});

test("collectPullSecrets() goes on without what can't be had, and warns once", async () => {
  const found = secretOf("{}");
  const fetch = (name: string): Promise<PullSecret> =>
    name === "pull" ? Promise.resolve(found) : Promise.reject(new Error("not found"));
  const { secrets, failed, warning } = await collectPullSecrets(["", "gone", "pull", "lost"], fetch);
  assert.deepEqual([secrets, failed.map(({ name }) => name)], [[found], ["gone", "lost"]]);
  assert.deepEqual(warning, {
    reason: "FailedToRetrieveImagePullSecret",
    message:
      "Unable to retrieve some image pull secrets (gone, lost); attempting to pull the image may not succeed.",
  });
  assert.equal((await collectPullSecrets(["pull"], fetch)).warning, undefined);
});

test("explainPullSecrets() says of each Secret what became of it, and agrees with the keyring they make", async () => {
  const entries =
    '{"auths":{"a.io":{"username":"u","password":"p"},"b.io:5000/x":{"username":"v","password":"q"}}}';
  const secrets = [secretOf(entries), secretOf("{"), { ...secretOf("{}"), type: "Opaque" }];
  const [good, broken, opaque] = explainPullSecrets(secrets, "a.io/app");
  assert.deepEqual(
    good?.lookup?.verdicts.map(({ key, mismatch }) => [key, mismatch]),
    [
      ["b.io:5000/x", "port"],
      ["a.io", undefined],
    ],
  );
  assert.equal(broken?.problem, "unexpected end of JSON input");
  assert.deepEqual([opaque?.verdict.usable, opaque?.lookup], [false, undefined]);
  const alone = secretsKeyring(secrets.slice(0, 1), new Keyring()).lookup("a.io/app");
  assert.deepEqual(
    (await alone).credentials.map(({ hash }) => hash),
    good?.lookup?.credentials.map(({ hash }) => hash),
  );
});
