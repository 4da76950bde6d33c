import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test, type TestContext } from "node:test";
import { ConfiguredHosts, type HostsOptions } from "./hosts-resolver.ts";

async function rootWith(t: TestContext, files: Readonly<Record<string, string>>): Promise<string> {
  const root = await mkdtemp(join(tmpdir(), "dray-hosts-"));
  t.after(() => rm(root, { recursive: true }));
  for (const [path, text] of Object.entries(files)) {
    await mkdir(dirname(join(root, path)), { recursive: true });
    await writeFile(join(root, path), text);
  }
  return root;
}

async function addresses(domain: string, options: HostsOptions): Promise<readonly string[]> {
  const hosts = await new ConfiguredHosts(options).hosts(domain);
  return hosts.map(
    ({ scheme, host, path, httpFallback }) => `${scheme}${httpFallback ? "?" : ""}://${host}${path}`,
  );
}

test("without configuration the registry's own rules hold", async () => {
  assert.deepEqual(await addresses("docker.io", {}), ["https://registry-1.docker.io/v2"]);
  assert.deepEqual(await addresses("r.test", {}), ["https://r.test/v2"]);
  assert.deepEqual(await addresses("localhost:5000", {}), ["https?://localhost:5000/v2"]);
  assert.deepEqual(await addresses("localhost:80", {}), ["http://localhost:80/v2"]);
  assert.deepEqual(await addresses("r.test", { defaultScheme: "http" }), ["http://r.test/v2"]);
  assert.deepEqual(await addresses("r.test", { defaultScheme: "http", tls: {} }), ["https?://r.test/v2"]);
  const [local] = await new ConfiguredHosts().hosts("localhost:5000");
  assert.equal(local?.tls.skipVerify, true);
  assert.equal(local?.upstream, true);
});

test("a CA that was given is what this machine's registries are checked against, too", async () => {
  const [local] = await new ConfiguredHosts({ tls: { ca: ["pem"] } }).hosts("localhost:5000");
  assert.deepEqual(local?.tls, { ca: ["pem"] });
  const [insecure] = await new ConfiguredHosts({ tls: { ca: ["pem"], skipVerify: true } }).hosts(
    "localhost:5000",
  );
  assert.equal(insecure?.tls.skipVerify, true);
});

test("mirrors come first, the registry last, with what the file says of each", async (t) => {
  const root = await rootWith(t, {
    "docker.io/hosts.toml": `
capabilities = ["pull"]
skip_verify = true
[header]
X-Up = "1"
[host."http://mirror.test:5000/hub/"]
capabilities = ["pull", "resolve"]
dial_timeout = "3s"
[host."http://mirror.test:5000/hub/".header]
X-One = ["a", "b"]
[host."http://tls.test"]
skip_verify = false
`,
  });
  const hosts = await new ConfiguredHosts({ roots: [root] }).hosts("docker.io");
  const [mirror, tls, upstream] = hosts;
  assert.deepEqual(
    hosts.map(({ scheme, host, path }) => `${scheme}://${host}${path}`),
    ["http://mirror.test:5000/hub/v2", "https://tls.test/v2", "https://registry-1.docker.io/v2"],
  );
  assert.deepEqual([...(mirror?.capabilities ?? [])], ["pull", "resolve"]);
  assert.equal(mirror?.dialTimeout, 3000);
  assert.deepEqual(mirror?.headers, { "x-one": ["a", "b"] });
  assert.equal(mirror?.upstream, false);
  assert.equal(tls?.httpFallback, true);
  assert.equal(upstream?.capabilities.size, 4);
  assert.deepEqual(upstream?.headers, { "x-up": ["1"] });
  assert.deepEqual(upstream?.tls, { skipVerify: true });
  assert.equal(upstream?.upstream, true);
});

test("directories are found by port, by name, by default, root by root, and read anew each time", async (t) => {
  const first = await rootWith(t, { "r.test_5000_/hosts.toml": 'server = "https://one.test"' });
  const second = await rootWith(t, {
    "r.test:5000/hosts.toml": 'server = "https://two.test"',
    "_default/hosts.toml": 'server = "https://all.test"',
  });
  const options = { roots: [first, second] };
  assert.deepEqual(await addresses("r.test:5000", options), ["https://one.test/v2"]);
  assert.deepEqual(await addresses("other.test", options), ["https://all.test/v2"]);
  await rm(join(first, "r.test_5000_"), { recursive: true });
  assert.deepEqual(await addresses("r.test:5000", options), ["https://two.test/v2"]);
});

test("a host's name can't climb out of the root", async (t) => {
  const root = await rootWith(t, { "evil/hosts.toml": 'server = "https://evil.test"' });
  for (const domain of ["..", "../evil", "x/../../evil"]) {
    assert.deepEqual(await addresses(domain, { roots: [join(root, "certs.d")] }), [`https://${domain}/v2`]);
  }
});

test("a broken file is told and left out; hosts without a usable address are, too", async (t) => {
  const root = await rootWith(t, {
    "bad.test/hosts.toml": "server = 1",
    "odd.test/hosts.toml": '[host."httpbin.local"]\n[host."https://good.test"]',
  });
  const told: string[] = [];
  const options = { roots: [root], log: (message: string): void => void told.push(message) };
  assert.deepEqual(await addresses("bad.test", options), ["https://bad.test/v2"]);
  assert.deepEqual(await addresses("odd.test", options), ["https://good.test/v2", "https://odd.test/v2"]);
  assert.equal(told.length, 2);
  assert.match(told[0] ?? "", /"server" is not a string .*bad\.test/);
});

test("a certificate that can't be loaded is an error, from hosts.toml or beside it", async (t) => {
  const root = await rootWith(t, {
    "a.test/hosts.toml": 'ca = "none.crt"',
    "b.test/x.crt": "hello",
    "c.test/README": "no certificates",
  });
  const hosts = new ConfiguredHosts({ roots: [root] });
  await assert.rejects(hosts.hosts("a.test"), { code: "HOSTS_INVALID", message: /none\.crt": ENOENT/ });
  await assert.rejects(hosts.hosts("b.test"), { code: "HOSTS_INVALID", message: /x\.crt": no PEM/ });
  assert.deepEqual((await hosts.hosts("c.test"))[0]?.tls, {});
});

test("the older mirror lists count only without a root", async (t) => {
  const mirrors = { "r.test": ["https://m.test", "http://n.test/p", "not a url"], "*": ["localhost:5000"] };
  assert.deepEqual(await addresses("r.test", { mirrors }), [
    "https://m.test/v2",
    "http://n.test/p",
    "https://r.test/v2",
  ]);
  assert.deepEqual(await addresses("docker.io", { mirrors }), [
    "http://localhost:5000/v2",
    "https://registry-1.docker.io/v2",
  ]);
  assert.deepEqual(await addresses("r.test", { mirrors: { "r.test": ["http://r.test"] } }), [
    "http://r.test/v2",
  ]);
  const root = await rootWith(t, {});
  assert.deepEqual(await addresses("r.test", { mirrors, roots: [root] }), ["https://r.test/v2"]);
});

test("an aborted signal is heard", async () => {
  await assert.rejects(new ConfiguredHosts().hosts("r.test", { signal: AbortSignal.abort() }), {
    name: "AbortError",
  });
});
