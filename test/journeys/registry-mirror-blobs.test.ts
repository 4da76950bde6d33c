/** One fetch for many callers, whatever happens to the upstream, to the callers, or to the mirror meanwhile. */
import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { get as httpGet, type IncomingMessage } from "node:http";
import { join } from "node:path";
import { test } from "node:test";

import { digestOf, MEDIA_TYPES, type Digest } from "../../src/oci/index.ts";
import { FaultyUpstream, MINUTE, startMirror, type MirrorSetup } from "./registry-mirror-upstream.ts";

const big = randomBytes(6_000_000);
const half = 3_000_000;

function blobUrl(mirror: MirrorSetup, digest: Digest): string {
  return `${mirror.url}/v2/hub/team/app/blobs/${digest}`;
}

/** Reads until so many bytes came, and leaves the rest unread. */
async function readSome(body: ReadableStreamDefaultReader<Uint8Array>, wanted: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  while (size < wanted) {
    const { done, value } = await body.read();
    if (done) break;
    parts.push(value);
    size += value.length;
  }
  return Buffer.concat(parts);
}

function readerOf(answer: Response): ReadableStreamDefaultReader<Uint8Array> {
  return (answer.body as ReadableStream<Uint8Array>).getReader();
}

function getsOf(upstream: FaultyUpstream, digest: Digest): number {
  return upstream.asked.filter(({ method, url }) => method === "GET" && url.endsWith(digest)).length;
}

test("fifty callers for one blob are one fetch, and all get the same bytes", async () => {
  await using upstream = await FaultyUpstream.start();
  const digest = await upstream.pushBlob("team/app", big);
  const release = Promise.withResolvers<void>();
  upstream.script((asked) =>
    asked.method === "GET" ? { kind: "hold", after: half, until: release.promise } : undefined,
  );
  await using mirror = await startMirror(upstream);
  const callers = Array.from({ length: 50 }, async () => {
    const answer = await fetch(blobUrl(mirror, digest));
    assert.equal(answer.headers.get("content-length"), String(big.length));
    const reader = readerOf(answer);
    const hash = createHash("sha256");
    const first = await readSome(reader, 1_000_000);
    hash.update(first);
    let size = first.length;
    return async (): Promise<void> => {
      for (let part = await reader.read(); !part.done; part = await reader.read()) {
        hash.update(part.value);
        size += part.value.length;
      }
      assert.equal(size, big.length);
      assert.equal(`sha256:${hash.digest("hex")}`, digest);
    };
  });
  // All have bytes while half of them are still to come.
  const rests = await Promise.all(callers);
  release.resolve();
  await Promise.all(rests.map((rest) => rest()));
  assert.equal(getsOf(upstream, digest), 1);
  assert.equal((await fetch(blobUrl(mirror, digest), { method: "HEAD" })).status, 200);
});

test("a late joiner reads what came before, ranges wait for theirs, and a slow caller holds up nobody", async () => {
  await using upstream = await FaultyUpstream.start();
  const digest = await upstream.pushBlob("team/app", big);
  const release = Promise.withResolvers<void>();
  upstream.script((asked) =>
    asked.method === "GET" ? { kind: "hold", after: half, until: release.promise } : undefined,
  );
  await using mirror = await startMirror(upstream);
  // Takes a few bytes, and then nothing for the rest of the test.
  const slow = await new Promise<IncomingMessage>((resolve) => httpGet(blobUrl(mirror, digest), resolve));
  slow.pause();
  const late = await fetch(blobUrl(mirror, digest));
  const reader = readerOf(late);
  const early = await readSome(reader, half - 300_000);
  assert.deepEqual(early, big.subarray(0, early.length));
  const range = await fetch(blobUrl(mirror, digest), { headers: { range: "bytes=1000-1999" } });
  assert.equal(range.status, 206);
  assert.equal(range.headers.get("content-range"), `bytes 1000-1999/${big.length}`);
  assert.deepEqual(Buffer.from(await range.bytes()), big.subarray(1000, 2000));
  const beyond = await fetch(blobUrl(mirror, digest), { headers: { range: "bytes=6000000-" } });
  assert.equal(beyond.status, 416);
  // What hasn't come yet is waited for.
  const tail = await fetch(blobUrl(mirror, digest), { headers: { range: "bytes=-1000" } });
  assert.equal(tail.status, 206);
  release.resolve();
  assert.deepEqual(Buffer.from(await tail.bytes()), big.subarray(-1000));
  const rest = await readSome(reader, Number.POSITIVE_INFINITY);
  assert.deepEqual(Buffer.concat([early, rest]), big);
  assert.equal(getsOf(upstream, digest), 1);
  slow.destroy();
});

