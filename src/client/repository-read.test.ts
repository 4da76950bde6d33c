import assert from "node:assert/strict";
import { test } from "node:test";
import { gzipSync, zstdCompressSync } from "node:zlib";

import { StubRegistry, type StubHandler, type StubReply } from "../../test/stub-registry.ts";
import { digestOf, MEDIA_TYPES, readContent, type Descriptor } from "../oci/index.ts";
import { ClientError, type ClientErrorCode } from "./errors.ts";
import type { ClientEvent } from "./events.ts";
import type { HostResolver, RegistryHost } from "./host.ts";
import { ConfiguredHosts } from "./hosts-resolver.ts";
import { RegistryClient, type RegistryClientOptions } from "./registry-client.ts";

const blob = Buffer.from(Array.from({ length: 128 }, (_, i) => i));
const descriptor: Descriptor = {
  mediaType: "application/x-thing",
  digest: digestOf(blob),
  size: blob.length,
};
const manifest = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: { mediaType: MEDIA_TYPES.ociEmpty, digest: digestOf("{}"), size: 2 },
    layers: [],
  }),
);
const manifestReply: StubReply = {
  body: manifest,
  headers: { "content-type": MEDIA_TYPES.ociManifest, "docker-content-digest": digestOf(manifest) },
};

const code =
  (expected: ClientErrorCode, message?: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof ClientError, String(error));
    assert.equal(error.code, expected, error.message);
    if (message !== undefined) assert.match(error.message, message);
    return true;
  };

function clientOf(options: Partial<RegistryClientOptions> = {}): RegistryClient {
  return new RegistryClient({
    hosts: new ConfiguredHosts({ defaultScheme: "http" }),
    sleep: async () => {},
    random: () => 0.5,
    ...options,
  });
}

function host(domain: string, extra: Partial<RegistryHost> = {}): RegistryHost {
  return {
    scheme: "http",
    host: domain,
    path: "/v2",
    capabilities: new Set(["pull", "resolve", "push", "referrers"]),
    tls: {},
    headers: {},
    httpFallback: false,
    upstream: false,
    ...extra,
  };
}

const hostsOf = (...hosts: readonly RegistryHost[]): HostResolver => ({ hosts: async () => hosts });

async function readFrom(
  handler: StubHandler,
  offset: number,
  wanted: Descriptor = descriptor,
): Promise<{ readonly bytes: Buffer; readonly log: readonly string[] }> {
  await using stub = await StubRegistry.start(handler);
  await using client = clientOf();
  const stream = await client.repository(stub.domain, "a/b").open(wanted, { offset });
  const parts: Buffer[] = [];
  await stream.pump((chunk) => void parts.push(Buffer.from(chunk)));
  await stream.close();
  return { bytes: Buffer.concat(parts), log: stub.requests.map(({ headers }) => headers["range"] ?? "-") };
}

test("open() from an offset takes a range, or drops the beginning of a whole body", async () => {
  const whole = await readFrom(() => ({ body: blob }), 25);
  assert.deepEqual(whole.bytes, blob.subarray(25));
  const part = await readFrom(
    () => ({ status: 206, body: blob.subarray(20), headers: { "content-range": "bytes 20-127/128" } }),
    20,
  );
  assert.deepEqual(part.bytes, blob.subarray(20));
  assert.deepEqual(part.log, ["bytes=20-"]);
  const last = await readFrom(() => ({ status: 206, body: blob.subarray(127) }), 127);
  assert.deepEqual([...last.bytes], [127]);
});

test("open() at the end, or of embedded data, asks nobody", async () => {
  assert.deepEqual(await readFrom(() => ({ status: 500 }), 128), { bytes: Buffer.alloc(0), log: [] });
  const embedded = { ...descriptor, data: blob.toString("base64") };
  assert.deepEqual(await readFrom(() => ({ status: 500 }), 100, embedded), {
    bytes: blob.subarray(100),
    log: [],
  });
});

test("open() from byte 0 sends no range, which some registries refuse", async () => {
  const { bytes, log } = await readFrom(
    ({ headers }) => (headers["range"] === undefined ? { body: blob } : { status: 400 }),
    0,
  );
  assert.deepEqual(bytes, blob);
  assert.deepEqual(log, ["-"]);
});

