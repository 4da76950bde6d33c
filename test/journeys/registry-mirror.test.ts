/** A mirror over real HTTP: tags and manifests while the upstream is there, slow, gone, wrong or tired of us. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";

import { digestOf, MEDIA_TYPES } from "../../src/oci/index.ts";
import { FaultyUpstream, MINUTE, startMirror } from "./registry-mirror-upstream.ts";

const layer = randomBytes(300_000);

async function codesOf(answer: Response): Promise<string[]> {
  return ((await answer.json()) as { errors: { code: string }[] }).errors.map(({ code }) => code);
}

test("an image is fetched once, by either name, and then served from here", async () => {
  await using upstream = await FaultyUpstream.start();
  const digest = await upstream.pushImage("library/nginx", "1", layer);
  await using mirror = await startMirror(upstream);
  const manifest = await fetch(`${mirror.url}/v2/library/nginx/manifests/1?ns=docker.io`);
  assert.equal(manifest.status, 200);
  assert.equal(manifest.headers.get("oci-namespace"), "docker.io");
  assert.equal(manifest.headers.get("docker-content-digest"), digest);
  assert.equal(manifest.headers.get("content-type"), MEDIA_TYPES.ociManifest);
  assert.equal(digestOf(await manifest.bytes()), digest);
  const blob = await fetch(`${mirror.url}/v2/hub/library/nginx/blobs/${digestOf(layer)}`);
  assert.deepEqual(Buffer.from(await blob.bytes()), layer);
  assert.deepEqual(upstream.takeLog(), [
    "GET /v2/library/nginx/manifests/1",
    `GET /v2/library/nginx/blobs/${digestOf(layer)}`,
  ]);

  for (const path of ["/v2/hub/nginx/", "/v2/hub/library/nginx/"]) {
    for (const reference of ["1", digest]) {
      const again = await fetch(`${mirror.url}${path}manifests/${reference}`);
      assert.equal(again.headers.get("oci-namespace"), null, "nobody named one");
      assert.equal(digestOf(await again.bytes()), digest);
    }
    const same = await fetch(`${mirror.url}${path}blobs/${digestOf(layer)}`);
    assert.deepEqual(Buffer.from(await same.bytes()), layer);
  }
  assert.deepEqual(upstream.takeLog(), []);
  assert.deepEqual(mirror.failures, []);
});

test("HEAD downloads nothing, and a tag learned by it serves when the upstream is down", async () => {
  await using upstream = await FaultyUpstream.start();
  const digest = await upstream.pushImage("library/nginx", "1", layer);
  await using mirror = await startMirror(upstream);
  const path = `${mirror.url}/v2/library/nginx`;
  const blob = await fetch(`${path}/blobs/${digestOf(layer)}?ns=docker.io`, { method: "HEAD" });
  assert.equal(blob.status, 200);
  assert.equal(blob.headers.get("content-length"), String(layer.length));
  const tag = await fetch(`${path}/manifests/1?ns=docker.io`, { method: "HEAD" });
  assert.equal(tag.headers.get("docker-content-digest"), digest);
  assert.equal(upstream.takeLog().filter((line) => line.startsWith("GET")).length, 0);

  // As containerd pulls: the tag by HEAD, the manifest by digest.
  await (await fetch(`${path}/manifests/${digest}?ns=docker.io`)).bytes();
  upstream.script(() => ({ kind: "down" }));
  mirror.advance(60 * MINUTE);
  const stale = await fetch(`${path}/manifests/1?ns=docker.io`, { method: "HEAD" });
  assert.equal(stale.status, 200);
  assert.match(
    stale.headers.get("warning") ?? "",
    /^299 - "docker\.io\/library\/nginx:1 may be out of date: .* 3600 s ago/,
  );
  const tags = await fetch(`${path}/tags/list?ns=docker.io`);
  assert.deepEqual(((await tags.json()) as { tags: string[] }).tags, ["1"]);
  assert.match(tags.headers.get("warning") ?? "", /^299 /);
});

test("a tag is believed for its time to live, then asked about by HEAD, and moves", async () => {
  await using upstream = await FaultyUpstream.start();
  const first = await upstream.pushImage("app", "1", layer);
  await using mirror = await startMirror(upstream, { upstream: { registry: "r.example", ttl: "5m" } });
  const get = async (): Promise<string | null> => {
    const answer = await fetch(`${mirror.url}/v2/hub/app/manifests/1`);
    const digest = digestOf(await answer.bytes());
    assert.equal(answer.headers.get("docker-content-digest"), digest);
    return digest;
  };
  assert.equal(await get(), first);
  upstream.takeLog();
  mirror.advance(4 * MINUTE);
  assert.equal(await get(), first);
  assert.deepEqual(upstream.takeLog(), []);
  mirror.advance(2 * MINUTE);
  assert.equal(await get(), first);
  assert.deepEqual(upstream.takeLog(), ["HEAD /v2/app/manifests/1"]);

  const second = await upstream.pushImage("app", "1", randomBytes(100));
  assert.equal(await get(), first);
  mirror.advance(6 * MINUTE);
  assert.equal(await get(), second);
  assert.deepEqual(upstream.takeLog(), ["HEAD /v2/app/manifests/1", `GET /v2/app/manifests/${second}`]);
  // Whoever has the old digest still gets it.
  assert.equal((await fetch(`${mirror.url}/v2/hub/app/manifests/${first}`)).status, 200);
});

test("a stale tag may be answered at once and checked behind the caller's back", async () => {
  await using upstream = await FaultyUpstream.start();
  const first = await upstream.pushImage("app", "1", layer);
  const options = { registry: "r.example", ttl: "1m", staleWhileRevalidate: "1h" };
  await using mirror = await startMirror(upstream, { upstream: options });
  const digest = async (): Promise<string | null> =>
    (await fetch(`${mirror.url}/v2/hub/app/manifests/1`)).headers.get("docker-content-digest");
  assert.equal(await digest(), first);
  const second = await upstream.pushImage("app", "1", randomBytes(100));
  mirror.advance(2 * MINUTE);
  assert.equal(await digest(), first);
  await mirror.settled();
  // All of it is here, and nobody has to be asked any more.
  upstream.script(() => ({ kind: "down" }));
  assert.equal(await digest(), second);
  await mirror.settled();
  assert.deepEqual(mirror.failures, []);
});

test("while the upstream is down or refuses, what is known serves with a warning, until it is too old", async () => {
  await using upstream = await FaultyUpstream.start();
  const digest = await upstream.pushImage("app", "1", layer);
  const limits = { ttl: "1m", maxStale: "2h", downTime: "10s" };
  await using mirror = await startMirror(upstream, { upstream: { registry: "r.example", ...limits } });
  const path = `${mirror.url}/v2/hub/app`;
  await (await fetch(`${path}/manifests/1`)).bytes();
  await (await fetch(`${path}/blobs/${digestOf(layer)}`)).bytes();
  upstream.script(() => ({ kind: "down" }));
  mirror.advance(60 * MINUTE);
  upstream.takeLog();
  const stale = await fetch(`${path}/manifests/1`);
  assert.equal(stale.status, 200);
  assert.equal(digestOf(await stale.bytes()), digest);
  assert.match(stale.headers.get("warning") ?? "", /^299 - "r\.example\/app:1 .*it cannot be reached"$/);
  const asked = upstream.takeLog().length;
  assert.ok(asked > 0);
  // Nobody waits for it to be down once more.
  assert.equal((await fetch(`${path}/manifests/1`)).status, 200);
  assert.equal((await fetch(`${path}/blobs/${digestOf(layer)}`)).status, 200);
  assert.equal((await fetch(`${path}/manifests/${digest}`)).headers.get("warning"), null);
  assert.deepEqual(upstream.takeLog(), []);
  const missing = await fetch(`${path}/manifests/2`);
  assert.equal(missing.status, 503);
  assert.equal(missing.headers.get("retry-after"), "10");
  assert.deepEqual(await codesOf(missing), ["UNAVAILABLE"]);

  mirror.advance(70 * MINUTE);
  assert.equal((await fetch(`${path}/manifests/1`)).status, 503);
  upstream.script();
  mirror.advance(MINUTE);
  const back = await fetch(`${path}/manifests/1`);
  assert.equal(back.status, 200);
  assert.equal(back.headers.get("warning"), null);
});

test("429 is honoured by all requests of that upstream, and passed on where nothing is known", async () => {
  await using upstream = await FaultyUpstream.start();
  await upstream.pushImage("app", "1", layer);
  await using mirror = await startMirror(upstream, { upstream: { registry: "r.example", ttl: "1m" } });
  const path = `${mirror.url}/v2/hub/app`;
  await (await fetch(`${path}/manifests/1`)).bytes();
  upstream.script(() => ({ kind: "status", status: 429, headers: { "retry-after": "120" } }));
  mirror.advance(2 * MINUTE);
  upstream.takeLog();
  const known = await fetch(`${path}/manifests/1`);
  assert.equal(known.status, 200);
  assert.match(known.headers.get("warning") ?? "", /it wants fewer requests/);
  assert.equal(upstream.takeLog().length, 1);
  upstream.script();
  for (const wanted of ["manifests/2", `blobs/${digestOf(layer)}`, "tags/list"]) {
    const answer = await fetch(`${path}/${wanted}`);
    if (wanted === "tags/list") assert.equal(answer.status, 200);
    else {
      assert.equal(answer.status, 429, wanted);
      assert.equal(answer.headers.get("retry-after"), "120");
      assert.deepEqual(await codesOf(answer), ["TOOMANYREQUESTS"]);
    }
  }
  assert.deepEqual(upstream.takeLog(), []);
  mirror.advance(2 * MINUTE + 1);
  assert.equal((await fetch(`${path}/blobs/${digestOf(layer)}`)).status, 200);
});

test("what isn't there is asked for once in a while, and a deleted tag is gone", async () => {
  await using upstream = await FaultyUpstream.start();
  await upstream.pushImage("app", "1", layer);
  await using mirror = await startMirror(upstream, { upstream: { registry: "r.example", ttl: "1m" } });
  const path = `${mirror.url}/v2/hub/app`;
  const answers = [await fetch(`${path}/manifests/2`), await fetch(`${path}/manifests/2`)];
  for (const answer of answers) assert.deepEqual(await codesOf(answer), ["MANIFEST_UNKNOWN"]);
  assert.deepEqual(upstream.takeLog(), ["GET /v2/app/manifests/2"]);
  await upstream.pushImage("app", "2", randomBytes(10));
  mirror.advance(11_000);
  assert.equal((await fetch(`${path}/manifests/2`)).status, 200);

  assert.equal((await fetch(`${path}/manifests/1`)).status, 200);
  await upstream.metadata.deleteTag("app", "1");
  mirror.advance(2 * MINUTE);
  assert.equal((await fetch(`${path}/manifests/1`)).status, 404);
  upstream.script(() => ({ kind: "down" }));
  mirror.advance(2 * MINUTE);
  assert.equal((await fetch(`${path}/manifests/1`)).status, 503);
});

test("our own login may be wrong: callers hear so, and no credentials", async () => {
  await using upstream = await FaultyUpstream.start();
  await upstream.pushImage("app", "1", layer);
  await using mirror = await startMirror(upstream);
  for (const [status, told] of [
    [401, 403],
    [403, 403],
  ] as const) {
    upstream.script(() => ({ kind: "status", status, headers: { "www-authenticate": 'Basic realm="x"' } }));
    const answer = await fetch(`${mirror.url}/v2/hub/other/app${status}/manifests/1`);
    assert.equal(answer.status, told);
    assert.equal(answer.headers.get("www-authenticate"), null);
    assert.deepEqual(await codesOf(answer), ["DENIED"]);
  }
});

test("schema 1, pages and documents that lie are refused in clear words", async () => {
  await using upstream = await FaultyUpstream.start();
  await upstream.pushImage("app", "1", layer);
  await using mirror = await startMirror(upstream, { upstream: { registry: "r.example" } });
  const ask = async (tag: string, type: string, body: string): Promise<[number, string]> => {
    upstream.script(() => ({ kind: "body", type, body }));
    const answer = await fetch(`${mirror.url}/v2/hub/app/manifests/${tag}`);
    return [answer.status, await answer.text()];
  };
  const schema1 = await ask("s", "application/vnd.docker.distribution.manifest.v1+prettyjws", "{}");
  assert.equal(schema1[0], 406);
  assert.match(schema1[1], /schema 1 is not supported; push the image again with a newer tool/);
  const html = await ask("h", "text/html", "<html>");
  assert.equal(html[0], 502);
  assert.match(html[1], /HTML page; is this a registry\?/);
  const broken = await ask("b", MEDIA_TYPES.ociManifest, "{}");
  assert.equal(broken[0], 502);
  upstream.script(() => ({ kind: "body", type: MEDIA_TYPES.ociManifest, body: "{}" }));
  const wrong = await fetch(`${mirror.url}/v2/hub/app/manifests/${digestOf("something else")}`);
  assert.equal(wrong.status, 502);
  upstream.script();
  assert.equal((await fetch(`${mirror.url}/v2/hub/app/manifests/1`)).status, 200);
});

test("indexes and their children, tags in pages, and referrers come through", async () => {
  await using upstream = await FaultyUpstream.start();
  const child = await upstream.pushImage("team/app", "amd64", layer);
  const size = (await upstream.metadata.findManifest("team/app", child))?.size ?? 0;
  const entry = { mediaType: MEDIA_TYPES.ociManifest, digest: child, size };
  const index = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [entry] };
  const digest = await upstream.pushManifest("team/app", "multi", index);
  const referrer = { ...index, artifactType: "application/x.sbom", subject: entry, manifests: [] };
  const sbom = await upstream.pushManifest("team/app", "sbom", referrer);
  await using mirror = await startMirror(upstream, { upstream: { registry: "r.example" } });
  const path = `${mirror.url}/v2/hub/team/app`;
  assert.equal((await fetch(`${path}/manifests/multi`)).headers.get("docker-content-digest"), digest);
  assert.equal((await fetch(`${path}/manifests/${child}`)).status, 200);

  const names: string[] = [];
  for (let next: string | undefined = "/v2/team/app/tags/list?n=2&ns=r.example"; next !== undefined;) {
    const answer: Response = await fetch(mirror.url + next);
    const { tags, name } = (await answer.json()) as { tags: string[]; name: string };
    assert.equal(name, "team/app");
    names.push(...tags);
    next = /<([^>]+)>/.exec(answer.headers.get("link") ?? "")?.[1];
  }
  assert.deepEqual(names, ["amd64", "multi", "sbom"]);

  const listed = await fetch(`${path}/referrers/${child}?artifactType=application/x.sbom`);
  assert.equal(listed.headers.get("oci-filters-applied"), "artifactType");
  const { manifests } = (await listed.json()) as { manifests: { digest: string }[] };
  assert.deepEqual(
    manifests.map((one) => one.digest),
    [sbom],
  );
  await (await fetch(`${path}/manifests/${sbom}`)).bytes();
  upstream.script(() => ({ kind: "down" }));
  const known = await fetch(`${path}/referrers/${child}`);
  assert.match(known.headers.get("warning") ?? "", /^299 - /);
  assert.equal(((await known.json()) as { manifests: unknown[] }).manifests.length, 1);
});

test("only configured repositories are served, nothing is pushed, and our own stay our own", async () => {
  await using upstream = await FaultyUpstream.start();
  await upstream.pushImage("library/nginx", "1", layer);
  await upstream.pushImage("library/secret", "1", layer);
  const repositories = { allow: ["library/*"], deny: ["library/secret"] };
  await using mirror = await startMirror(upstream, {
    config: {
      upstreams: [{ registry: "docker.io", prefix: "hub", url: upstream.url, repositories }],
      local: ["registry.example.com"],
    },
  });
  const status = async (path: string, init?: RequestInit): Promise<number> =>
    (await fetch(mirror.url + path, init)).status;
  assert.equal(await status("/v2/hub/library/nginx/manifests/1"), 200);
  assert.equal(await status("/v2/hub/library/secret/manifests/1"), 404);
  assert.equal(await status("/v2/hub/other/app/tags/list"), 404);
  assert.equal(await status("/v2/library/secret/manifests/1?ns=index.docker.io"), 404);
  assert.equal(await status("/v2/library/nginx/manifests/1?ns=quay.io"), 404);
  const put = await fetch(`${mirror.url}/v2/hub/library/nginx/manifests/2`, { method: "PUT", body: "{}" });
  assert.equal(put.status, 405);
  assert.match(await put.text(), /mirror of \\"docker\.io\\"; push there/);
  assert.equal(await status("/v2/hub/library/nginx/blobs/uploads/", { method: "POST" }), 405);

  const digest = digestOf("ours");
  const push = `/v2/library/nginx/blobs/uploads/?digest=${digest}`;
  assert.equal(await status(push, { method: "POST", body: "ours" }), 201);
  assert.equal(await status(`/v2/library/nginx/blobs/${digest}`), 200);
  assert.equal(await status(`/v2/library/nginx/blobs/${digest}?ns=registry.example.com`), 200);
  const theirs = await fetch(`${mirror.url}/v2/library/nginx/blobs/${digest}?ns=docker.io`);
  assert.deepEqual([theirs.status, theirs.headers.get("oci-namespace")], [404, "docker.io"]);
  assert.equal(await status("/v2/library/nginx/manifests/1"), 404);
  // What is kept can be thrown out, and is fetched again.
  assert.equal(await status("/v2/hub/library/nginx/manifests/1", { method: "DELETE" }), 202);
  assert.equal(await status("/v2/hub/library/nginx/manifests/1"), 200);
});
