/** What a registry's size costs: pages of long lists, and collecting a little garbage among much else. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { openDatabase } from "../src/internal/sqlite.ts";
import { digestEncoded, digestOf, MEDIA_TYPES, type Digest } from "../src/oci/index.ts";
import { openRegistryDirectory, openSqliteMetadata } from "../src/registry/index.ts";
import { MIGRATIONS } from "../src/registry/sqlite-schema.ts";
import { run } from "../test/processes.ts";
import { type Bench, startDrayRegistry, startPeerRegistry } from "./bench.ts";
import { peer } from "./measure.ts";

const TAGS = { few: 1_000, many: 100_000 };
const REPOSITORIES = 10_000;
const SECONDS = 2;
const PARTS = 99;
const STRAY = 1_000;
const HOUR = 60 * 60 * 1_000;
const EMPTY = JSON.stringify({ schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [] });

export async function benchRegistryScale(bench: Bench): Promise<void> {
  await benchLists(bench);
  await benchCollection(bench);
}

async function benchLists(bench: Bench): Promise<void> {
  bench.say(`Preparing ${TAGS.many} tags and ${REPOSITORIES} repositories`);
  await fillLists(join(bench.folder, "lists-dray"));
  fillPeerLists(join(bench.folder, "lists-peer"));
  await using mine = await startDrayRegistry(bench, "lists-dray");
  await using theirs = await startPeerRegistry(bench, "lists-peer");
  const paths = {
    "tags, page of 100 in 1,000": "/v2/few/tags/list?n=100&last=t000500",
    "tags, page of 100 in 100,000": "/v2/many/tags/list?n=100&last=t050000",
    [`catalog, page of 100 in ${REPOSITORIES.toLocaleString("en")}`]: "/v2/_catalog?n=100&last=p/r05000",
  };
  const rows: string[][] = [];
  const rates: number[] = [];
  for (const [what, path] of Object.entries(paths)) {
    const rate = await requestsPerSecond(`http://${mine.host}${path}`);
    const other = await requestsPerSecond(`http://${theirs.host}${path}`);
    rates.push(rate);
    rows.push([what, `${rate.toFixed(0)}/s`, `${other.toFixed(2)}/s`]);
    bench.say(`  ${what}: dray ${rate.toFixed(0)}/s, docker-registry ${other.toFixed(2)}/s`);
  }
  bench.tables.push({ title: "Lists of a large registry", header: ["", "dray", "docker-registry"], rows });
  const [few = 1, many = 1] = rates;
  bench.results.push({
    what: "a page of 100,000 tags to one of 1,000",
    dray: `${many.toFixed(0)}/s`,
    peer: `dray ${few.toFixed(0)}/s`,
    ratio: few / many,
    unit: "×",
    goal: { atMost: 1.5 },
  });
}

async function benchCollection(bench: Bench): Promise<void> {
  const times: number[] = [];
  for (const blobs of [10_000, 100_000]) {
    bench.say(`Preparing ${blobs} blobs, ${STRAY} of them garbage`);
    const dir = join(bench.folder, `collect-${blobs}`);
    await fillWithGarbage(dir, blobs);
    await using registry = await openRegistryDirectory(dir, { collection: { pauseTime: 0 } });
    const began = performance.now();
    const { collected } = await registry.collect();
    times.push(performance.now() - began);
    if (collected.freed.count !== STRAY) throw new Error(`${collected.freed.count} blobs were collected`);
    bench.say(`  dray: ${times.at(-1)?.toFixed(0)} ms`);
  }
  const folder = join(bench.folder, "collect-peer");
  const config = fillPeerWithGarbage(folder, 100_000);
  const began = performance.now();
  await run(peer("docker-registry"), ["garbage-collect", config], { timeout: 600_000 });
  const theirs = performance.now() - began;
  const [small = 1, large = 1] = times;
  bench.say(`  docker-registry, which has to stop for it: ${theirs.toFixed(0)} ms`);
  bench.results.push(
    {
      what: `collecting ${STRAY} of 100,000 blobs to as many of 10,000`,
      dray: `${large.toFixed(0)} ms`,
      peer: `dray ${small.toFixed(0)} ms`,
      ratio: large / small,
      unit: "×",
      goal: { atMost: 2 },
    },
    {
      what: `collecting ${STRAY} of 100,000 blobs`,
      dray: `${large.toFixed(0)} ms`,
      peer: `docker-registry ${theirs.toFixed(0)} ms`,
      ratio: theirs / large,
      unit: "×",
      goal: { atLeast: 1 },
    },
  );
}

async function requestsPerSecond(url: string): Promise<number> {
  const said = await run(peer("wrk"), ["-t1", "-c4", `-d${SECONDS}s`, "--timeout", "60s", url]);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(said)?.[1] ?? 0);
}

async function fillLists(dir: string): Promise<void> {
  mkdirSync(join(dir, "blobs", "sha256"), { recursive: true });
  writeFileSync(join(dir, "blobs", "sha256", digestEncoded(digestOf(EMPTY))), EMPTY);
  await using metadata = openSqliteMetadata(join(dir, "registry.db"));
  const manifest = { digest: digestOf(EMPTY), mediaType: MEDIA_TYPES.ociIndex, size: EMPTY.length };
  for (const [name, count] of Object.entries(TAGS)) {
    for (let at = 0; at < count; at += 1_000) {
      const tags = Array.from({ length: 1_000 }, (_, index) => tagOf(at + index));
      await metadata.putManifest(name, manifest, { tags, blobs: [], manifests: [] });
    }
  }
  using database = openDatabase(join(dir, "registry.db"), { migrations: MIGRATIONS });
  database.transaction(() => {
    for (let index = 0; index < REPOSITORIES; index++) {
      database.run("INSERT INTO repositories (name) VALUES (?)", repositoryOf(index));
    }
  });
}

function fillPeerLists(folder: string): void {
  const root = join(folder, "data", "docker", "registry", "v2");
  for (const [name, count] of Object.entries(TAGS)) {
    for (let index = 0; index < count; index++) {
      const tag = join(root, "repositories", name, "_manifests", "tags", tagOf(index), "current");
      mkdirSync(tag, { recursive: true });
      writeFileSync(join(tag, "link"), digestOf(EMPTY));
    }
  }
  for (let index = 0; index < REPOSITORIES; index++) {
    mkdirSync(join(root, "repositories", repositoryOf(index), "_layers"), { recursive: true });
  }
}

/** Files as they would be after pushes of long ago; a push of each would take its time on any disk. */
async function fillWithGarbage(dir: string, count: number): Promise<void> {
  const folder = join(dir, "blobs", "sha256");
  mkdirSync(folder, { recursive: true });
  const before = Date.now() - 3 * HOUR;
  {
    await using metadata = openSqliteMetadata(join(dir, "registry.db"), { clock: () => before });
    const rows: (readonly [Digest, number])[] = [];
    for (const { text, parts } of imagesOf(count)) {
      const manifest = { digest: digestOf(text), mediaType: MEDIA_TYPES.ociManifest, size: text.length };
      const tags = [`t${rows.length}`];
      const links = parts.map((part) => digestOf(part));
      await metadata.putManifest("r", manifest, { tags, blobs: [], manifests: [], links });
      for (const part of parts) rows.push([digestOf(part), part.length]);
      for (const part of [text, ...parts]) writeFileSync(join(folder, digestEncoded(digestOf(part))), part);
    }
    for (const text of strays()) {
      writeFileSync(join(folder, digestEncoded(digestOf(text))), text);
      await metadata.linkBlob("r", { digest: digestOf(text), size: text.length });
    }
    using database = openDatabase(join(dir, "registry.db"), { migrations: MIGRATIONS });
    database.transaction(() => {
      for (const row of rows) database.run("INSERT INTO blobs VALUES (1, ?, ?, 0)", ...row);
    });
  }
  // As old as their rows: what was written this minute counts as in use.
  await run("find", [folder, "-type", "f", "-exec", "touch", "-d", "3 hours ago", "{}", "+"]);
}

