import assert from "node:assert/strict";
import { test } from "node:test";
import { Secret } from "../internal/secret.ts";
import type { CredentialCandidate } from "./credential.ts";
import { ChainSource, StaticSource } from "./static-source.ts";

function candidate(label: string): CredentialCandidate {
  return {
    credential: { kind: "basic", username: label, password: new Secret("x") },
    origin: { kind: "argument", label },
  };
}

const labels = (found: readonly CredentialCandidate[]): readonly string[] =>
  found.map(({ origin }) => origin.label);

test("StaticSource shows a credential to the registry it is for and to no other", async () => {
  const source = new StaticSource([
    { registry: "docker.io", candidate: candidate("hub") },
    { registry: "r.test", candidate: candidate("host") },
    { registry: "r.test/team", candidate: candidate("team") },
  ]);
  assert.deepEqual(labels(await source.find({ host: "r.test", repository: "team/app" })), ["team", "host"]);
  assert.deepEqual(labels(await source.find({ host: "r.test", repository: "teams/app" })), ["host"]);
  assert.deepEqual(labels(await source.find({ host: "registry-1.docker.io" })), ["hub"]);
  assert.deepEqual(labels(await source.find({ host: "r.test:5000" })), []);
});

test("ChainSource gives candidates in the order of its sources", async () => {
  const [one, two] = ["one", "two"].map(
    (label) => new StaticSource([{ registry: "r.test", candidate: candidate(label) }]),
  );
  assert.ok(one && two);
  assert.deepEqual(labels(await new ChainSource([two, one]).find({ host: "r.test" })), ["two", "one"]);
});
