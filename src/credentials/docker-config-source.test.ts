import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { configCandidates } from "./config-location.ts";
import type { Credential } from "./credential.ts";
import { DockerConfigSource, type DockerConfigOptions } from "./docker-config-source.ts";
import type { RunProgram } from "./run-program.ts";

async function homeWith(
  t: TestContext,
  config: object | string | undefined,
  path = ".docker/config.json",
): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), "dray-credentials-"));
  t.after(() => rm(home, { recursive: true }));
  if (config !== undefined) {
    await mkdir(dirname(join(home, path)), { recursive: true });
    await writeFile(join(home, path), typeof config === "string" ? config : JSON.stringify(config));
  }
  return home;
}

const auth = (text: string): object => ({ auth: Buffer.from(text).toString("base64") });

function shown(credential: Credential | undefined): string | undefined {
  if (credential === undefined) return undefined;
  return credential.kind === "basic"
    ? `${credential.username}:${credential.password.reveal()}`
    : `${credential.kind} ${credential.token.reveal()}`;
}

async function find(
  home: string,
  image: string,
  options: Partial<DockerConfigOptions> = {},
): Promise<string | undefined> {
  const [host = "", ...path] = image.split("/");
  const source = new DockerConfigSource({ env: {}, home, ...options });
  const found = await source.find({ host, repository: path.length > 0 ? path.join("/") : undefined });
  assert.ok(found.length <= 1);
  return shown(found[0]?.credential);
}

test("the entry for the longest part of host and path wins", async (t) => {
  const home = await homeWith(t, {
    auths: {
      "r.test": auth("host:1"),
      "r.test/a/b": auth("deep:3"),
      "r.test/a": auth("team:2"),
      "r.test:5000": auth("port:4"),
    },
  });
  assert.equal(await find(home, "r.test/a/b/c"), "deep:3");
  assert.equal(await find(home, "r.test/a/b"), "deep:3");
  assert.equal(await find(home, "r.test/a/bc"), "team:2");
  assert.equal(await find(home, "r.test/ab"), "host:1");
  assert.equal(await find(home, "r.test"), "host:1");
  assert.equal(await find(home, "r.test:5000/a"), "port:4");
  assert.equal(await find(home, "other.test/a"), undefined);
});

test("the Hub has one credential under all of its names", async (t) => {
  for (const key of ["https://index.docker.io/v1/", "index.docker.io", "docker.io", "https://docker.io"]) {
    const home = await homeWith(t, { auths: { [key]: auth("hub:x") } });
    for (const host of ["docker.io", "index.docker.io", "registry-1.docker.io"]) {
      assert.equal(await find(home, `${host}/library/busybox`), "hub:x");
    }
  }
  const both = await homeWith(t, {
    auths: { "docker.io": auth("other:x"), "https://index.docker.io/v1/": auth("docker:x") },
  });
  assert.equal(await find(both, "docker.io/library/busybox"), "docker:x");
});

test("keys with a scheme and an API path mean their host", async (t) => {
  for (const key of ["https://r.test", "http://r.test/v1/", "https://r.test/v2/", "R.Test/", "r.test/v2/"]) {
    assert.equal(await find(await homeWith(t, { auths: { [key]: auth("a:b") } }), "r.test/x"), "a:b");
  }
});

const ENTRIES: readonly (readonly [entry: object, expected: string | undefined])[] = [
  [{ auth: "dTpwYTpzcw==" }, "u:pa:ss"],
  [{ auth: "dTpwYTpzcw" }, "u:pa:ss"],
  [{ auth: Buffer.from("u:p\0\0").toString("base64") }, "u:p"],
  [{ auth: Buffer.from("ü:pé").toString("base64") }, "ü:pé"],
  [{ auth: Buffer.from("nocolon").toString("base64") }, "AUTH_INVALID"],
  [{ auth: "not base64!" }, "AUTH_INVALID"],
  [{ auth: "dTpwY" }, "AUTH_INVALID"],
  [{ auth: 7 }, "AUTH_INVALID"],
  [{ username: "u", password: "p" }, "u:p"],
  [{ username: "u", password: "p", auth: "YTpi" }, "a:b"],
  [{ auth: Buffer.from("<token>:id").toString("base64") }, "identity-token id"],
  [{ auth: "YTpi", identitytoken: "id" }, "identity-token id"],
  [{ identitytoken: "id", registrytoken: "reg" }, "registry-token reg"],
  [{}, undefined],
  [{ auth: "", email: "a@b.test" }, undefined],
];

