/**
 * A registry that is killed in the middle of pushes and collections has, when it is back, everything it ever said yes
 * to; uploads go on where they were or begin again. `DRAY_KILLS` says how often it is killed.
 */
import assert from "node:assert/strict";
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { digestOf, MEDIA_TYPES, type Digest } from "../../src/oci/index.ts";
import { checkRegistryDirectory } from "../../src/registry/index.ts";

const ROUNDS = Number(process.env["DRAY_KILLS"] ?? 12);
const GRACE = 300_000;
const WRITERS = 3;
/**
 * The registry's time is none of ours. A round is as long as the time of grace, and goes on with each collection, but
 * never to its end: however slow the machine is, what was left in the round before is collected while this one's pushes
 * come, and nothing of this round is.
 */
const PART = GRACE / 100;
const PARTS = 90;

const dir = await mkdtemp(join(tmpdir(), "dray-crash-"));
after(() => rm(dir, { recursive: true }));

const SERVER = `
  import { serveRegistry } from ${JSON.stringify(import.meta.resolve("../../src/registry/index.ts"))};
  let now = Number(process.argv[1]);
  const end = Number(process.argv[2]);
  const clock = () => now;
  const collection = { grace: ${GRACE}, pauseTime: 1, retention: [{ repositories: ["**"], untaggedAfter: ${GRACE} }] };
  const served = await serveRegistry({ dir: ${JSON.stringify(dir)}, port: 0, clock, collection });
  console.log(served.port);
  for (;;) {
    await served.registry.collect();
    now = Math.min(end, now + ${PART});
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
`;

interface Running {
  readonly child: ChildProcess;
  readonly base: string;
}

/** By the registry's clock, which begins at `now` and stands still from `end` on. */
async function start(now: number, end: number): Promise<Running> {
  const args = ["--input-type=module", "--eval", SERVER, String(now), String(end)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const ended = once(child, "exit").then(([code]) => assert.fail(`the server ended with ${code}`));
  ended.catch(() => {});
  const line = once(child.stdout as NodeJS.ReadableStream, "data").then(([chunk]) => String(chunk));
  return { child, base: `http://127.0.0.1:${Number(await Promise.race([line, ended]))}` };
}

async function kill(running: Running): Promise<void> {
  const exited = once(running.child, "exit");
  running.child.kill("SIGKILL");
  await exited;
}

/** A small generator of reproducible numbers, so that a failing run can be looked at again. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

interface Acknowledged {
  readonly blobs: Map<Digest, number>;
  /** By tag. The one before it lost its tag and may be collected. */
  readonly manifests: Map<string, Digest>;
  /** Uploads that were begun and not finished, and what they were to be. */
  readonly uploads: Map<string, Buffer>;
  /** Called with every tag. */
  onManifest?: () => void;
}

/** Resolves once so many tags were pushed. */
async function untilTagged(noted: Acknowledged, count: number): Promise<void> {
  let pushed = 0;
  await new Promise<void>((resolve) => {
    if (count === 0) resolve();
    noted.onManifest = () => {
      if (++pushed === count) resolve();
    };
  });
}

/** Pushes one image after the other until the server is gone, and notes what it said yes to. */
async function push(base: string, name: string, noted: Acknowledged): Promise<void> {
  for (let count = 0; count < 10_000; count++) {
    const bytes = Buffer.alloc(20_000 + (count % 7) * 10_000, `${name}-${count}`);
    const digest = digestOf(bytes);
    try {
      const begun = await fetch(`${base}/v2/app/blobs/uploads/`, { method: "POST" });
      const location = begun.headers.get("location") ?? "";
      noted.uploads.set(location, bytes);
      const half = bytes.length / 2;
      await fetch(base + location, { method: "PATCH", body: bytes.subarray(0, half) });
      const url = `${base}${location}?digest=${digest}`;
      const done = await fetch(url, { method: "PUT", body: bytes.subarray(half) });
      if (done.status !== 201) throw new Error(`PUT blob: ${done.status} ${await done.text()}`);
      noted.blobs.set(digest, bytes.length);
      noted.uploads.delete(location);
      const descriptor = { mediaType: MEDIA_TYPES.ociConfig, digest, size: bytes.length };
      const document = {
        schemaVersion: 2,
        mediaType: MEDIA_TYPES.ociManifest,
        config: descriptor,
        layers: [],
      };
      const body = Buffer.from(JSON.stringify(document));
      const headers = { "content-type": MEDIA_TYPES.ociManifest };
      const tagged = await fetch(`${base}/v2/app/manifests/${name}`, { method: "PUT", body, headers });
      if (tagged.status !== 201) throw new Error(`PUT manifest: ${tagged.status} ${await tagged.text()}`);
      noted.manifests.set(name, digestOf(body));
      noted.onManifest?.();
    } catch (error) {
      // The connection is gone, as it should be; an answer other than yes is not.
      if (error instanceof TypeError) return;
      throw error;
    }
  }
}