test("the one who came first may leave, and the others get theirs", async () => {
  await using upstream = await FaultyUpstream.start();
  const digest = await upstream.pushBlob("team/app", big);
  const release = Promise.withResolvers<void>();
  upstream.script((asked) =>
    asked.method === "GET" ? { kind: "hold", after: half, until: release.promise } : undefined,
  );
  await using mirror = await startMirror(upstream);
  const leaving = new AbortController();
  const leader = await fetch(blobUrl(mirror, digest), { signal: leaving.signal });
  await readSome(readerOf(leader), 100_000);
  const other = await fetch(blobUrl(mirror, digest));
  leaving.abort();
  release.resolve();
  assert.deepEqual(Buffer.from(await other.bytes()), big);
  assert.equal(getsOf(upstream, digest), 1);
});

for (const finish of [false, true]) {
  const title = finish
    ? "with `finish` a blob comes to its end though nobody waits for it"
    : "when nobody waits any more the fetch ends, and the next one goes on from there";
  test(title, async () => {
    await using upstream = await FaultyUpstream.start();
    const digest = await upstream.pushBlob("team/app", big);
    const release = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    const held = { kind: "hold", after: half, until: release.promise, onGone: gone.resolve } as const;
    upstream.script((asked) => (asked.method === "GET" ? held : undefined));
    await using mirror = await startMirror(upstream, { upstream: { finish } });
    const leaving = new AbortController();
    const leader = await fetch(blobUrl(mirror, digest), { signal: leaving.signal });
    await readSome(readerOf(leader), half - 300_000);
    leaving.abort();
    if (finish) release.resolve();
    // Whole or not, the fetch is over.
    await gone.promise;
    upstream.script();
    const answer = await fetch(blobUrl(mirror, digest));
    assert.deepEqual(Buffer.from(await answer.bytes()), big);
    const ranges = upstream.asked.filter(({ method }) => method === "GET").map(({ range }) => range);
    if (finish) {
      assert.deepEqual(ranges, [undefined]);
    } else {
      const [first, second, ...others] = ranges;
      assert.deepEqual([first, others], [undefined, []]);
      const from = Number(/^bytes=(\d+)-$/.exec(second ?? "")?.[1]);
      assert.ok(from >= half - 300_000 && from <= half, `went on at ${from}`);
    }
    release.resolve();
  });
}

test("a mirror that is restarted in the middle asks for the rest only", async () => {
  await using upstream = await FaultyUpstream.start();
  const digest = await upstream.pushBlob("team/app", big);
  const release = Promise.withResolvers<void>();
  upstream.script((asked) =>
    asked.method === "GET" ? { kind: "hold", after: half, until: release.promise } : undefined,
  );
  await using mirror = await startMirror(upstream);
  const caller = await fetch(blobUrl(mirror, digest));
  await readSome(readerOf(caller), half - 300_000);
  await using again = await mirror.restart();
  release.resolve();
  upstream.script();
  upstream.asked.length = 0;
  const answer = await fetch(blobUrl(again, digest));
  assert.deepEqual(Buffer.from(await answer.bytes()), big);
  const [first, ...others] = upstream.asked.filter(({ method }) => method === "GET");
  assert.equal(others.length, 0);
  const from = Number(/^bytes=(\d+)-$/.exec(first?.range ?? "")?.[1]);
  assert.ok(from >= half - 300_000 && from <= half, `resumed at ${from}`);
});

test("a connection cut in the middle is no matter to callers", async () => {
  await using upstream = await FaultyUpstream.start();
  const digest = await upstream.pushBlob("team/app", big);
  let cuts = 0;
  upstream.script((asked) =>
    asked.method === "GET" && cuts++ < 2 ? { kind: "cut", after: 1_000_000 } : undefined,
  );
  await using mirror = await startMirror(upstream);
  const answers = await Promise.all([fetch(blobUrl(mirror, digest)), fetch(blobUrl(mirror, digest))]);
  for (const answer of answers) assert.deepEqual(Buffer.from(await answer.bytes()), big);
  const gets = upstream.asked.filter(({ method }) => method === "GET");
  assert.equal(gets.length, 3);
  assert.match(gets.at(-1)?.range ?? "", /^bytes=\d+-$/);
});

test("wrong bytes never become a blob, nor a whole answer", async () => {
  await using upstream = await FaultyUpstream.start();
  const digest = await upstream.pushBlob("team/app", big);
  upstream.script((asked) => (asked.method === "GET" ? { kind: "wrong" } : undefined));
  await using mirror = await startMirror(upstream);
  const answers = await Promise.all([fetch(blobUrl(mirror, digest)), fetch(blobUrl(mirror, digest))]);
  for (const answer of answers) await assert.rejects(answer.bytes());
  assert.deepEqual(readdirSync(join(mirror.dir, "blobs")), []);
  upstream.script((asked) => (asked.method === "HEAD" ? { kind: "down" } : undefined));
  const honest = await fetch(blobUrl(mirror, digest));
  assert.deepEqual(Buffer.from(await honest.bytes()), big);
});

