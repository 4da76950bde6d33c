import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import type { RegistryError } from "../errors.ts";
import { defaultSettings, parseRegistryConfig, readAccessFile, readRegistryConfig } from "./read-config.ts";

const folder = mkdtempSync(join(tmpdir(), "dray-config-"));
after(() => rmSync(folder, { recursive: true }));

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}

test("the configuration in the comment and those in the guide are ones, and mean what they say", async () => {
  const source = readFileSync(new URL("config.ts", import.meta.url), "utf8").replaceAll(/^ \* ?/gm, "");
  const guide = readFileSync(new URL("../../../docs/guides/registry.md", import.meta.url), "utf8");
  const blocks = [...`${source}\n${guide}`.matchAll(/^```yaml\n([^]*?)^```/gm)].map(
    (match) => match[1] ?? "",
  );
  assert.ok(blocks.length >= 2);
  write("access.yaml", "realm: here");
  for (const block of blocks) await parseRegistryConfig(block, join(folder, "registry.yaml"));
  const settings = await parseRegistryConfig(blocks[0] ?? "", "/etc/dray/registry.yaml");
  assert.deepEqual(settings.listen, {
    address: "::",
    port: 5000,
    tls: {
      certificate: "/etc/dray/tls.crt",
      key: "/etc/dray/tls.key",
      clientCa: "/etc/dray/clients.pem",
    },
    http2: true,
    idle: 120_000,
    farewell: 5_000,
    drain: 30_000,
  });
  assert.equal(settings.storage.folder, "/var/lib/dray/registry");
  assert.equal(settings.storage.cache, 64 * 2 ** 20);
  assert.equal(settings.limits.maxBlobSize, 20 * 2 ** 30);
  assert.deepEqual(settings.limits.quotas, [{ under: "tenant-a", maxBytes: 2 ** 40, maxTags: undefined }]);
  assert.equal(settings.collection.every, 3_600_000);
  assert.equal(settings.collection.retention?.[0]?.keepWithin, 14 * 86_400_000);
  const [endpoint] = settings.notifications;
  assert.deepEqual(endpoint?.headerFiles, { Authorization: "/etc/dray/token.txt" });
  assert.deepEqual(endpoint?.actions, ["push", "delete"]);
  assert.equal(settings.audit?.file, "audit.log");
  assert.equal(settings.log?.file, "/etc/dray/access.log");
  assert.deepEqual(settings.metrics, { address: "127.0.0.1", port: 5001, path: "/metrics" });
});

test("JSON is YAML, and nothing at all is a configuration", async () => {
  const settings = await parseRegistryConfig('{"listen":{"port":1}}', "registry.json");
  assert.equal(settings.listen.port, 1);
  assert.deepEqual(await parseRegistryConfig("", "registry.yaml"), defaultSettings());
  assert.equal(defaultSettings().collection.every, 3_600_000);
  assert.equal((await parseRegistryConfig("collection: false", "x")).collection.every, undefined);
});

test("access stands inline, or in a file of its own that its file names are relative to", async () => {
  const inline = write("inline.yaml", "access: { htpasswd: users, realm: here }");
  assert.deepEqual((await readRegistryConfig(inline)).access, {
    config: { htpasswd: "users", realm: "here" },
    folder,
    file: undefined,
  });
  const access = write("access.yaml", "realm: there\nhtpasswd: users\n");
  const apart = write("apart.yaml", "access: access.yaml\n");
  assert.deepEqual((await readRegistryConfig(apart)).access, {
    config: { htpasswd: "users", realm: "there" },
    folder,
    file: access,
  });
  assert.deepEqual(await readAccessFile(access), (await readRegistryConfig(apart)).access);
});

