/**
 * A registry whose disk is full at any moment, by chance: wherever it runs out of room, what was acknowledged is
 * there once there is room again, uploads go on or begin again, and no bytes are left that nobody can account for.
 */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { DatabaseError } from "../../src/internal/sqlite.ts";
import { digestOf, MEDIA_TYPES, type Digest } from "../../src/oci/index.ts";
import { checkRegistry, openRegistry, openSqliteMetadata, type Registry } from "../../src/registry/index.ts";
import { FileBlobStore, StoreError, type Ingest } from "../../src/store/index.ts";

const ROUNDS = Number(process.env["DRAY_ROUNDS"] ?? 6);
const PUSHES = 60;
const GRACE = 60 * 60 * 1_000;

const dir = await mkdtemp(join(tmpdir(), "dray-full-"));
after(() => rm(dir, { recursive: true }));

/** Mulberry32. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

/** What an object does, except when `fail` says that the disk is full just now. */
function failing<Target extends object>(
  target: Target,
  fail: (method: string) => Error | undefined,
  wrap: Readonly<Record<string, (result: unknown) => unknown>> = {},
): Target {
  return new Proxy(target, {
    get(_, name): unknown {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof name !== "string") return typeof value === "function" ? value.bind(target) : value;
      if (typeof value === "object" && value !== null) return failing(value, fail);
      if (typeof value !== "function") return value;
      return (...args: readonly unknown[]): unknown => {
        const error = fail(name);
        if (error !== undefined) throw error;
        const result: unknown = Reflect.apply(value, target, args);
        const then = wrap[name];
        return then !== undefined && result instanceof Promise ? result.then(then) : result;
      };
    },
  });
}

/** A commit that fails ends its ingest all the same. */
function failingIngest(ingest: Ingest, fail: (method: string) => Error | undefined): Ingest {
  const commit: Ingest["commit"] = async (expected) => {
    const error = fail("commit");
    if (error === undefined) return await ingest.commit(expected);
    await ingest.abort();
    throw error;
  };
  const faulty = failing(ingest, (method) => (method === "commit" ? undefined : fail(method)));
  return new Proxy(faulty, {
    get: (_, name): unknown => (name === "commit" ? commit : Reflect.get(faulty, name, faulty)),
  });
}

interface Noted {
  readonly manifests: Map<string, Digest>;
  readonly uploads: Map<string, Buffer>;
}

async function send(registry: Registry, method: string, path: string, body?: Buffer): Promise<Response> {
  const init = { method, ...(body !== undefined && { body: new Uint8Array(body) }) };
  return await registry.fetch(new Request(`http://registry${path}`, init));
}

/** Pushes one image, and gives up where it is refused. */
async function push(registry: Registry, tag: string, noted: Noted): Promise<number> {
  const bytes = Buffer.alloc(100_000, tag);
  const digest = digestOf(bytes);
  const begun = await send(registry, "POST", "/v2/app/blobs/uploads/");
  if (begun.status !== 202) return begun.status;
  const location = begun.headers.get("location") ?? "";
  noted.uploads.set(location, bytes);
  const patched = await send(registry, "PATCH", location, bytes.subarray(0, 60_000));
  if (patched.status !== 202) return patched.status;
  const done = await send(registry, "PUT", `${location}?digest=${digest}`, bytes.subarray(60_000));
  if (done.status !== 201) return done.status;
  noted.uploads.delete(location);
  const config = { mediaType: MEDIA_TYPES.ociConfig, digest, size: bytes.length };
  const document = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers: [] };
  const text = Buffer.from(JSON.stringify(document));
  const answer = await send(registry, "PUT", `/v2/app/manifests/${tag}`, text);
  if (answer.status === 201) noted.manifests.set(tag, digestOf(text));
  return answer.status;
}

