import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { ConfiguredHosts, parseHostsToml } from "../../client/index.ts";
import { run } from "../run.ts";
import { createMemoryContext } from "../testing.ts";
import { hostsFiles } from "./hosts-files.ts";

const folder = mkdtempSync(join(tmpdir(), "dray-hosts-"));
after(() => rmSync(folder, { recursive: true }));

const MIRROR = `
upstreams:
  - registry: docker.io
    prefix: hub
  - registry: "registry.corp.example:5000"
    prefix: corp
    url: http://10.0.0.7:5000
`;

writeFileSync(join(folder, "mirror.yaml"), MIRROR);
writeFileSync(
  join(folder, "registry.yaml"),
  `listen: { address: 10.1.1.1, port: 5005 }\nmirror:${MIRROR.replaceAll("\n", "\n  ")}`,
);

async function dray(...argv: readonly string[]): Promise<{ code: number; out: string; err: string }> {
  const context = createMemoryContext({ cwd: folder });
  const code = await run(argv, context);
  return { code, out: context.stdout.text, err: context.stderr.text };
}

test("hosts.toml names the mirror first, the registry after it, and is read back as it was meant", async () => {
  const config = {
    upstreams: [{ registry: "docker.io" }, { registry: "r.example", url: "http://10.0.0.7:5000" }],
  };
  const server = "https://mirror.example.com:5000";
  const [hub, other] = hostsFiles(config, { server, ca: '/etc/certs/"odd".pem', skipVerify: true });
  const entries = (await parseHostsToml(hub?.text ?? "")) ?? [];
  assert.deepEqual(
    entries.map(({ scheme, host, path, capabilities }) => [scheme, host, path, capabilities]),
    [
      ["https", "mirror.example.com:5000", "/v2", ["pull", "resolve"]],
      ["https", "registry-1.docker.io", "/v2", ["pull", "resolve", "push", "referrers"]],
    ],
  );
  assert.deepEqual(entries[0]?.ca, ['/etc/certs/"odd".pem']);
  assert.equal(entries[0]?.skipVerify, true);
  assert.equal(hub?.path, "docker.io/hosts.toml");
  assert.equal((await parseHostsToml(other?.text ?? ""))?.at(-1)?.host, "10.0.0.7:5000");
  const [alone] = hostsFiles(config, { server, fallback: false });
  assert.deepEqual(
    (await parseHostsToml(alone?.text ?? ""))?.map(({ host }) => host),
    ["mirror.example.com:5000", "mirror.example.com:5000"],
  );
});

test("dray mirror hosts prints a file for each registry", async () => {
  const { code, out } = await dray("mirror", "hosts", "-c", "mirror.yaml", "--server", "http://m:1/");
  assert.equal(code, 0);
  assert.match(
    out,
    /^# docker\.io\/hosts\.toml\n# Written by dray mirror hosts\nserver = "https:\/\/registry-1\.docker\.io"\n\n\[host\."http:\/\/m:1"\]\n/,
  );
  assert.match(out, /# registry\.corp\.example:5000\/hosts\.toml\n/);
  // A registry's own configuration says where it listens.
  const whole = await dray("mirror", "hosts", "--json");
  const facts = whole.out
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { registry: string; text: string });
  assert.deepEqual(
    facts.map((fact) => fact.registry),
    ["docker.io", "registry.corp.example:5000"],
  );
  assert.match(facts[0]?.text ?? "", /\[host\."http:\/\/10\.1\.1\.1:5005"\]/);
});

test("files are written once, checked without writing, and those of others are left alone", async () => {
  const certs = join(folder, "certs.d");
  const args = ["mirror", "hosts", "-c", "mirror.yaml", "--server", "http://m:1", "--containerd", "certs.d"];
  const planned = await dray(...args, "--check");
  assert.equal(planned.code, 1);
  assert.equal(
    planned.out,
    "docker.io/hosts.toml would be written\nregistry.corp.example:5000/hosts.toml would be written\n",
  );
  assert.throws(() => readFileSync(join(certs, "docker.io", "hosts.toml")), { code: "ENOENT" });
  assert.equal((await dray(...args)).code, 0);
  assert.equal((await dray(...args, "--check")).code, 0);
  const hosts = await new ConfiguredHosts({ roots: [certs] }).hosts("docker.io");
  assert.deepEqual(
    hosts.map(({ host }) => host),
    ["m:1", "registry-1.docker.io"],
  );
  // Ours is replaced when the mirror moves.
  args[5] = "http://n:2";
  assert.match((await dray(...args)).out, /^docker\.io\/hosts\.toml written\n/);

  mkdirSync(join(certs, "docker.io"), { recursive: true });
  const path = join(certs, "docker.io", "hosts.toml");
  writeFileSync(path, 'server = "https://elsewhere"\n');
  const kept = await dray(...args);
  assert.equal(kept.code, 1);
  assert.match(kept.out, /^docker\.io\/hosts\.toml is somebody else's\n/);
  assert.match(kept.err, /--force replaces them/);
  assert.equal(readFileSync(path, "utf8"), 'server = "https://elsewhere"\n');
  assert.equal((await dray(...args, "--force")).code, 0);
  assert.match(readFileSync(path, "utf8"), /n:2/);
});

test("what can't be used is told with the way to mend it", async () => {
  writeFileSync(join(folder, "none.yaml"), "listen: { port: 1 }\n");
  writeFileSync(join(folder, "wrong.yaml"), "upstreams:\n  - registry: https://docker.io\n");
  for (const [argv, code, message] of [
    [["mirror", "list"], 2, /there is hosts/],
    [["mirror", "hosts", "-c", "mirror.yaml"], 2, /--server is needed/],
    [["mirror", "hosts", "-c", "mirror.yaml", "--server", "m:1"], 2, /a URL without a path/],
    [["mirror", "hosts", "--check"], 2, /need --containerd/],
    [["mirror", "hosts", "-c", "none.yaml"], 8, /has no mirror; add a section/],
    [["mirror", "hosts", "-c", "missing.yaml"], 8, /there is no such file/],
    [["mirror", "hosts", "-c", "wrong.yaml"], 8, /line 2: upstreams\[0\]\.registry is not a registry's name/],
  ] as const) {
    const answer = await dray(...argv);
    assert.equal(answer.code, code, argv.join(" "));
    assert.match(answer.err, message);
  }
});