test("refusals come as such, before a byte", async () => {
  await using upstream = await FaultyUpstream.start();
  const digest = await upstream.pushBlob("team/app", big);
  await using mirror = await startMirror(upstream, { upstream: { maxBlobSize: "10MB", downTime: "1s" } });
  // The size is known; it is the fetch that fails.
  await fetch(blobUrl(mirror, digest), { method: "HEAD" });
  for (const [status, told] of [
    [401, 403],
    [403, 403],
    [404, 404],
    [500, 503],
    [429, 429],
  ] as const) {
    upstream.script(() => ({ kind: "status", status }));
    assert.equal((await fetch(blobUrl(mirror, digest))).status, told, `${status}`);
    mirror.advance(MINUTE);
  }
  upstream.script(() => ({ kind: "down" }));
  assert.equal((await fetch(blobUrl(mirror, digest))).status, 503);
  mirror.advance(MINUTE);
  upstream.script();
  const huge = await upstream.pushBlob("team/app", randomBytes(11_000_000));
  const refused = await fetch(blobUrl(mirror, huge));
  assert.equal(refused.status, 403);
  assert.match(await refused.text(), /11000000 bytes are more than the 10000000 a blob may have here/);
  assert.equal(getsOf(upstream, huge), 0);
});

test("what others have here is not for a repository that doesn't have it there", async () => {
  await using upstream = await FaultyUpstream.start({ sparse: true });
  const digest = await upstream.pushBlob("team/app", big);
  const shared = randomBytes(50_000);
  await upstream.pushBlob("team/app", shared);
  await upstream.pushBlob("team/web", shared);
  await upstream.pushImage("team/web", "1", randomBytes(10));
  await using mirror = await startMirror(upstream);
  await (await fetch(blobUrl(mirror, digest))).bytes();
  await (await fetch(blobUrl(mirror, digestOf(shared)))).bytes();
  upstream.takeLog();
  assert.equal((await fetch(`${mirror.url}/v2/hub/team/web/blobs/${digest}`)).status, 404);
  // Nor when a manifest of that repository claims that it were.
  await upstream.pushManifest("team/web", "claim", {
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: { mediaType: MEDIA_TYPES.ociConfig, digest, size: big.length },
    layers: [],
  });
  assert.equal((await fetch(`${mirror.url}/v2/hub/team/web/manifests/claim`)).status, 200);
  mirror.advance(MINUTE);
  assert.equal((await fetch(`${mirror.url}/v2/hub/team/web/blobs/${digest}`)).status, 404);
  upstream.takeLog();
  const own = await fetch(`${mirror.url}/v2/hub/team/web/blobs/${digestOf(shared)}`);
  assert.deepEqual(Buffer.from(await own.bytes()), shared);
  // Nothing was fetched: to hear that it is there was enough.
  assert.deepEqual(
    upstream.takeLog().filter((line) => line.startsWith("GET")),
    [],
  );
});

test("the cache keeps within its size: what wasn't used for longest goes, in every repository and on disk", async () => {
  await using upstream = await FaultyUpstream.start();
  const blobs = Array.from({ length: 4 }, () => randomBytes(300_000));
  const digests: Digest[] = [];
  for (const bytes of blobs) digests.push(await upstream.pushBlob("team/app", bytes));
  const config = {
    upstreams: [{ registry: "r.example", prefix: "hub", url: upstream.url }],
    cache: { size: "1MB" },
  };
  await using mirror = await startMirror(upstream, { config });
  const get = async (index: number): Promise<void> => {
    const answer = await fetch(blobUrl(mirror, digests[index] as Digest));
    assert.deepEqual(Buffer.from(await answer.bytes()), blobs[index]);
    await mirror.settled();
    mirror.advance(5 * MINUTE);
  };
  for (const index of [0, 1, 2, 0, 3]) await get(index);
  const evicted = mirror.events.filter((event) => event.type === "evicted").map((event) => event.digest);
  assert.deepEqual(evicted, [digests[1]]);
  assert.equal(readdirSync(join(mirror.dir, "blobs", "sha256")).length, 3);
  upstream.takeLog();
  await get(0);
  assert.deepEqual(upstream.takeLog(), []);
  await get(1);
  assert.deepEqual(mirror.failures, []);
});