test("open() refuses a range that begins elsewhere, and another total", async () => {
  const elsewhere = {
    status: 206,
    body: blob.subarray(30),
    headers: { "content-range": "bytes 30-127/128" },
  };
  await assert.rejects(
    readFrom(() => elsewhere, 20),
    code("RESPONSE_INVALID", /bytes 30-127/),
  );
  const other = { status: 206, body: blob.subarray(20), headers: { "content-range": "bytes 20-127/900" } };
  await assert.rejects(
    readFrom(() => other, 20),
    code("SIZE_INVALID"),
  );
});

test("open() looks under manifests for a type it doesn't know, when blobs has nothing", async () => {
  const { bytes } = await readFrom(
    ({ url }) => (url.includes("/manifests/") ? { body: blob } : { status: 404 }),
    0,
  );
  assert.deepEqual(bytes, blob);
});

test("open() undoes content codings, in reverse order", async () => {
  const body = gzipSync(zstdCompressSync(blob));
  const { bytes } = await readFrom(() => ({ body, headers: { "content-encoding": "zstd, gzip" } }), 0);
  assert.deepEqual(bytes, blob);
  await assert.rejects(
    readFrom(() => ({ body: blob, headers: { "content-encoding": "gzip" } }), 0),
    code("RESPONSE_INVALID", /does not decode as gzip/),
  );
});

test("open() tries a descriptor's own addresses first, without credentials, and the registry after them", async () => {
  await using elsewhere = await StubRegistry.start(({ url }) =>
    url === "/good" ? { body: blob } : { status: 404 },
  );
  await using registry = await StubRegistry.start(() => ({ body: blob }));
  await using client = clientOf({
    hosts: hostsOf(host(registry.domain, { headers: { "x-secret": ["1"] } })),
  });
  const repository = client.repository(registry.domain, "a/b");
  const urls = ["file:///etc/passwd", `http://${elsewhere.domain}/bad`, `http://${elsewhere.domain}/good`];
  await readContent(repository, { ...descriptor, urls });
  assert.deepEqual(elsewhere.log, ["GET /bad", "GET /good"]);
  assert.equal(elsewhere.requests[1]?.headers["x-secret"], undefined);
  assert.equal(registry.requests.length, 0);
  await readContent(repository, { ...descriptor, urls: urls.slice(0, 2) });
  assert.equal(registry.requests.length, 1);
});

test("resolve() needs one HEAD where the head tells all, and reads the manifest where it doesn't", async () => {
  const expected = { mediaType: MEDIA_TYPES.ociManifest, digest: digestOf(manifest), size: manifest.length };
  const replies: readonly (readonly [StubReply, readonly string[]])[] = [
    [manifestReply, ["HEAD"]],
    [{ ...manifestReply, headers: { "content-type": MEDIA_TYPES.ociManifest } }, ["HEAD", "GET"]],
    [
      { ...manifestReply, headers: { ...manifestReply.headers, "content-type": "application/json" } },
      ["HEAD", "GET"],
    ],
  ];
  for (const [reply, methods] of replies) {
    await using stub = await StubRegistry.start(() => reply);
    await using client = clientOf();
    assert.deepEqual(await client.repository(stub.domain, "a").resolve("v1"), expected);
    assert.deepEqual(
      stub.requests.map(({ method }) => method),
      methods,
    );
  }
});

test("resolve() repeats a HEAD that isn't allowed as GET, and finds a blob by digest when nobody has such a manifest", async () => {
  await using stub = await StubRegistry.start(({ method, url }) => {
    if (url.includes("/blobs/"))
      return { body: blob, headers: { "content-type": "application/octet-stream" } };
    if (url.endsWith(descriptor.digest)) return { status: 404 };
    return method === "HEAD" ? { status: 405 } : manifestReply;
  });
  await using client = clientOf();
  const repository = client.repository(stub.domain, "a");
  assert.equal((await repository.resolve("v1")).digest, digestOf(manifest));
  assert.deepEqual(await repository.resolve(descriptor.digest), {
    ...descriptor,
    mediaType: "application/octet-stream",
  });
});

