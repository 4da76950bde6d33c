import assert from "node:assert/strict";
import { test } from "node:test";

import { Secret } from "../../credentials/index.ts";
import { createDockerRegistrySecret } from "../../kubernetes/index.ts";
import { namesOf } from "./places.ts";
import { isOfTenant, passwordIn, tenantSecret } from "./pull-secret.ts";

const LOGIN = { use: "pull", login: "robot+acme.pull", secret: new Secret("dray_robot_x") } as const;

test("the Secret holds what kubectl's would, and says whose it is", () => {
  const server = "registry.example.com:5000";
  const object = tenantSecret({ name: "acme", registry: server }, "shop", LOGIN);
  const login = { username: LOGIN.login, password: "dray_robot_x", server };
  const theirs = createDockerRegistrySecret(login, { name: "dray-acme-pull", namespace: "shop" });
  assert.deepEqual({ ...object, metadata: theirs.metadata }, theirs);
  assert.equal(object.metadata.name, "dray-acme-pull");
  assert.deepEqual(
    [isOfTenant(object, "acme"), isOfTenant(object, "acm"), isOfTenant(theirs, "acme")],
    [true, false, false],
  );
  assert.equal(passwordIn(object)?.reveal(), "dray_robot_x");
});

test("a registry of this machine is called by all its names", () => {
  const object = tenantSecret({ name: "acme", registry: "localhost:5000" }, "shop", LOGIN);
  const data = object["data"] as Record<string, string>;
  const { auths } = JSON.parse(Buffer.from(data[".dockerconfigjson"] ?? "", "base64").toString()) as {
    auths: object;
  };
  assert.deepEqual(Object.keys(auths), ["localhost:5000", "127.0.0.1:5000"]);
  assert.deepEqual(namesOf("127.0.0.1:80"), ["127.0.0.1:80", "localhost:80"]);
  assert.deepEqual(namesOf("localhost"), ["localhost", "127.0.0.1"]);
  assert.deepEqual(namesOf("localhost.example.com:1"), ["localhost.example.com:1"]);
  assert.deepEqual(namesOf("[fd00::1]:5000"), ["[fd00::1]:5000"]);
});

test("what somebody else put into a Secret is no password", () => {
  const base = { apiVersion: "v1", kind: "Secret", metadata: {} };
  const of = (text: string): object => ({
    data: { ".dockerconfigjson": Buffer.from(text).toString("base64") },
  });
  for (const rest of [
    {},
    { data: {} },
    of("{"),
    of("[]"),
    of('{"auths":[]}'),
    of('{"auths":{"r":{"password":1}}}'),
  ]) {
    assert.equal(passwordIn({ ...base, ...rest }), undefined);
  }
});
