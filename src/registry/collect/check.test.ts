import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { openDatabase } from "../../internal/sqlite.ts";
import { digestAlgorithm, digestEncoded, digestOf, MEDIA_TYPES, type Digest } from "../../oci/index.ts";
import { openRegistryDirectory } from "../directory.ts";
import type { Registry } from "../registry.ts";
import { MIGRATIONS } from "../sqlite-schema.ts";
import { checkRegistryDirectory, type CheckOptions, type Finding } from "./check.ts";

const root = await mkdtemp(join(tmpdir(), "dray-check-"));
after(() => rm(root, { recursive: true }));

/** A registry with one image, its referrer and an index; and a second repository that shares its layer. */
async function prepare(name: string): Promise<{ dir: string; layer: Digest; image: Digest; sbom: Digest }> {
  const dir = join(root, name);
  await using registry = await openRegistryDirectory(dir);
  const layer = await pushBlob(registry, "a", "layer");
  await pushBlob(registry, "b", "layer");
  const config = { mediaType: MEDIA_TYPES.ociConfig, digest: layer, size: 5 };
  const image = await put(registry, "a", "t", { config, layers: [] });
  const subject = { mediaType: MEDIA_TYPES.ociManifest, digest: image, size: 1 };
  const sbom = await put(registry, "a", "sbom", { config, layers: [], subject });
  await put(registry, "a", "index", { manifests: [subject] });
  return { dir, layer, image, sbom };
}

async function send(registry: Registry, method: string, path: string, body?: string): Promise<Response> {
  const init = { method, ...(body !== undefined && { body: Buffer.from(body) }) };
  return await registry.fetch(new Request(`http://registry${path}`, init));
}

async function pushBlob(registry: Registry, repository: string, text: string): Promise<Digest> {
  const digest = digestOf(text);
  const answer = await send(registry, "POST", `/v2/${repository}/blobs/uploads/?digest=${digest}`, text);
  assert.equal(answer.status, 201);
  return digest;
}

async function put(registry: Registry, repository: string, tag: string, fields: object): Promise<Digest> {
  const mediaType = "manifests" in fields ? MEDIA_TYPES.ociIndex : MEDIA_TYPES.ociManifest;
  const text = JSON.stringify({ schemaVersion: 2, mediaType, ...fields });
  assert.equal((await send(registry, "PUT", `/v2/${repository}/manifests/${tag}`, text)).status, 201);
  return digestOf(text);
}

function fileOf(dir: string, digest: Digest): string {
  return join(dir, "blobs", digestAlgorithm(digest), digestEncoded(digest));
}

/** Overwrites the bytes of a blob, as a failing disk would. */
async function damage(dir: string, digest: Digest, text: string): Promise<void> {
  await chmod(fileOf(dir, digest), 0o644);
  await writeFile(fileOf(dir, digest), text);
}

async function check(dir: string, options: CheckOptions = {}): Promise<string[]> {
  const findings: Finding[] = [];
  const result = await checkRegistryDirectory(dir, {
    ...options,
    onFinding: (finding) => findings.push(finding),
  });
  assert.equal(result.repaired, findings.filter((finding) => finding.repaired).length);
  assert.equal(result.left, findings.length - result.repaired);
  return findings.map(({ code, repository, repaired }) =>
    [code, repository, repaired ? "repaired" : ""].filter(Boolean).join(" "),
  );
}

test("a sound registry has nothing to be found, and is counted", async () => {
  const { dir } = await prepare("sound");
  const result = await checkRegistryDirectory(dir);
  assert.deepEqual(
    [result.found.size, result.repositories, result.manifests, result.content.count],
    [0, 2, 3, 4],
  );
});

test("damaged bytes are found, deleted, and pushed again", async () => {
  const { dir, layer } = await prepare("damaged");
  await damage(dir, layer, "LAYER");
  assert.deepEqual(await check(dir, { verify: false }), [], "same size");
  assert.deepEqual(await check(dir), ["CONTENT_DAMAGED"]);
  assert.deepEqual(await check(dir, { repair: true }), [
    "CONTENT_DAMAGED repaired",
    "BLOB_MISSING a repaired",
    "PART_MISSING a",
    "PART_MISSING a",
    "BLOB_MISSING b repaired",
  ]);
  {
    await using registry = await openRegistryDirectory(dir);
    assert.equal((await send(registry, "HEAD", `/v2/a/blobs/${layer}`)).status, 404);
    await pushBlob(registry, "a", "layer");
  }
  assert.deepEqual(await check(dir), []);
});

test("a lost manifest is told of, and mended by the next push of it", async () => {
  const { dir, image, layer } = await prepare("lost");
  await rm(fileOf(dir, image));
  assert.deepEqual(await check(dir, { repair: true }), ["MANIFEST_MISSING a"]);
  {
    await using registry = await openRegistryDirectory(dir);
    const config = { mediaType: MEDIA_TYPES.ociConfig, digest: layer, size: 5 };
    assert.equal(await put(registry, "a", "t", { config, layers: [] }), image);
  }
  assert.deepEqual(await check(dir), []);
});

test("bytes that nobody shows are noted, and collected after their time", async () => {
  const { dir } = await prepare("unshown");
  const stray = digestOf("stray");
  await writeFile(fileOf(dir, stray), "stray");
  assert.deepEqual(await check(dir), ["CONTENT_UNSHOWN"]);
  assert.deepEqual(await check(dir, { repair: true }), ["CONTENT_UNSHOWN repaired"]);
  assert.deepEqual(await check(dir), []);
  const day = 24 * 60 * 60 * 1_000;
  await using registry = await openRegistryDirectory(dir, { clock: () => Date.now() + day });
  // Of "b", the layer that no manifest there names, too.
  const { collected } = await registry.collect();
  assert.deepEqual(collected.freed, { count: 1, bytes: 5 });
});

test("wrong notes are found and mended, and never make anything visible", async () => {
  const { dir, sbom, layer, image } = await prepare("notes");
  {
    using database = openDatabase(join(dir, "registry.db"), { migrations: MIGRATIONS });
    database.run("DELETE FROM referrers WHERE digest = ?", sbom);
    database.run("DELETE FROM links WHERE manifest = ?", image);
    database.run("UPDATE repositories SET bytes = 1 WHERE name = 'b'");
    database.run("DELETE FROM loose");
    database.run(
      "DELETE FROM blobs WHERE digest = ? AND repository = (SELECT id FROM repositories WHERE name = 'a')",
      layer,
    );
  }
  const found = (await check(dir)).toSorted();
  assert.deepEqual(found, [
    "LINKS_WRONG a",
    "LINKS_WRONG a",
    "NOTES_WRONG b",
    "PART_MISSING a",
    "PART_MISSING a",
  ]);
  await check(dir, { repair: true });
  assert.deepEqual(await check(dir), ["PART_MISSING a", "PART_MISSING a"]);
  await using registry = await openRegistryDirectory(dir);
  assert.equal((await send(registry, "HEAD", `/v2/a/blobs/${layer}`)).status, 404);
  const referrers = (await (await send(registry, "GET", `/v2/a/referrers/${image}`)).json()) as {
    manifests: { digest: string }[];
  };
  assert.deepEqual(
    referrers.manifests.map((one) => one.digest),
    [sbom],
  );
});
