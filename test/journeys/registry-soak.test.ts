/**
 * Fifty clients push, pull and delete while garbage is collected all the time: no request fails that should not,
 * nothing that is named gets lost, and in the end the disk holds what is named and nothing else. `DRAY_SOAK` says for
 * how many seconds, 10 by default; it goes on until something was collected meanwhile.
 */
import assert from "node:assert/strict";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { digestOf, MEDIA_TYPES, type Digest } from "../../src/oci/index.ts";
import {
  checkRegistryDirectory,
  openRegistryDirectory,
  openSqliteMetadata,
  serveRegistry,
} from "../../src/registry/index.ts";

const SECONDS = Number(process.env["DRAY_SOAK"] ?? 10);
const CLIENTS = 50;
const REPOSITORIES = 5;
const TAGS = 8;
const LAYERS = 40;
/** The registry's time passes faster, so that its time of grace is a few seconds of ours. */
const SPEED = 60;
const GRACE = 4 * 60_000;
/** Of real time: whoever took longer than this between push and manifest may find that it was collected. */
const PATIENCE = (0.8 * GRACE) / SPEED;

const dir = await mkdtemp(join(tmpdir(), "dray-soak-"));
after(() => rm(dir, { recursive: true }));

interface Layer {
  readonly bytes: Buffer;
  readonly digest: Digest;
}

const layers: readonly Layer[] = Array.from({ length: LAYERS }, (_, index) => {
  const bytes = Buffer.alloc(500 + 700 * index, `layer ${index} `);
  return { bytes, digest: digestOf(bytes) };
});

class Client {
  readonly #base: string;
  readonly #counts: Map<string, number>;

  constructor(base: string, counts: Map<string, number>) {
    this.#base = base;
    this.#counts = counts;
  }

  async act(): Promise<void> {
    const chance = Math.random();
    const kind = chance < 0.35 ? "push" : chance < 0.8 ? "pull" : "delete";
    await this[kind](`soak/r${below(REPOSITORIES)}`, `t${below(TAGS)}`);
    this.#count(kind);
  }

  async push(repository: string, tag: string): Promise<void> {
    const began = performance.now();
    const parts = Array.from({ length: 1 + below(3) }, () => layers[below(LAYERS)] as Layer);
    const own = Buffer.from(`config ${Math.random()}`);
    const config: Layer = { bytes: own, digest: digestOf(own) };
    for (const part of [config, ...parts]) {
      if (!(await this.#pushBlob(repository, part))) return this.#count("too slow");
    }
    // Some give up here, and leave their layers to the collection.
    if (below(10) === 0) return;
    const describe = (part: Layer, mediaType: string): object => ({
      mediaType,
      digest: part.digest,
      size: part.bytes.length,
    });
    const document = {
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      config: describe(config, MEDIA_TYPES.ociConfig),
      layers: parts.map((part) => describe(part, MEDIA_TYPES.ociLayer)),
    };
    const answer = await this.#send("PUT", `/v2/${repository}/manifests/${tag}`, JSON.stringify(document));
    if (answer.status === 400 && performance.now() - began > PATIENCE) return this.#count("too slow");
    assert.equal(answer.status, 201, `a manifest whose parts were just pushed: ${await answer.text()}`);
  }

  async pull(repository: string, tag: string): Promise<void> {
    const began = performance.now();
    const answer = await this.#send("GET", `/v2/${repository}/manifests/${tag}`);
    const text = await answer.text();
    if (answer.status === 404) return this.#count("nothing to pull");
    assert.equal(answer.status, 200, text);
    const { config, layers: parts } = JSON.parse(text) as { config: Layer; layers: Layer[] };
    for (const { digest } of [config, ...parts]) {
      const blob = await this.#send("GET", `/v2/${repository}/blobs/${digest}`);
      const bytes = Buffer.from(await blob.arrayBuffer());
      if (blob.status === 404 && performance.now() - began > PATIENCE) return this.#count("too slow");
      assert.deepEqual([blob.status, digestOf(bytes)], [200, digest]);
    }
  }

  async delete(repository: string, tag: string): Promise<void> {
    const head = await this.#send("HEAD", `/v2/${repository}/manifests/${tag}`);
    const digest = head.headers.get("docker-content-digest");
    const reference = digest !== null && below(2) === 0 ? digest : tag;
    const answer = await this.#send("DELETE", `/v2/${repository}/manifests/${reference}`);
    assert.ok([202, 404].includes(answer.status), `${answer.status} ${await answer.text()}`);
  }

  /** False when it took so long that its bytes were collected before they were shown. */
  async #pushBlob(repository: string, { bytes, digest }: Layer): Promise<boolean> {
    const began = performance.now();
    const head = await this.#send("HEAD", `/v2/${repository}/blobs/${digest}`);
    if (head.status === 200) {
      this.#count("already there");
      return true;
    }
    const uploads = `/v2/${repository}/blobs/uploads/`;
    const query = below(2) === 0 ? "" : `?mount=${digest}&from=soak/r${below(REPOSITORIES)}`;
    const begun = await this.#send("POST", uploads + query);
    if (begun.status === 201) {
      this.#count("mounted");
      return true;
    }
    assert.equal(begun.status, 202, await begun.text());
    const location = begun.headers.get("location") ?? "";
    const half = below(2) === 0 ? bytes.length : Math.floor(bytes.length / 2);
    if (half < bytes.length) {
      const patched = await this.#send("PATCH", location, bytes.subarray(0, half));
      assert.equal(patched.status, 202, await patched.text());
    }
    const rest = half < bytes.length ? bytes.subarray(half) : bytes;
    const done = await this.#send("PUT", `${location}?digest=${digest}`, rest);
    const text = await done.text();
    if (done.status === 404 && performance.now() - began > PATIENCE) return false;
    assert.equal(done.status, 201, text);
    return true;
  }

  async #send(method: string, path: string, body?: Buffer | string): Promise<Response> {
    return await fetch(this.#base + path, {
      method,
      ...(body !== undefined && { body: new Uint8Array(Buffer.from(body)) }),
    });
  }

  #count(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }
}

