import assert from "node:assert/strict";
import { test } from "node:test";

import { formatProblem, readManifests } from "./read-manifests.ts";

function read(text: string): { readonly messages: string[] } & ReturnType<typeof readManifests> {
  const result = readManifests(text, { file: "s.yaml" });
  const { pods, namespaces, secrets, serviceAccounts, others, objects, problems } = result;
  const messages = problems.map(formatProblem);
  return { pods, namespaces, secrets, serviceAccounts, others, objects, problems, messages };
}

const BASE64 = Buffer.from('{"auths":{}}').toString("base64");

test("readManifests() decodes Secrets, where text comes before base64", () => {
  const { secrets, messages } = read(`apiVersion: v1
kind: Secret
metadata: {name: pull, namespace: team, uid: "1"}
type: kubernetes.io/dockerconfigjson
data:
  .dockerconfigjson: ${BASE64}
  other: ${BASE64}
stringData:
  other: plain
`);
  assert.deepEqual(messages, []);
  const [secret] = secrets.map(({ object }) => object);
  assert.deepEqual(secret?.metadata, { name: "pull", namespace: "team", uid: "1", annotations: {} });
  assert.equal(secret?.type, "kubernetes.io/dockerconfigjson");
  const texts = Object.entries(secret?.data ?? {}).map(([key, bytes]) => [
    key,
    Buffer.from(bytes).toString(),
  ]);
  assert.deepEqual(texts, [
    [".dockerconfigjson", '{"auths":{}}'],
    ["other", "plain"],
  ]);
});

test("readManifests() reads ServiceAccounts, Namespaces and Lists of them", () => {
  const { serviceAccounts, namespaces, others, messages } = read(`apiVersion: v1
kind: List
items:
  - {apiVersion: v1, kind: Namespace, metadata: {name: team}}
  - apiVersion: v1
    kind: ServiceAccountList
    items:
      - apiVersion: v1
        kind: ServiceAccount
        metadata: {name: robot, namespace: team, annotations: {a: b}}
        imagePullSecrets: [{name: one}, {name: two}]
`);
  assert.deepEqual([messages, others], [[], []]);
  assert.deepEqual(
    namespaces.map(({ object }) => object.name),
    ["team"],
  );
  assert.deepEqual(
    serviceAccounts.map(({ object }) => object),
    [
      {
        kind: "ServiceAccount",
        metadata: { name: "robot", namespace: "team", annotations: { a: "b" } },
        imagePullSecrets: ["one", "two"],
      },
    ],
  );
});

test("no complaint about a Secret quotes what it holds", () => {
  const hidden = "hunter2hunter2";
  const broken = [
    `data: {k: "!${hidden}"}`,
    `data: {k: 12345678}`,
    `stringData: {k: 12345678}`,
    `stringData: {k: [${hidden}]}`,
    `stringData: ${hidden}`,
    `stringData: {k: "x"} "${hidden}"`,
    `stringData: {k: *${hidden}}`,
    `stringData: {k: "\\q${hidden}"}`,
  ];
  for (const rest of broken) {
    const { messages, secrets } = read(`apiVersion: v1\nkind: Secret\nmetadata: {name: s}\n${rest}\n`);
    assert.ok(messages.length > 0 || secrets.length > 0, rest);
    for (const message of messages) assert.doesNotMatch(message, /hunter2|12345678/, rest);
  }
  const { messages } = read("apiVersion: v1\nkind: Secret\nmetadata: {name: s}\ndata:\n  key: a-b\n");
  assert.deepEqual(messages, [
    "s.yaml, line 5, column 8: data.key: Invalid value: illegal base64 data at input byte 1; give plain text under stringData",
  ]);
});