function fillPeerWithGarbage(folder: string, count: number): string {
  const root = join(folder, "data", "docker", "registry", "v2");
  const revisions = join(root, "repositories", "r", "_manifests", "revisions", "sha256");
  const store = (text: string): string => {
    const hex = digestEncoded(digestOf(text));
    const place = join(root, "blobs", "sha256", hex.slice(0, 2), hex);
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, "data"), text);
    return hex;
  };
  mkdirSync(join(root, "repositories", "r", "_layers"), { recursive: true });
  for (const { text, parts } of imagesOf(count)) {
    for (const part of parts) store(part);
    const place = join(revisions, store(text));
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, "link"), digestOf(text));
  }
  for (const text of strays()) store(text);
  const config = join(folder, "config.yml");
  const storage = `{ filesystem: { rootdirectory: ${JSON.stringify(join(folder, "data"))} } }`;
  writeFileSync(config, `version: 0.1\nlog: { level: error }\nstorage: ${storage}\n`);
  return config;
}

function* imagesOf(count: number): Generator<{ readonly text: string; readonly parts: readonly string[] }> {
  for (let at = 0; at < count - STRAY; at += PARTS + 1) {
    const parts = Array.from({ length: PARTS }, (_, index) => `part ${at + index}`);
    const [config, ...layers] = parts.map((part) => ({
      mediaType: MEDIA_TYPES.ociLayer,
      digest: digestOf(part),
      size: part.length,
    }));
    const mediaType = MEDIA_TYPES.ociManifest;
    yield { text: JSON.stringify({ schemaVersion: 2, mediaType, config, layers }), parts };
  }
}

function strays(): readonly string[] {
  return Array.from({ length: STRAY }, (_, index) => `stray ${index}`);
}

function tagOf(index: number): string {
  return `t${String(index).padStart(6, "0")}`;
}

function repositoryOf(index: number): string {
  return `p/r${String(index).padStart(5, "0")}`;
}