function below(limit: number): number {
  return Math.floor(Math.random() * limit);
}

async function filesIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).toSorted();
}

test(
  `${CLIENTS} clients and a collection for ${SECONDS} seconds`,
  { timeout: (SECONDS + 240) * 1_000 },
  async (t) => {
    const began = performance.now();
    let later = 0;
    const clock = (): number => 1_700_000_000_000 + Math.floor((performance.now() - began) * SPEED) + later;
    const failures: unknown[] = [];
    const retention = [{ repositories: ["**"], untaggedAfter: GRACE }];
    const collection = { grace: GRACE, pauseTime: 5, retention };
    await using served = await serveRegistry({
      dir,
      port: 0,
      clock,
      onFailure: (error) => failures.push(error),
      collection,
    });
    const { registry } = served;
    // As another process would: connections, locks and memory of its own.
    await using other = await openRegistryDirectory(dir, { clock, collection });
    const base = `http://${served.address}:${served.port}`;
    const counts = new Map<string, number>();
    let over = false;
    let freed = 0;
    let runs = 0;
    const collecting = (async (): Promise<void> => {
      for (; !over; runs++) {
        const collector = runs % 2 === 0 ? registry : other;
        freed += (await collector.collect()).collected.freed.count;
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    })();
    const clients = Array.from({ length: CLIENTS }, async () => {
      const client = new Client(base, counts);
      const isOver = (): boolean => freed > 0 && performance.now() - began >= SECONDS * 1_000;
      while (!isOver() && !t.signal.aborted) await client.act();
    });
    await Promise.all(clients).finally(() => (over = true));
    await collecting;
    assert.deepEqual(failures, []);
    assert.ok(freed > 0, "something was collected meanwhile");

    // Once for tags that moved, once for what their manifests named.
    for (let round = 0; round < 3; round++) {
      later += 3 * GRACE;
      await registry.collect();
    }
    const client = new Client(base, new Map());
    for (let repository = 0; repository < REPOSITORIES; repository++) {
      for (let tag = 0; tag < TAGS; tag++) await client.pull(`soak/r${repository}`, `t${tag}`);
    }
    await using metadata = openSqliteMetadata(join(dir, "registry.db"));
    const shown = new Set([...metadata.listContent()].map(({ digest }) => digest.slice("sha256:".length)));
    assert.deepEqual(await filesIn(join(dir, "blobs", "sha256")), [...shown].toSorted());
    assert.deepEqual(
      (await filesIn(join(dir, "ingest"))).filter((name) => name.endsWith(".part")),
      [],
    );
    const checked = await checkRegistryDirectory(dir);
    assert.deepEqual([...checked.found], []);
    t.diagnostic(`${runs} collections freed ${freed} blobs; ${JSON.stringify(Object.fromEntries(counts))}`);
  },
);
