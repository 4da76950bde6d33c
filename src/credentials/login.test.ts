import assert from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { Secret } from "../internal/secret.ts";
import type { Credential } from "./credential.ts";
import { DockerConfigSource } from "./docker-config-source.ts";
import { login, logout } from "./login.ts";
import type { RunProgram } from "./run-program.ts";

const ANN: Credential = { kind: "basic", username: "ann", password: new Secret("s3cret") };

async function place(t: TestContext, text?: string): Promise<{ home: string; path: string }> {
  const home = await mkdtemp(join(tmpdir(), "dray-login-"));
  t.after(() => rm(home, { recursive: true }));
  const path = join(home, ".docker", "config.json");
  if (text !== undefined) {
    await mkdir(join(home, ".docker"));
    await writeFile(path, text, { mode: 0o644 });
  }
  return { home, path };
}

test("login() makes a file its owner alone can read, and find() finds what it kept", async (t) => {
  const { home, path } = await place(t);
  const origin = await login("docker.io", ANN, { env: {}, home });
  assert.equal(origin.label, `${path}, auths["https://index.docker.io/v1/"]`);
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.equal((await stat(join(home, ".docker"))).mode & 0o777, 0o700);
  const [found] = await new DockerConfigSource({ env: {}, home }).find({ host: "docker.io" });
  assert.equal(found?.credential.kind === "basic" && found.credential.password.reveal(), "s3cret");
  assert.deepEqual(await readdir(join(home, ".docker")), ["config.json"]);
});

test("login() leaves everything else as it was, and narrows the file's mode", async (t) => {
  const before = `{
  "HttpHeaders": { "X": "1" },
  "auths": {
    "other.test": {
      "auth": "YTpi",
      "email": "a@b.test"
    },
    "https://r.test/v1/": {}
  },
  "future": [1, 2]
}`;
  const { home, path } = await place(t, before);
  await login("r.test", ANN, { env: {}, home });
  const text = await readFile(path, "utf8");
  assert.match(text, /^\{\n {2}"HttpHeaders"/);
  assert.ok(!text.endsWith("\n"));
  const auth = Buffer.from("ann:s3cret").toString("base64");
  assert.deepEqual(JSON.parse(text), {
    HttpHeaders: { X: "1" },
    auths: { "other.test": { auth: "YTpi", email: "a@b.test" }, "r.test": { auth } },
    future: [1, 2],
  });
  assert.equal((await stat(path)).mode & 0o777, 0o600);
});

test("logout() forgets a registry in whatever spelling, and says whether there was anything", async (t) => {
  const { home, path } = await place(
    t,
    '{"auths":{"docker.io":{},"https://index.docker.io/v1/":{"auth":"YTpi"},"r.test/team":{"auth":"YTpi"}}}\n',
  );
  assert.equal(await logout("docker.io", { env: {}, home }), true);
  assert.equal(await readFile(path, "utf8"), '{"auths":{"r.test/team":{"auth":"YTpi"}}}\n');
  assert.equal(await logout("docker.io", { env: {}, home }), false);
});

test("with a helper the secret stays out of the file", async (t) => {
  const { home, path } = await place(t, '{"credsStore":"keys"}');
  const calls: string[] = [];
  const run: RunProgram = ([program, verb], input) => {
    calls.push(`${program} ${verb} ${input}`);
    return Promise.resolve({ code: 0, stdout: "", stderr: "" });
  };
  const origin = await login("r.test", ANN, { env: {}, home, run });
  assert.deepEqual(origin, { kind: "helper", label: "docker-credential-keys" });
  assert.deepEqual(JSON.parse(await readFile(path, "utf8")), {
    credsStore: "keys",
    auths: { "r.test": {} },
  });
  assert.equal(await logout("r.test", { env: {}, home, run }), true);
  assert.deepEqual(calls, [
    'docker-credential-keys store {"ServerURL":"r.test","Username":"ann","Secret":"s3cret"}',
    "docker-credential-keys erase r.test",
  ]);
});

test("a linked file stays a link", async (t) => {
  const { home } = await place(t);
  const real = join(home, "dotfiles.json");
  await writeFile(real, "{}");
  await mkdir(join(home, ".docker"));
  await symlink(real, join(home, ".docker", "config.json"));
  await login("r.test", ANN, { env: {}, home });
  assert.match(await readFile(real, "utf8"), /r\.test/);
});

test("what can't be read back isn't kept", async (t) => {
  const { home } = await place(t);
  const wrong: readonly Credential[] = [
    { kind: "basic", username: "", password: new Secret("x") },
    { kind: "basic", username: "a:b", password: new Secret("x") },
    { kind: "basic", username: "a", password: new Secret("") },
    { kind: "identity-token", token: new Secret("") },
  ];
  for (const credential of wrong) {
    await assert.rejects(login("r.test", credential, { env: {}, home }), { code: "NOTHING_TO_STORE" });
  }
});

test("a file that can't be written is told, with the old one untouched", async (t) => {
  const { home } = await place(t);
  await writeFile(join(home, ".docker"), "a file where a folder should be");
  await assert.rejects(login("r.test", ANN, { env: {}, home }), { code: "CONFIG_UNWRITABLE" });
});

test("a registry may be written as people paste it", async (t) => {
  const { home, path } = await place(t);
  const origin = await login("https://R.test/v2/", ANN, { env: {}, home });
  assert.equal(origin.label, `${path}, auths["r.test"]`);
  assert.equal(await logout("http://r.test/", { env: {}, home }), true);
});
