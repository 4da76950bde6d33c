import assert from "node:assert/strict";
import { test } from "node:test";

import { compileMirrorConfig, findMirrorFaults, parseMirrorConfig } from "./config.ts";

test("a registry's name is enough; all else has what is usual", () => {
  const config = parseMirrorConfig("upstreams:\n  - registry: index.docker.io\n", "mirror.yaml");
  const { upstreams, cacheSize, local } = compileMirrorConfig(config);
  const [hub] = upstreams;
  assert.equal(upstreams.length, 1);
  assert.equal(hub?.registry, "docker.io");
  assert.equal(hub?.credentials, "none");
  assert.equal(hub?.ttl, 300_000);
  assert.equal(hub?.repositories.allows("library/nginx"), true);
  assert.equal(cacheSize, undefined);
  assert.equal(local.size, 0);
});

test("every member is read", () => {
  const { upstreams, cacheSize, local } = compileMirrorConfig({
    upstreams: [
      {
        registry: "r.example:5000",
        prefix: "corp/images",
        url: "https://10.0.0.7:5000",
        repositories: { allow: ["team/**"], deny: ["team/secret"] },
        credentials: { username: "me", passwordFile: "token.txt" },
        tls: { ca: "ca.pem", cert: "me.pem", key: "me.key", insecure: true },
        ttl: "1m",
        staleWhileRevalidate: "1h",
        maxStale: "2d",
        negativeTtl: "0s",
        proof: "30s",
        rateLimit: { requests: 100, per: "6h" },
        downloads: 3,
        maxBlobSize: "10GiB",
        finish: true,
        downTime: "1s",
      },
      { registry: "docker.io", prefix: "", credentials: "callers" },
    ],
    cache: { size: "1TB" },
    local: ["registry.example.com"],
  });
  const [corp, rest] = upstreams;
  const { repositories, ...settings } = corp ?? assert.fail();
  assert.deepEqual(settings, {
    registry: "r.example:5000",
    prefix: "corp/images",
    url: "https://10.0.0.7:5000",
    credentials: { username: "me", passwordFile: "token.txt" },
    tls: { ca: "ca.pem", cert: "me.pem", key: "me.key", insecure: true },
    ttl: 60_000,
    staleWhileRevalidate: 3_600_000,
    maxStale: 172_800_000,
    negativeTtl: 0,
    proof: 30_000,
    rateLimit: { requests: 100, per: 21_600_000 },
    downloads: 3,
    maxBlobSize: 10 * 2 ** 30,
    finish: true,
    downTime: 1_000,
  });
  assert.deepEqual(
    ["team/app", "team/secret", "other"].map((name) => repositories.allows(name)),
    [true, false, false],
  );
  assert.equal(rest?.prefix, "");
  assert.equal(cacheSize, 1e12);
  assert.deepEqual([...local], ["registry.example.com"]);
});

const UPSTREAM = "upstreams[0]";
for (const [value, path, why] of [
  [{}, "upstreams", /is missing; list the registries/],
  [{ upstreams: [{}] }, `${UPSTREAM}.registry`, /is missing; write docker\.io/],
  [{ upstreams: [{ registry: "https://r" }] }, `${UPSTREAM}.registry`, /without https:\/\//],
  [{ upstreams: [{ registry: "r:5000" }] }, `${UPSTREAM}.prefix`, /"r:5000".*write prefix: corp/],
  [{ upstreams: [{ registry: "r", prefix: "A" }] }, `${UPSTREAM}.prefix`, /lower-case words/],
  [{ upstreams: [{ registry: "r", url: "r:5000" }] }, `${UPSTREAM}.url`, /is not a URL/],
  [{ upstreams: [{ registry: "r", url: "https://r/v2" }] }, `${UPSTREAM}.url`, /has a path/],
  [{ upstreams: [{ registry: "r", url: "https://a:b@r" }] }, `${UPSTREAM}.url`, /has a user in it/],
  [{ upstreams: [{ registry: "r", ttl: "soon" }] }, `${UPSTREAM}.ttl`, /write 90s, 5m, 12h or 30d/],
  [
    { upstreams: [{ registry: "r", credentials: "mine" }] },
    `${UPSTREAM}.credentials`,
    /can be none, callers/,
  ],
  [
    { upstreams: [{ registry: "r", credentials: { username: "me" } }] },
    `${UPSTREAM}.credentials.passwordFile`,
    /is missing/,
  ],
  [
    { upstreams: [{ registry: "r", repositories: { allow: ["a//b"] } }] },
    `${UPSTREAM}.repositories.allow[0]`,
    /empty part/,
  ],
  [{ upstreams: [{ registry: "r", tls: { key: "k" } }] }, `${UPSTREAM}.tls.key`, /needs cert/],
  [{ upstreams: [{ registry: "r", rateLimit: { requests: 1 } }] }, `${UPSTREAM}.rateLimit.per`, /is missing/],
  [{ upstreams: [{ registry: "r", maxBlobSize: "1 GB" }] }, `${UPSTREAM}.maxBlobSize`, /write 50GiB/],
  [{ upstreams: [{ registry: "r", finish: "yes" }] }, `${UPSTREAM}.finish`, /true or false/],
  [{ upstreams: [{ registry: "r", tokens: 1 }] }, `${UPSTREAM}.tokens`, /is not known here/],
  [
    {
      upstreams: [
        { registry: "a", prefix: "x" },
        { registry: "b", prefix: "x" },
      ],
    },
    "upstreams[1].prefix",
    /like that of upstreams\[0\]/,
  ],
  [
    {
      upstreams: [
        { registry: "docker.io", prefix: "x" },
        { registry: "index.docker.io", prefix: "y" },
      ],
    },
    "upstreams[1].registry",
    /the same as upstreams\[0\]/,
  ],
  [{ upstreams: [], cache: { size: "-1" } }, "cache.size", /is not a size/],
] as const) {
  test(`a fault is told with its place and how to mend it: ${path} ${String(why)}`, () => {
    const faults = findMirrorFaults(value);
    const found = faults.filter((fault) => why.test(fault.why));
    assert.equal(found.length, 1, JSON.stringify(faults));
    const written = (found[0]?.path ?? []).map((part) =>
      typeof part === "number" ? `[${part}]` : `.${part}`,
    );
    assert.equal(written.join("").slice(1), path);
  });
}

test("faults of a file come with its lines, all at once", () => {
  const text = "upstreams:\n  - registry: docker.io\n    ttl: soon\n  - prefix: x\ncache: { size: big }\n";
  assert.throws(() => parseMirrorConfig(text, "mirror.yaml"), {
    code: "CONFIG_INVALID",
    message: [
      'Cannot use the mirror configuration "mirror.yaml":',
      "line 3: upstreams[0].ttl is not a duration; write 90s, 5m, 12h or 30d",
      "line 4: upstreams[1].registry is missing; write docker.io, or HOST:PORT",
      "line 5: cache.size is not a size; write 50GiB, 500MB or a number of bytes",
    ].join("\n  "),
  });
  assert.throws(() => parseMirrorConfig("upstreams: [", "m"), /line 1: /);
  assert.throws(() => parseMirrorConfig("upstreams: []\n---\n{}", "m"), /line 2: a second document begins/);
});