test("resolve() refuses schema 1, oversized documents and references that are neither tag nor digest", async () => {
  const headers = {
    "content-type": MEDIA_TYPES.dockerSchema1Signed,
    "docker-content-digest": digestOf(manifest),
  };
  await using stub = await StubRegistry.start(({ url }) =>
    url.endsWith("/old")
      ? { headers }
      : { headers: { ...manifestReply.headers, "content-length": "4393217" } },
  );
  await using client = clientOf();
  const repository = client.repository(stub.domain, "a");
  await assert.rejects(repository.resolve("old"), code("UNSUPPORTED", /schema 1/));
  await assert.rejects(repository.resolve("big"), code("SIZE_INVALID"));
  for (const text of ["", "../x", "a/b", "v1@sha256:12", "-x", "a b"]) {
    await assert.rejects(async () => repository.resolve(text), code("MANIFEST_UNKNOWN"));
  }
});

test("resolve() explains a refused HEAD with the words of a GET", async () => {
  await using stub = await StubRegistry.start(() => ({
    status: 403,
    body: '{"errors":[{"code":"DENIED","message":"pay first"}]}',
  }));
  await using client = clientOf();
  await assert.rejects(client.repository(stub.domain, "a").resolve("v1"), code("DENIED", /pay first/));
});

test("manifest() compares the bytes with every digest it was told", async () => {
  const lying = {
    ...manifestReply,
    headers: { ...manifestReply.headers, "docker-content-digest": digestOf("other") },
  };
  await using stub = await StubRegistry.start(({ url }) => (url.endsWith("/lie") ? lying : manifestReply));
  await using client = clientOf();
  const repository = client.repository(stub.domain, "a");
  assert.deepEqual(Buffer.from((await repository.manifest(digestOf(manifest))).bytes), manifest);
  await assert.rejects(repository.manifest("lie"), code("DIGEST_INVALID"));
  await assert.rejects(repository.manifest(digestOf("another")), code("DIGEST_INVALID"));
});

test("the next host is asked before the same one again, and mirrors are told whose repository is meant", async () => {
  await using mirror = await StubRegistry.start(() => ({ status: 503 }));
  await using upstream = await StubRegistry.start(({ earlier }) =>
    earlier === 0 ? { status: 503 } : manifestReply,
  );
  const events: ClientEvent[] = [];
  await using client = clientOf({
    hosts: hostsOf(host(mirror.domain), host(upstream.domain, { upstream: true })),
    onEvent: (event) => events.push(event),
  });
  await client.repository("registry.example", "a").manifest("v1");
  assert.deepEqual(mirror.log, [
    "GET /v2/a/manifests/v1?ns=registry.example",
    "GET /v2/a/manifests/v1?ns=registry.example",
  ]);
  assert.equal(upstream.requests.length, 2);
  assert.deepEqual(
    events.filter(({ type }) => type === "retry").map((event) => "delay" in event && event.delay),
    [250],
  );
});

test("has() goes on to the registry when a mirror has it not, and says no when nobody has it", async () => {
  const has = async (mirror: StubReply, upstream: StubReply, wanted = descriptor): Promise<string> => {
    await using first = await StubRegistry.start(() => mirror);
    await using second = await StubRegistry.start(() => upstream);
    await using client = clientOf({
      hosts: hostsOf(host(first.domain), host(second.domain, { upstream: true })),
      retry: { attempts: 1 },
    });
    const answer = await client
      .repository("registry.example", "a")
      .has(wanted)
      .catch((error: unknown) => (error instanceof ClientError ? error.code : String(error)));
    assert.ok([...first.log, ...second.log].every((line) => line.startsWith("HEAD ")));
    return `${String(answer)} after ${first.requests.length} and ${second.requests.length}`;
  };
  const missing = { status: 404 };
  assert.equal(await has({}, missing), "true after 1 and 0");
  assert.equal(await has(missing, {}), "true after 1 and 1");
  assert.equal(
    await has(missing, manifestReply, { ...descriptor, mediaType: MEDIA_TYPES.ociManifest }),
    "true after 1 and 1",
  );
  assert.equal(await has({ status: 503 }, {}), "true after 1 and 1");
  assert.equal(await has(missing, missing), "false after 1 and 1");
  assert.equal(await has({ status: 503 }, missing), "STATUS_UNEXPECTED after 1 and 1");
  assert.equal(await has(missing, { status: 403 }), "DENIED after 1 and 1");
});

