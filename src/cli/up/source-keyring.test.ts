import assert from "node:assert/strict";
import { test } from "node:test";

import { type CredentialSource, Secret, StaticSource, toCandidate } from "../../credentials/index.ts";
import { SourceKeyring } from "./source-keyring.ts";

const origin = { kind: "extension", label: "vault" } as const;

test("a source's tokens stay tokens behind what stands for them in a keyring", async () => {
  const token = { credential: { kind: "identity-token", token: new Secret("t") }, origin } as const;
  const basic = { credential: { kind: "basic", username: "u", password: new Secret("p") }, origin } as const;
  const source = new StaticSource([token, basic].map((candidate) => ({ registry: "r.example", candidate })));
  const keyring = new SourceKeyring(source, { onFailure: (error) => assert.fail(String(error)) });
  const { credentials, found } = await keyring.lookup("r.example/app");
  assert.equal(found, true);
  assert.deepEqual(
    credentials.map((each) => keyring.candidateOf(each)),
    [token, basic],
  );
  assert.deepEqual(
    credentials.map(({ username, owner, origin: from }) => [username, owner, from.label]),
    [
      ["<identity-token>", undefined, "vault"],
      ["u", undefined, "vault"],
    ],
  );
  const [, second] = credentials;
  assert.ok(second);
  assert.deepEqual(toCandidate(second), basic);
  assert.equal((await keyring.lookup("other.example/app")).found, false);
});

test("a source that fails has nothing, and an abort is an abort", async () => {
  const failures: string[] = [];
  const source: CredentialSource = { find: () => Promise.reject(new Error("no helper")) };
  const keyring = new SourceKeyring(source, {
    onFailure: (error) => failures.push((error as Error).message),
  });
  assert.deepEqual(await keyring.lookup("r.example/app"), { credentials: [], found: false });
  assert.deepEqual(failures, ["no helper"]);
  const signal = AbortSignal.abort(new Error("enough"));
  await assert.rejects(keyring.lookup("r.example/app", { signal }), /enough/);
});