for (const [text, ...faults] of [
  ["listen: [", /^Cannot use the configuration "r\.yaml": r\.yaml:1:\d+: /],
  ["a: 1\na: 2", / r\.yaml:2:1: Map keys must be unique/],
  ["- a", / r\.yaml:1:1: it is not an object with listen, storage, access, .* and metrics$/],
  ["\nliste: {}", / r\.yaml:2:1: liste is not known here; there are listen, /],
  [
    "listen:\n  port: many\n  idle: 5\n  tls: { certificate: a }\n",
    /\n {2}r\.yaml:2:3: listen\.port is not a port from 0 to 65535\n/,
    /\n {2}r\.yaml:3:3: listen\.idle is not a duration; write 90s/,
    /\n {2}r\.yaml:4:3: listen\.tls\.key is missing; name a PEM file$/,
  ],
  ["listen: { http2: yes please }", /r\.yaml:1:11: listen\.http2 is neither true nor false/],
  [
    "access:\n  policies:\n    - repositories: [a]\n      actions: [pul]\n      subjects: [users]",
    /r\.yaml:4:17: access\.policies\[0\]\.actions\[0\] is "pul"; it can be pull, push and delete/,
  ],
  ["access: { realms: x }", /r\.yaml:1:11: access\.realms is not known here/],
  ["access: 5", /r\.yaml:1:1: access is not an object/],
  ["limits: { blob: 5 parsecs }", /limits\.blob is not a size; write 50GiB, 500MB or a number of bytes/],
  ["limits: { rules: [{ maxTags: 1 }] }", /limits\.rules\[0\]\.repositories is missing; write \["\*\*"\]/],
  ["listen: {}\n---\nlisten: {}", / r\.yaml:2:1: a second document begins here; there can be one$/],
  ["limits:\n  rules: [{ repositories: [a] }]", /r\.yaml:2:11: limits\.rules\[0\] says nothing; add maxM/],
  ["limits: { rules: [{ repositories: [], maxTags: 1 }] }", /rules\[0\]\.repositories is empty; write/],
  [
    'limits: { rules: [{ repositories: ["u/{user}"], immutableTags: ["v[0-9]*"] }] }',
    /rules\[0\]\.repositories\[0\] has \{user\}, which only policies know; write "\*"/,
    /rules\[0\]\.immutableTags\[0\] has "\["; tags are of letters, digits, /,
  ],
  [
    "limits: { quotas: [{ under: team/, maxTags: 1 }, { under: Team, maxTags: 1 }, { under: a }] }",
    /quotas\[0\]\.under is not the beginning of repositories; write team, or team\/part, without/,
    /quotas\[1\]\.under is not the beginning of repositories/,
    /quotas\[2\] says nothing; add maxBytes or maxTags$/,
  ],
  [
    'retention: [{ repositories: ["{user}/**"], tags: ["pr-?"], keepTags: ["v\\\\d"] }]',
    /retention\[0\]\.repositories\[0\] has \{user\}/,
    /retention\[0\]\.tags\[0\] has "\?"/,
    /retention\[0\]\.keepTags\[0\] has "\\\\"/,
  ],
  [
    "retention: [{ repositories: [a], tags: [pr-*], untaggedAfter: 7d }]",
    /retention\[0\]\.tags says nothing without keepLast, keepWithin or keepTags$/,
  ],
  ["notifications: [{ name: a, url: http://h, repositories: [] }]", /repositories is empty; write/],
  [
    'mirror: { upstreams: [{ registry: docker.io, repositories: { deny: ["{user}/**"] } }] }',
    /upstreams\[0\]\.repositories\.deny\[0\] has \{user\}/,
  ],
  ['limits: { rules: [{ repositories: ["a//b"] }] }', /rules\[0\]\.repositories\[0\] has an empty part/],
  ["retention:\n- repositories: [a]", /r\.yaml:2:3: retention\[0\] says nothing; add keepLast, /],
  ["retention: [{ repositories: [a], keepWithin: soon }]", /keepWithin is not a duration/],
  ["collection: { every: 1 }", /collection\.every is not a duration/],
  ["mirror: { upstreams: [{ registri: x }] }", /mirror\.upstreams\[0\]\.registri is not known here/],
  [
    "notifications:\n- { url: x }\n- { name: a, url: http://h }\n- { name: a, url: http://h, actions: [look] }",
    /r\.yaml:2:5: notifications\[0\]\.url is not a URL/,
    /notifications\[0\]\.name is missing/,
    /r\.yaml:4:5: notifications\[2\]\.name is the name of another endpoint, too/,
    /notifications\[2\]\.actions\[0\] is "look"; it can be push, pull, mount and delete/,
  ],
  [
    'notifications: [{ name: a, url: "http://h", headers: { "a b": x, A: "1\\n2" } }]',
    /headers\.a b is no name of a header/,
    /headers\.A is more than a line/,
  ],
  ["audit: { sync: sometimes }", /audit\.sync is "sometimes"; it can be always, second and never/],
  ["log: { format: xml }", /log\.format is "xml"; it can be json and combined/],
  ["metrics: { path: metrics }", /metrics\.path is not a path/, /metrics\.port is missing/],
] as const) {
  test(`every fault is told with its place and how to mend it: ${JSON.stringify(text)}`, async () => {
    await assert.rejects(parseRegistryConfig(text, "r.yaml"), (error: RegistryError) => {
      assert.equal(error.code, "CONFIG_INVALID");
      for (const fault of faults) assert.match(error.message, fault);
      return true;
    });
  });
}

test("a file that isn't there, or is wrong, is called by its own name", async () => {
  await assert.rejects(readRegistryConfig(join(folder, "none.yaml")), {
    code: "CONFIG_UNREADABLE",
    message: /^Cannot read the configuration ".*none\.yaml": there is no such file$/,
  });
  write("wrong-access.yaml", "realm: 5");
  const apart = write("wrong.yaml", "access: wrong-access.yaml\n");
  await assert.rejects(readRegistryConfig(apart), {
    message: /configuration ".*wrong-access\.yaml": .*wrong-access\.yaml:1:1: realm is not a text/,
  });
});