test("a mirror that may only pull is passed over for tags", async () => {
  await using mirror = await StubRegistry.start(() => manifestReply);
  await using upstream = await StubRegistry.start(() => manifestReply);
  await using client = clientOf({
    hosts: hostsOf(host(mirror.domain, { capabilities: new Set(["pull"]) }), host(upstream.domain)),
  });
  const repository = client.repository("registry.example", "a");
  await repository.manifest("v1");
  assert.equal(mirror.requests.length, 0);
  await repository.manifest(digestOf(manifest));
  assert.equal(mirror.requests.length, 1);
});

test("of several hosts' failures the most telling is reported", async () => {
  await using missing = await StubRegistry.start(() => ({ status: 404 }));
  await using broken = await StubRegistry.start(() => ({
    status: 400,
    body: '{"errors":[{"code":"ODD","message":"very"}]}',
  }));
  await using client = clientOf({
    hosts: hostsOf(host("127.0.0.1:1"), host(missing.domain), host(broken.domain)),
  });
  await assert.rejects(
    client.repository("registry.example", "a").manifest("v1"),
    code("STATUS_UNEXPECTED", /ODD: very/),
  );
});

test("five attempts are made, and Retry-After is honoured in both forms", async () => {
  const waits: number[] = [];
  const date = new Date(Date.parse("2026-01-01T00:00:20Z")).toUTCString();
  await using stub = await StubRegistry.start(({ earlier }) => ({
    status: 429,
    headers: { "retry-after": earlier === 0 ? "3" : date },
  }));
  await using client = clientOf({
    sleep: async (milliseconds) => void waits.push(milliseconds),
    clock: () => Date.parse("2026-01-01T00:00:00Z"),
  });
  await assert.rejects(client.repository(stub.domain, "a").manifest("v1"), code("TOOMANYREQUESTS"));
  assert.deepEqual(waits, [3000, 20_000, 20_000, 20_000]);
  assert.equal(stub.requests.length, 5);
});

test("an abort during the pause ends it with the caller's reason", async () => {
  await using stub = await StubRegistry.start(() => ({ status: 503 }));
  const controller = new AbortController();
  const reason = new Error("enough");
  await using client = new RegistryClient({
    hosts: new ConfiguredHosts({ defaultScheme: "http" }),
    retry: { delay: 1e6, maxDelay: 1e6 },
    random: () => 1,
    onEvent: ({ type }) => type === "retry" && setImmediate(() => controller.abort(reason)),
  });
  await assert.rejects(
    client.repository(stub.domain, "a").manifest("v1", { signal: controller.signal }),
    (error) => error === reason,
  );
});

test("credentials and a host's own headers stay with it when a redirect leads away, and the range goes along", async () => {
  await using storage = await StubRegistry.start(() => ({ status: 206, body: blob.subarray(20) }));
  await using registry = await StubRegistry.start(({ headers, url }) => {
    if (headers["authorization"] === undefined)
      return { status: 401, headers: { "www-authenticate": 'Basic realm="x"' } };
    if (url.startsWith("/v2/")) return { status: 301, headers: { location: "/again" } };
    return { status: 307, headers: { location: `http://${storage.domain}/signed?key=1` } };
  });
  const { Secret } = await import("../internal/secret.ts");
  const credential = { kind: "basic", username: "me", password: new Secret("hidden") } as const;
  await using client = clientOf({
    credentials: { find: async () => [{ credential, origin: { kind: "argument", label: "test" } }] },
    hosts: hostsOf(host(registry.domain, { headers: { "x-own": ["1"] } })),
  });
  const stream = await client.repository(registry.domain, "a").open(descriptor, { offset: 20 });
  await stream.pump(() => {});
  const again = registry.requests.at(-1);
  assert.equal(again?.url, "/again");
  assert.equal(again?.headers["authorization"], `Basic ${btoa("me:hidden")}`);
  assert.equal(again?.headers["x-own"], "1");
  const { headers } = storage.requests[0] ?? assert.fail("storage was not asked");
  assert.deepEqual(
    [headers["authorization"], headers["x-own"], headers["range"]],
    [undefined, undefined, "bytes=20-"],
  );
});