for (const [entry, expected] of ENTRIES) {
  test(`an entry ${JSON.stringify(entry)} gives ${expected}`, async (t) => {
    const home = await homeWith(t, { auths: { "r.test": entry } });
    if (expected === "AUTH_INVALID") await assert.rejects(find(home, "r.test"), { code: expected });
    else assert.equal(await find(home, "r.test"), expected);
  });
}

test("an entry that can't be read troubles nobody else", async (t) => {
  const home = await homeWith(t, { auths: { "bad.test": { auth: "!" }, "good.test": auth("a:b") } });
  assert.equal(await find(home, "good.test"), "a:b");
});

test("files are looked for in order, and the first that exists is the one", () => {
  const env = {
    DOCKER_CONFIG: "/d",
    REGISTRY_AUTH_FILE: "/r/auth.json",
    XDG_RUNTIME_DIR: "/run/1",
    XDG_CONFIG_HOME: "/c",
  };
  assert.deepEqual(configCandidates({ env, home: "/h" }), [
    join("/d", "config.json"),
    "/r/auth.json",
    join("/run/1", "containers", "auth.json"),
    join("/c", "containers", "auth.json"),
  ]);
  assert.deepEqual(configCandidates({ env: {}, home: "/h" }), [
    join("/h", ".docker", "config.json"),
    join("/h", ".config", "containers", "auth.json"),
  ]);
});

test("Podman's file is read where Docker's isn't", async (t) => {
  const home = await homeWith(t, { auths: { "r.test": auth("pod:man") } }, ".config/containers/auth.json");
  assert.equal(await find(home, "r.test"), "pod:man");
});

test("no file, and an empty one, is anonymous", async (t) => {
  assert.equal(await find(await homeWith(t, undefined), "r.test"), undefined);
  assert.equal(await find(await homeWith(t, ""), "r.test"), undefined);
});

for (const text of [
  '{"auths":{"r.test":{"auth":"c2VjcmV0',
  "[]",
  '{"auths":[]}',
  '{"credsStore":1}',
  '{"auths":{"a":1}}',
]) {
  test(`a file with ${text} is an error that doesn't quote it`, async (t) => {
    const home = await homeWith(t, text);
    await assert.rejects(find(home, "r.test"), (error: Error & { code: string }) => {
      assert.equal(error.code, "CONFIG_INVALID");
      assert.ok(!error.message.includes("c2VjcmV0"));
      return true;
    });
  });
}

test("the registry's helper comes before the store, and the store before the file", async (t) => {
  const asked: string[] = [];
  const run: RunProgram = ([program, verb], input) => {
    asked.push(`${program} ${verb} ${input}`);
    const known = program === "docker-credential-one" || input === "both.test";
    return Promise.resolve({
      code: known ? 0 : 1,
      stdout: known
        ? JSON.stringify({ ServerURL: input, Username: program, Secret: "s" })
        : "credentials not found in native keychain\n",
      stderr: "",
    });
  };
  const home = await homeWith(t, {
    auths: { "file.test": auth("in:file"), "both.test": auth("in:file") },
    credHelpers: { "own.test": "one", "docker.io": "one" },
    credsStore: "all",
  });
  assert.equal(await find(home, "own.test/a", { run }), "docker-credential-one:s");
  assert.equal(await find(home, "both.test/a", { run }), "docker-credential-all:s");
  assert.equal(await find(home, "file.test/a", { run }), "in:file");
  assert.equal(await find(home, "docker.io/a", { run }), "docker-credential-one:s");
  assert.deepEqual(asked, [
    "docker-credential-one get own.test",
    "docker-credential-all get both.test",
    "docker-credential-all get file.test",
    "docker-credential-one get https://index.docker.io/v1/",
  ]);
});
