import assert from "node:assert/strict";
import { test } from "node:test";

import {
  createDockerRegistrySecret,
  createDockerRegistrySecretFromFiles,
  parseFileSource,
} from "./docker-registry-secret.ts";

test("createDockerRegistrySecret() escapes as Go does and puts the Secret where it's told", () => {
  const login = { username: "<u>", password: "p&q", server: "r.example" };
  const secret = createDockerRegistrySecret(login, { name: "s", namespace: "shop" });
  assert.deepEqual(secret.metadata, { name: "s", namespace: "shop" });
  const data = secret["data"] as Readonly<Record<string, string>>;
  assert.equal(
    Buffer.from(data[".dockerconfigjson"] ?? "", "base64").toString(),
    '{"auths":{"r.example":{"username":"\\u003cu\\u003e","password":"p\\u0026q","auth":"PHU+OnAmcQ=="}}}',
  );
});

test("the hash in a Secret's name is that of what it holds, not of where it is", () => {
  const login = { username: "u", password: "p" };
  const name = (namespace: string, password: string): string | undefined =>
    createDockerRegistrySecret({ ...login, password }, { name: "s", namespace, appendHash: true }).metadata
      .name;
  assert.match(name("a", "p") ?? "", /^s-[2456789bcdfghkmt]{10}$/);
  assert.equal(name("a", "p"), name("b", "p"));
  assert.notEqual(name("a", "p"), name("a", "q"));
});

test("createDockerRegistrySecretFromFiles() keeps bytes as they are, and says which file can't be read", async () => {
  const files: Readonly<Record<string, Uint8Array>> = { "a.json": Buffer.from([0xff, 0x0a]) };
  const read = async (path: string): Promise<Uint8Array> => {
    const found = files[path];
    if (found === undefined) throw Object.assign(new Error("x"), { code: "ENOENT" });
    return found;
  };
  const secret = await createDockerRegistrySecretFromFiles(["a.json", "more=a.json"], read, { name: "s" });
  assert.deepEqual(secret["data"], { ".dockerconfigjson": "/wo=", more: "/wo=" });
  await assert.rejects(createDockerRegistrySecretFromFiles(["b.json"], read, { name: "s" }), {
    code: "UNREADABLE",
    message: "error reading b.json: no such file or directory",
  });
  await assert.rejects(createDockerRegistrySecretFromFiles(["a.json", "a.json"], read, { name: "s" }), {
    code: "SETTINGS_INVALID",
    message: "cannot add key .dockerconfigjson, another key by that name already exists",
  });
});

test("a source without a key has its file's name for one, as Go finds it", () => {
  for (const [path, key] of [
    ["a/b.json", "b.json"],
    ["b.json", "b.json"],
    ["a/b//", "b"],
    ["//", "/"],
    ["", "."],
  ] as const) {
    assert.deepEqual(parseFileSource(path), { key, path });
  }
});
