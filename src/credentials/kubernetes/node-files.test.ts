import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { NodeFilesProvider, type ReadFile, searchNodeFiles } from "./node-files.ts";
import { CachingProvider, ProvidersKeyring } from "./providers-keyring.ts";

const PLACES = { root: "/var/lib/kubelet", workingDirectory: "/srv", home: "/root" };
const JSON_DOCUMENT = '{"auths":{"a.io":{"username":"u","password":"p"}}}';
const CFG_DOCUMENT = '{"a.io":{"username":"u","password":"p"}}';

function reader(files: Readonly<Record<string, string>>): ReadFile {
  return (path) => {
    const text = files[path];
    return text === undefined ? Promise.reject(new Error("ENOENT")) : Promise.resolve(Buffer.from(text));
  };
}

describe("searchNodeFiles()", () => {
  test("looks for config.json everywhere before it looks for .dockercfg", async () => {
    const { searched, problem } = await searchNodeFiles(PLACES, reader({}));
    assert.deepEqual(
      searched.map(({ path }) => path),
      [
        "/var/lib/kubelet/config.json",
        "/srv/config.json",
        "/root/.docker/config.json",
        "/.docker/config.json",
        "/var/lib/kubelet/.dockercfg",
        "/srv/.dockercfg",
        "/root/.dockercfg",
        "/.dockercfg",
      ],
    );
    assert.equal(problem, "couldn't find valid .dockercfg after checking in [/var/lib/kubelet  /root /]");
  });

  test("takes the first that can be decoded, even without entries", async () => {
    const files = {
      "/var/lib/kubelet/config.json": "broken",
      "/srv/config.json": "{}",
      "/root/.docker/config.json": JSON_DOCUMENT,
      "/var/lib/kubelet/.dockercfg": CFG_DOCUMENT,
    };
    const { found, searched } = await searchNodeFiles(PLACES, reader(files));
    assert.deepEqual([found?.path, found?.document.size], ["/srv/config.json", 0]);
    assert.deepEqual(
      searched.map(({ problem }) => problem),
      ["invalid", undefined],
    );
  });

  test("falls back to .dockercfg", async () => {
    const { found } = await searchNodeFiles(PLACES, reader({ "/.dockercfg": CFG_DOCUMENT }));
    assert.deepEqual([found?.path, [...(found?.document.keys() ?? [])]], ["/.dockercfg", ["a.io"]]);
  });
});

test("what was read of the node's files is kept for five minutes, also that there was nothing", async () => {
  let now = 0;
  const files: Record<string, string> = {};
  const provider = new NodeFilesProvider(PLACES, { readFile: reader(files) });
  const keyring = new ProvidersKeyring([new CachingProvider(provider, { now: () => now })]);
  assert.equal((await keyring.lookup("a.io/x")).found, false);
  files["/root/.docker/config.json"] = JSON_DOCUMENT;
  now = 5 * 60 * 1000 - 1;
  assert.equal((await keyring.lookup("a.io/x")).found, false);
  now++;
  const { credentials } = await keyring.lookup("a.io/x");
  assert.deepEqual(
    credentials.map(({ origin, owner }) => [origin.label, owner]),
    [['/root/.docker/config.json, auths["a.io"]', undefined]],
  );
});

test("those who ask while the files are being read share the reading", async () => {
  let reads = 0;
  const read: ReadFile = () => {
    reads++;
    return Promise.resolve(Buffer.from(JSON_DOCUMENT));
  };
  const caching = new CachingProvider(new NodeFilesProvider(PLACES, { readFile: read }), { now: () => 0 });
  await Promise.all([caching.provide("a"), caching.provide("b")]);
  assert.equal(reads, 1);
});