test("tags() follows links on the same server only, and goes on by name where links are missing", async () => {
  await using stub = await StubRegistry.start(({ url }) => {
    const last = new URL(url, "http://x").searchParams.get("last");
    if (url.startsWith("/v2/evil"))
      return { body: '{"tags":["a"]}', headers: { link: '<http://elsewhere.example/v2/>; rel="next"' } };
    if (url.startsWith("/v2/none")) return { body: '{"name":"none","tags":null}' };
    if (url.startsWith("/v2/linked") && last === null)
      return { body: '{"tags":["a","b"]}', headers: { link: "</v2/linked/tags/list?last=b>; rel=next" } };
    if (url.startsWith("/v2/circle"))
      return { body: '{"tags":["a"]}', headers: { link: `<${url}>; rel="next"` } };
    const all = ["a", "b", "c"];
    const from = last === null ? 0 : all.indexOf(last) + 1;
    return { body: JSON.stringify({ tags: all.slice(from, from + 2) }) };
  });
  await using client = clientOf();
  const tags = (path: string, pageSize?: number): Promise<string[]> =>
    Array.fromAsync(client.repository(stub.domain, path).tags({ pageSize }));
  assert.deepEqual(await tags("plain", 2), ["a", "b", "c"]);
  assert.deepEqual(await tags("linked"), ["a", "b", "c"]);
  assert.deepEqual(await tags("none"), []);
  assert.deepEqual(await tags("circle"), ["a", "a"]);
  await assert.rejects(tags("evil"), code("RESPONSE_INVALID", /another server/));
});

test("referrers() filters by itself and falls back to the tag; a missing tag means none", async () => {
  const subject = digestOf("subject");
  const entry = (artifactType: string): Descriptor => ({
    mediaType: MEDIA_TYPES.ociManifest,
    digest: digestOf(artifactType),
    size: 5,
    artifactType,
  });
  const index = JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociIndex,
    manifests: [entry("a/x"), entry("a/y")],
  });
  const headers = { "content-type": MEDIA_TYPES.ociIndex };
  await using stub = await StubRegistry.start(({ url }) => {
    if (url.startsWith("/v2/api/referrers/")) return { body: index, headers };
    if (url === `/v2/old/manifests/sha256-${subject.slice(7)}`) return { body: index, headers };
    return { status: url.startsWith("/v2/broken/") ? 500 : 404 };
  });
  await using client = clientOf();
  const list = async (path: string, artifactType?: string): Promise<(string | undefined)[]> =>
    (await Array.fromAsync(client.repository(stub.domain, path).referrers(subject, { artifactType }))).map(
      (found) => found.artifactType,
    );
  assert.deepEqual(await list("api"), ["a/x", "a/y"]);
  assert.deepEqual(await list("api", "a/y"), ["a/y"]);
  assert.deepEqual(await list("old", "a/x"), ["a/x"]);
  assert.deepEqual(await list("nothing"), []);
  await assert.rejects(list("broken"), code("STATUS_UNEXPECTED"));
});

test("warnings are shown once, whichever answer brings them", async () => {
  await using stub = await StubRegistry.start(() => ({
    ...manifestReply,
    headers: { ...manifestReply.headers, warning: '299 - "moving soon"' },
  }));
  const warnings: string[] = [];
  await using client = clientOf({ onWarning: (text) => warnings.push(text) });
  const repository = client.repository(stub.domain, "a");
  await repository.manifest("v1");
  await repository.resolve("v1");
  assert.deepEqual(warnings, ["moving soon"]);
});

test("a host that turns out to speak plain HTTP is remembered", async () => {
  await using stub = await StubRegistry.start(() => manifestReply);
  const events: ClientEvent[] = [];
  await using client = clientOf({ hosts: new ConfiguredHosts(), onEvent: (event) => events.push(event) });
  await client.repository(stub.domain, "a").resolve("v1");
  const { connections } = stub;
  await client.repository(stub.domain, "b").resolve("v1");
  assert.equal(events.filter(({ type }) => type === "plain-http").length, 1);
  assert.equal(stub.connections, connections);
});

test("a name no repository can have gets into no path", async () => {
  await using client = clientOf();
  for (const path of ["", "../x", "A", "a//b", "a/"]) {
    assert.throws(() => client.repository("registry.example", path), code("NAME_UNKNOWN"));
  }
});