/** What was received stays, and is no more than what was sent; the rest makes it whole. */
async function resume(base: string, noted: Acknowledged): Promise<number> {
  let resumed = 0;
  for (const [location, bytes] of noted.uploads) {
    const state = await fetch(base + location);
    if (state.status === 404) continue;
    assert.equal(state.status, 204);
    const last = Number(state.headers.get("range")?.split("-")[1]);
    const digest = digestOf(bytes);
    // "0-0" is said of nothing, too; then all of it is sent.
    const offset = last === 0 ? 0 : last + 1;
    const url = `${base}${location}?digest=${digest}`;
    const headers = { "content-range": `${offset}-${bytes.length - 1}` };
    const whole = offset === bytes.length;
    const done = await fetch(
      url,
      whole ? { method: "PUT" } : { method: "PUT", body: bytes.subarray(offset), headers },
    );
    assert.equal(done.status, 201, await done.text());
    const blob = await fetch(`${base}/v2/app/blobs/${digest}`);
    assert.equal(digestOf(Buffer.from(await blob.arrayBuffer())), digest);
    if (offset > 0) resumed++;
  }
  return resumed;
}

async function verify(base: string, noted: Acknowledged): Promise<void> {
  for (const [tag, digest] of noted.manifests) {
    const answer = await fetch(`${base}/v2/app/manifests/${tag}`);
    assert.equal(answer.status, 200, `tag ${tag}`);
    const document = Buffer.from(await answer.arrayBuffer());
    // The push after the last acknowledged one may have arrived, too.
    assert.equal(answer.headers.get("docker-content-digest"), digestOf(document));
    const { config } = JSON.parse(document.toString()) as { config: { digest: Digest } };
    assert.equal((await fetch(`${base}/v2/app/blobs/${config.digest}`, { method: "HEAD" })).status, 200);
    assert.equal((await fetch(`${base}/v2/app/manifests/${digest}`)).status, 200, `acknowledged ${digest}`);
  }
  for (const [digest, size] of noted.blobs) {
    const answer = await fetch(`${base}/v2/app/blobs/${digest}`);
    const bytes = Buffer.from(await answer.arrayBuffer());
    assert.deepEqual([answer.status, bytes.length, digestOf(bytes)], [200, size, digest]);
  }
}

test(`killed ${ROUNDS} times at random moments, it lost nothing it acknowledged`, async (t) => {
  const random = randomFrom(42);
  let pushes = 0;
  let resumed = 0;
  const began = Date.now();
  for (let round = 0; round < ROUNDS; round++) {
    const from = began + round * GRACE;
    const until = from + PARTS * PART;
    const noted: Acknowledged = { blobs: new Map(), manifests: new Map(), uploads: new Map() };
    const running = await start(from, until);
    const writers = Array.from({ length: WRITERS }, (_, index) =>
      push(running.base, `w${round}-${index}`, noted),
    );
    // Moments are spread over the first pushes, however fast they go: from before the first session of all to the
    // middle of a later image. Writers that end say why.
    const tagged = untilTagged(noted, Math.floor(random() * 8));
    await Promise.race([tagged, Promise.all(writers)]);
    await new Promise((resolve) => setTimeout(resolve, random() * 60));
    await kill(running);
    await Promise.all(writers);
    pushes += noted.manifests.size;
    const again = await start(until, until);
    try {
      await verify(again.base, noted);
      resumed += await resume(again.base, noted);
    } finally {
      await kill(again);
    }
  }
  assert.ok(pushes > 0, "some pushes got through");
  const { found } = await checkRegistryDirectory(dir);
  // Killed between storing bytes and saying who shows them, it knew beforehand that nobody might.
  assert.deepEqual([...found], []);
  t.diagnostic(`${pushes} tags verified, ${resumed} uploads continued`);
});