async function verify(registry: Registry, noted: Noted): Promise<void> {
  for (const [tag, digest] of noted.manifests) {
    const answer = await send(registry, "GET", `/v2/app/manifests/${tag}`);
    const text = await answer.text();
    assert.deepEqual([answer.status, digestOf(text)], [200, digest], tag);
    const { config } = JSON.parse(text) as { readonly config: { readonly digest: Digest } };
    const blob = await send(registry, "GET", `/v2/app/blobs/${config.digest}`);
    assert.equal(digestOf(Buffer.from(await blob.arrayBuffer())), config.digest);
  }
  for (const [location, bytes] of noted.uploads) {
    const state = await send(registry, "GET", location);
    if (state.status === 404) continue;
    const last = Number(state.headers.get("range")?.split("-")[1]);
    const rest = bytes.subarray(last === 0 ? 0 : last + 1);
    const done = await send(registry, "PUT", `${location}?digest=${digestOf(bytes)}`, rest);
    assert.equal(done.status, 201, await done.text());
  }
  noted.uploads.clear();
}

test(`full ${ROUNDS} times at random moments, it lost nothing it acknowledged`, async (t) => {
  const random = createRandom(Number(process.env["DRAY_SEED"] ?? 1));
  const time = { now: Date.now() };
  const clock = (): number => time.now;
  await using blobs = await FileBlobStore.open(dir, { now: clock });
  await using metadata = openSqliteMetadata(join(dir, "registry.db"), { clock });
  const noted: Noted = { manifests: new Map(), uploads: new Map() };
  const statuses = new Map<number, number>();
  let full = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const isFull = (): boolean => random() < 0.04 && ++full > 0;
    const store = (method: string): Error | undefined =>
      ["write", "commit", "ingest", "truncate"].includes(method) && isFull()
        ? new StoreError("NO_SPACE", "Cannot write: no space left on the disk")
        : undefined;
    const database = (method: string): Error | undefined =>
      /^(link|put|delete|finish|create|expect|drop|forget|unlink)/.test(method) && isFull()
        ? new DatabaseError("DATABASE_FULL", "Cannot write to database: no space left on the disk")
        : undefined;
    const collection = {
      grace: GRACE,
      pauseTime: 0,
      retention: [{ repositories: ["**"], untaggedAfter: GRACE }],
    };
    {
      const faulty = failing(blobs, store, { ingest: (ingest) => failingIngest(ingest as Ingest, store) });
      const options = { blobs: faulty, metadata: failing(metadata, database), clock, collection };
      await using registry = openRegistry(options);
      for (let count = 0; count < PUSHES; count++) {
        const tag = `t${Math.floor(random() * 20)}`;
        // Whatever it was, while it is being replaced nobody knows which of the two it is.
        const [before, pushed] = [noted.manifests.get(tag), push(registry, tag, noted)];
        const status = await pushed;
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
        assert.ok([201, 503].includes(status), `${status}`);
        assert.ok(
          before === undefined || before === noted.manifests.get(tag),
          "the same tag is the same image",
        );
        time.now += GRACE / 40;
        if (count % 10 === 9)
          await registry.collect().catch((error: unknown) => assert.match(String(error), /no space/));
      }
    }
    await using again = openRegistry({ blobs, metadata, clock, collection });
    await verify(again, noted);
  }
  // With room again, collection finds all that was left by the way.
  await using registry = openRegistry({
    blobs,
    metadata,
    clock,
    uploadAge: GRACE,
    collection: { grace: GRACE },
  });
  for (let round = 0; round < 3; round++) {
    time.now += 2 * GRACE;
    await registry.purgeUploads();
    await registry.collect();
  }
  await verify(registry, noted);
  const kept = (await Array.fromAsync(blobs.list())).map((blob) => blob.digest).toSorted();
  const shown = [...new Set([...metadata.listContent()].map((one) => one.digest))].toSorted();
  assert.deepEqual(kept, shown);
  assert.deepEqual(await Array.fromAsync(blobs.listIngests()), []);
  assert.deepEqual([...(await checkRegistry({ blobs, metadata })).found], []);
  assert.ok((statuses.get(201) ?? 0) > 0 && (statuses.get(503) ?? 0) > 0);
  t.diagnostic(`full ${full} times; ${JSON.stringify(Object.fromEntries(statuses))}`);
});
