/**
 * The walk that registries are judged by, line by line, over real HTTP: pull, push by every method, tags,
 * referrers, deletion, and the errors on the way. Everything runs once with sha256 and once with sha512.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, describe, test } from "node:test";

import {
  digestOf,
  EMPTY_DESCRIPTOR,
  MEDIA_TYPES,
  type Descriptor,
  type Digest,
} from "../../src/oci/index.ts";
import type { DigestAlgorithm } from "../../src/oci/index.ts";
import { serveRegistry } from "../../src/registry/index.ts";

const dir = await mkdtemp(join(tmpdir(), "dray-conformance-"));
const served = await serveRegistry({ dir, port: 0 });
const base = `http://${served.address}:${served.port}`;
after(async () => {
  await served.close();
  await rm(dir, { recursive: true });
});

interface Blob {
  readonly bytes: Buffer;
  readonly digest: Digest;
}

type Headers = Readonly<Record<string, string>>;

interface Answer {
  readonly status: number;
  readonly headers: globalThis.Headers;
  readonly bytes: Buffer;
}

async function send(method: string, path: string, body?: Buffer, headers: Headers = {}): Promise<Answer> {
  const response = await fetch(new URL(path, base), {
    method,
    headers,
    ...(body !== undefined && { body: new Uint8Array(body) }),
  });
  return {
    status: response.status,
    headers: response.headers,
    bytes: Buffer.from(await response.arrayBuffer()),
  };
}

/** Sends a body without a length, as clients do that compress on the way. */
async function stream(method: string, path: string, body: Buffer): Promise<Answer> {
  const parts = new ReadableStream<Uint8Array>({
    start(controller): void {
      for (let at = 0; at < body.length; at += 100)
        controller.enqueue(new Uint8Array(body.subarray(at, at + 100)));
      controller.close();
    },
  });
  const init: RequestInit & { readonly duplex: "half" } = { method, body: parts, duplex: "half" };
  const response = await fetch(new URL(path, base), init);
  const bytes = Buffer.from(await response.arrayBuffer());
  return { status: response.status, headers: response.headers, bytes };
}

function blobOf(size: number, algorithm: DigestAlgorithm): Blob {
  const bytes = randomBytes(size);
  return { bytes, digest: digestOf(bytes, algorithm) };
}

function locationOf(answer: Answer): string {
  const location = answer.headers.get("location");
  assert.ok(location, "an answer with a Location");
  return location;
}

function withDigest(location: string, digest: string): string {
  return `${location}${location.includes("?") ? "&" : "?"}digest=${digest}`;
}

async function begin(repository: string): Promise<string> {
  const answer = await send("POST", `/v2/${repository}/blobs/uploads/`, undefined, { "content-length": "0" });
  assert.equal(answer.status, 202);
  assert.equal(answer.headers.get("range"), "0-0");
  assert.equal(answer.headers.get("content-length"), "0");
  assert.ok(answer.headers.get("docker-upload-uuid"));
  return locationOf(answer);
}

async function sendChunk(location: string, blob: Blob, first: number, end: number): Promise<string> {
  const answer = await send("PATCH", location, blob.bytes.subarray(first, end), {
    "content-range": `${first}-${end - 1}`,
    "content-type": "application/octet-stream",
  });
  assert.equal(answer.status, 202);
  assert.equal(answer.headers.get("range"), `0-${end - 1}`);
  return locationOf(answer);
}

/** The walk after every successful push: seen, read back, deleted, gone. */
async function checkPushed(repository: string, answer: Answer, blob: Blob): Promise<void> {
  assert.equal(answer.status, 201, answer.bytes.toString());
  assert.equal(answer.headers.get("docker-content-digest"), blob.digest);
  const atLocation = await send("GET", locationOf(answer));
  assert.deepEqual(atLocation.bytes, blob.bytes);
  const path = `/v2/${repository}/blobs/${blob.digest}`;
  const head = await send("HEAD", path);
  assert.equal(head.status, 200);
  assert.equal(head.headers.get("content-length"), String(blob.bytes.length));
  assert.equal(head.headers.get("docker-content-digest"), blob.digest);
  const got = await send("GET", path);
  assert.equal(got.status, 200);
  assert.equal(got.headers.get("content-type"), "application/octet-stream");
  assert.equal(got.headers.get("content-length"), String(blob.bytes.length));
  assert.equal(got.headers.get("docker-content-digest"), blob.digest);
  assert.deepEqual(got.bytes, blob.bytes);
  assert.equal((await send("DELETE", path)).status, 202);
  assert.equal((await send("HEAD", path)).status, 404);
}

const putBlob = (location: string, blob: Blob, body = blob.bytes): Promise<Answer> =>
  send("PUT", withDigest(location, blob.digest), body, { "content-type": "application/octet-stream" });

const finish = (location: string, blob: Blob): Promise<Answer> =>
  send("PUT", withDigest(location, blob.digest));

test("ping: /v2/ says that this is a registry", async () => {
  const answer = await send("GET", "/v2/");
  assert.equal(answer.status, 200);
  assert.equal(answer.bytes.toString(), "{}");
  assert.equal(answer.headers.get("docker-distribution-api-version"), "registry/2.0");
});

test("empty: an unused repository has no tag list, and an empty list of referrers", async () => {
  assert.equal((await send("GET", "/v2/unused/tags/list")).status, 404);
  const answer = await send("GET", `/v2/unused/referrers/${digestOf(randomBytes(8))}`);
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("content-type"), MEDIA_TYPES.ociIndex);
  const expected = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [] };
  assert.deepEqual(JSON.parse(answer.bytes.toString()), expected);
});

for (const algorithm of ["sha256", "sha512"] as const) {
  describe(`blobs by ${algorithm}`, () => {
    const repository = `blobs/${algorithm}/one`;
    const other = `blobs/${algorithm}/two`;
    const uploads = `/v2/${repository}/blobs/uploads/`;

    test("get-missing", async () => {
      const answer = await send("GET", `/v2/${repository}/blobs/${blobOf(8, algorithm).digest}`);
      assert.equal(answer.status, 404);
      assert.equal(JSON.parse(answer.bytes.toString()).errors[0].code, "BLOB_UNKNOWN");
    });

    test("post only", async () => {
      const blob = blobOf(512, algorithm);
      await checkPushed(repository, await send("POST", withDigest(uploads, blob.digest), blob.bytes), blob);
    });

    test("post and put", async () => {
      const blob = blobOf(512, algorithm);
      await checkPushed(repository, await putBlob(await begin(repository), blob), blob);
    });

    test("chunked, a single chunk", async () => {
      const blob = blobOf(512, algorithm);
      const location = await sendChunk(await begin(repository), blob, 0, 512);
      await checkPushed(repository, await finish(location, blob), blob);
    });

    test("stream", async () => {
      const blob = blobOf(512, algorithm);
      const answer = await stream("PATCH", await begin(repository), blob.bytes);
      assert.equal(answer.status, 202);
      assert.equal(answer.headers.get("range"), "0-511");
      await checkPushed(repository, await finish(locationOf(answer), blob), blob);
    });

    test("stream in several parts, and a last one with the digest", async () => {
      const blob = blobOf(900, algorithm);
      let location = await begin(repository);
      for (const first of [0, 300]) {
        location = locationOf(await stream("PATCH", location, blob.bytes.subarray(first, first + 300)));
      }
      const answer = await stream("PUT", withDigest(location, blob.digest), blob.bytes.subarray(600));
      await checkPushed(repository, answer, blob);
    });

    for (const from of [`&from=${other}`, ""]) {
      test(`mount ${from === "" ? "from anywhere" : "from a repository"}`, async () => {
        const blob = blobOf(512, algorithm);
        assert.equal((await putBlob(await begin(other), blob)).status, 201);
        assert.equal((await send("HEAD", `/v2/${repository}/blobs/${blob.digest}`)).status, 404);
        await checkPushed(repository, await send("POST", `${uploads}?mount=${blob.digest}${from}`), blob);
        assert.equal((await send("HEAD", `/v2/${other}/blobs/${blob.digest}`)).status, 200);
      });
    }

    test("mount missing: the answer is a session that works", async () => {
      const blob = blobOf(512, algorithm);
      const answer = await send("POST", `${uploads}?mount=${blob.digest}&from=${other}`);
      assert.equal(answer.status, 202);
      await checkPushed(repository, await putBlob(locationOf(answer), blob), blob);
    });

    test("post cancel", async () => {
      const location = await begin(repository);
      assert.equal((await send("DELETE", location)).status, 204);
      assert.equal((await send("GET", location)).status, 404);
      const answer = await send("DELETE", location);
      assert.equal(JSON.parse(answer.bytes.toString()).errors[0].code, "BLOB_UPLOAD_UNKNOWN");
    });

    for (const lastInPut of [false, true]) {
      const how = lastInPut ? ", the last chunk in the PUT" : "";
      test(`chunked in several${how}`, async () => {
        const blob = blobOf(3 * 1024 - 5, algorithm);
        let location = await sendChunk(await begin(repository), blob, 0, 1024);
        location = await sendChunk(location, blob, 1024, 2048);
        if (lastInPut) {
          const range = { "content-range": `2048-${blob.bytes.length - 1}` };
          const url = withDigest(location, blob.digest);
          const answer = await send("PUT", url, blob.bytes.subarray(2048), range);
          return await checkPushed(repository, answer, blob);
        }
        location = await sendChunk(location, blob, 2048, blob.bytes.length);
        await checkPushed(repository, await finish(location, blob), blob);
      });

      test(`chunked out of order${how}`, async () => {
        const blob = blobOf(3 * 1024 - 5, algorithm);
        const size = blob.bytes.length;
        let location = await begin(repository);
        for (const first of [0, 1024, 2048]) {
          const end = Math.min(first + 1024, size);
          const ahead = end < size ? end : 0;
          const wrong = blob.bytes.subarray(ahead, Math.min(ahead + 1024, size));
          const headers = { "content-range": `${ahead}-${ahead + wrong.length - 1}` };
          const inPut = lastInPut && end === size;
          const url = inPut ? withDigest(location, blob.digest) : location;
          const refused = await send(inPut ? "PUT" : "PATCH", url, wrong, headers);
          assert.equal(refused.status, 416, "out of order");
          const state = await send("GET", url);
          assert.equal(state.status, 204);
          assert.equal(state.headers.get("range"), `0-${Math.max(0, first - 1)}`);
          location = locationOf(state);
          if (!inPut) location = await sendChunk(location, blob, first, end);
          else {
            const range = { "content-range": `${first}-${end - 1}` };
            const answer = await send("PUT", url, blob.bytes.subarray(first), range);
            return await checkPushed(repository, answer, blob);
          }
        }
        await checkPushed(repository, await finish(location, blob), blob);
      });
    }

    test("range requests", async () => {
      const blob = blobOf(2048, algorithm);
      assert.equal((await putBlob(await begin(repository), blob)).status, 201);
      const path = `/v2/${repository}/blobs/${blob.digest}`;
      const cases: [string, number, number][] = [
        ["500-1499", 500, 1499],
        ["500-", 500, 2047],
        ["-500", 1548, 2047],
        ["2000-5000", 2000, 2047],
      ];
      for (const [range, first, last] of cases) {
        const answer = await send("GET", path, undefined, { range: `bytes=${range}` });
        assert.equal(answer.status, 206, range);
        assert.deepEqual(answer.bytes, blob.bytes.subarray(first, last + 1));
        assert.equal(answer.headers.get("content-length"), String(last - first + 1));
        assert.equal(answer.headers.get("content-range"), `bytes ${first}-${last}/2048`);
      }
      for (const range of ["500-0", "5000-10000"]) {
        const answer = await send("GET", path, undefined, { range: `bytes=${range}` });
        assert.equal(answer.status, 416, range);
        assert.equal(answer.headers.get("content-range"), "bytes */2048");
      }
    });

    for (const [name, bytes] of [
      ["empty", Buffer.alloc(0)],
      ["emptyJSON", Buffer.from("{}")],
    ] as const) {
      test(`${name}, by every way to push`, async () => {
        const blob = { bytes, digest: digestOf(bytes, algorithm) };
        await checkPushed(repository, await putBlob(await begin(repository), blob), blob);
        await checkPushed(repository, await send("POST", withDigest(uploads, blob.digest), bytes), blob);
        const streamed = locationOf(await stream("PATCH", await begin(repository), bytes));
        await checkPushed(repository, await finish(streamed, blob), blob);
      });
    }

    test("bad digest, by every way to push", async () => {
      const blob = blobOf(512, algorithm);
      const { digest } = blobOf(512, algorithm);
      const wrong = { ...blob, digest };
      const answers = [
        await send("POST", withDigest(uploads, digest), blob.bytes),
        await putBlob(await begin(repository), wrong),
        await finish(await sendChunk(await begin(repository), blob, 0, 512), wrong),
        await send(
          "PUT",
          withDigest(await sendChunk(await begin(repository), blob, 0, 256), digest),
          blob.bytes.subarray(256),
          { "content-range": "256-511" },
        ),
        await finish(locationOf(await stream("PATCH", await begin(repository), blob.bytes)), wrong),
      ];
      for (const answer of answers) {
        assert.equal(answer.status, 400);
        assert.equal(JSON.parse(answer.bytes.toString()).errors[0].code, "DIGEST_INVALID");
      }
      assert.equal((await send("HEAD", `/v2/${repository}/blobs/${digest}`)).status, 404);
    });
  });
}

interface Pushed {
  readonly bytes: Buffer;
  readonly digest: Digest;
  readonly mediaType: string;
}

async function pushContent(
  repository: string,
  bytes: Buffer,
  mediaType: string,
  algorithm: DigestAlgorithm = "sha256",
): Promise<Descriptor> {
  const blob = { bytes, digest: digestOf(bytes, algorithm) };
  assert.equal((await putBlob(await begin(repository), blob)).status, 201);
  return { mediaType, digest: blob.digest, size: bytes.length };
}

function documentOf(fields: object, algorithm: DigestAlgorithm = "sha256"): Pushed {
  const mediaType = "manifests" in fields ? MEDIA_TYPES.ociIndex : MEDIA_TYPES.ociManifest;
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...fields }));
  return { bytes, digest: digestOf(bytes, algorithm), mediaType };
}

function descriptorOf(document: Pushed): Descriptor {
  return { mediaType: document.mediaType, digest: document.digest, size: document.bytes.length };
}

function put(repository: string, reference: string, document: Pushed): Promise<Answer> {
  const headers = { "content-type": document.mediaType };
  return send("PUT", `/v2/${repository}/manifests/${reference}`, document.bytes, headers);
}

/** Pushed by digest, fetched at its Location and under `reference`, with every header a client reads. */
async function checkManifest(repository: string, document: Pushed, reference?: string): Promise<Answer> {
  const answer = await put(repository, reference ?? document.digest, document);
  assert.equal(answer.status, 201, answer.bytes.toString());
  assert.equal(answer.headers.get("docker-content-digest"), document.digest);
  for (const path of [locationOf(answer), `/v2/${repository}/manifests/${reference ?? document.digest}`]) {
    await checkRead(path, document);
  }
  return answer;
}

async function checkRead(path: string, document: Pushed): Promise<void> {
  for (const method of ["GET", "HEAD"]) {
    const accept = `${MEDIA_TYPES.ociIndex}, ${MEDIA_TYPES.ociManifest}`;
    const got = await send(method, path, undefined, { accept });
    assert.equal(got.status, 200, `${method} ${path}`);
    assert.equal(got.headers.get("content-type"), document.mediaType);
    assert.equal(got.headers.get("content-length"), String(document.bytes.length));
    assert.equal(got.headers.get("docker-content-digest"), document.digest);
    assert.equal(got.headers.get("etag"), `"${document.digest}"`);
    if (method === "GET") assert.deepEqual(got.bytes, document.bytes);
  }
}

async function pushImage(
  repository: string,
  fields: object = {},
  algorithm: DigestAlgorithm = "sha256",
): Promise<Pushed> {
  const config = await pushContent(repository, randomBytes(40), MEDIA_TYPES.ociConfig, algorithm);
  const layer = await pushContent(repository, randomBytes(80), MEDIA_TYPES.ociLayerGzip, algorithm);
  return documentOf({ config, layers: [layer], ...fields }, algorithm);
}

describe("manifests", () => {
  test("image: by digest and by tag; every tag and then the manifest can be deleted", async () => {
    const image = await pushImage("data/image");
    await checkManifest("data/image", image);
    for (const tag of ["v1", "v2", "latest"]) await checkManifest("data/image", image, tag);
    assert.equal((await send("DELETE", "/v2/data/image/manifests/v1")).status, 202);
    assert.equal((await send("HEAD", "/v2/data/image/manifests/v1")).status, 404);
    assert.equal((await send("HEAD", "/v2/data/image/manifests/v2")).status, 200);
    assert.equal((await send("DELETE", `/v2/data/image/manifests/${image.digest}`)).status, 202);
    for (const gone of ["v2", "latest", image.digest]) {
      const answer = await send("GET", `/v2/data/image/manifests/${gone}`);
      assert.equal(answer.status, 404, gone);
      assert.equal(JSON.parse(answer.bytes.toString()).errors[0].code, "MANIFEST_UNKNOWN");
    }
    assert.equal((await send("DELETE", `/v2/data/image/manifests/${image.digest}`)).status, 404);
    const list = await send("GET", "/v2/data/image/tags/list");
    assert.deepEqual(JSON.parse(list.bytes.toString()), { name: "data/image", tags: [] });
  });

  test("large-manifest: 3.9 MB are stored and served", async () => {
    const annotations = Object.fromEntries(
      Array.from({ length: 390 }, (_, index) => [`org.example.${index}`, "x".repeat(10_000)]),
    );
    await checkManifest("data/large", await pushImage("data/large", { annotations }), "big");
  });

  test("index, nested-index, empty-index", async () => {
    const images = [await pushImage("data/index"), await pushImage("data/index")];
    for (const image of images) await checkManifest("data/index", image);
    const index = documentOf({ manifests: images.map(descriptorOf) });
    await checkManifest("data/index", index, "index");
    await checkManifest("data/index", documentOf({ manifests: [descriptorOf(index)] }), "nested");
    await checkManifest("data/index", documentOf({ manifests: [] }), "empty");
  });

  test("artifact, artifact-index, artifact-without-layers", async () => {
    const config = await pushContent("data/artifact", Buffer.from("{}"), EMPTY_DESCRIPTOR.mediaType);
    const layer = await pushContent("data/artifact", randomBytes(9), "application/vnd.example.data");
    const artifact = documentOf({ artifactType: "application/vnd.example", config, layers: [layer] });
    await checkManifest("data/artifact", artifact);
    const bare = documentOf({ artifactType: "application/vnd.example", config, layers: [config] });
    await checkManifest("data/artifact", bare);
    const manifests = [descriptorOf(artifact), descriptorOf(bare)];
    await checkManifest("data/artifact", documentOf({ artifactType: "application/vnd.example", manifests }));
  });

  test("artifacts-with-subject: the list describes each, and filters by type", async () => {
    const repository = "data/subject";
    const image = await pushImage(repository);
    await checkManifest(repository, image);
    const subject = descriptorOf(image);
    const annotations = { "org.example.kind": "sbom" };
    const empty = await pushContent(repository, Buffer.from("{}"), EMPTY_DESCRIPTOR.mediaType);
    const referrers = [
      documentOf({ artifactType: "application/vnd.a", config: empty, layers: [empty], subject, annotations }),
      documentOf({ artifactType: "application/vnd.b", config: empty, layers: [empty], subject }),
      await pushImage(repository, { subject }),
      documentOf({ artifactType: "application/vnd.a", manifests: [], subject }),
      documentOf({ manifests: [], subject }),
    ];
    for (const referrer of referrers) {
      const answer = await checkManifest(repository, referrer);
      assert.equal(answer.headers.get("oci-subject"), image.digest);
    }
    const types = [
      "application/vnd.a",
      "application/vnd.b",
      MEDIA_TYPES.ociConfig,
      "application/vnd.a",
      undefined,
    ];
    const expected = referrers
      .map((referrer, index) => ({
        ...descriptorOf(referrer),
        ...(types[index] !== undefined && { artifactType: types[index] }),
        ...(index === 0 && { annotations }),
      }))
      .toSorted((a, b) => (a.digest < b.digest ? -1 : 1));
    const path = `/v2/${repository}/referrers/${image.digest}`;
    const list = await send("GET", path);
    assert.equal(list.headers.has("oci-filters-applied"), false);
    assert.deepEqual(JSON.parse(list.bytes.toString()).manifests, expected);
    for (const type of new Set(types)) {
      if (type === undefined) continue;
      const filtered = await send("GET", `${path}?artifactType=${encodeURIComponent(type)}`);
      assert.equal(filtered.headers.get("oci-filters-applied"), "artifactType");
      const same = expected.filter((entry) => entry.artifactType === type);
      assert.deepEqual(JSON.parse(filtered.bytes.toString()).manifests, same);
    }
    const first = referrers[0] as Pushed;
    assert.equal((await send("DELETE", `/v2/${repository}/manifests/${first.digest}`)).status, 202);
    assert.equal((await send("DELETE", `/v2/${repository}/manifests/${image.digest}`)).status, 202);
    const rest = JSON.parse((await send("GET", path)).bytes.toString()).manifests as Descriptor[];
    assert.deepEqual(
      rest,
      expected.filter((entry) => entry.digest !== first.digest),
    );
  });

  test("index-with-subject and missing-subject: a subject need not be there", async () => {
    const subject = { mediaType: MEDIA_TYPES.ociIndex, digest: digestOf(randomBytes(8)), size: 8 };
    const referrer = documentOf({ manifests: [], subject });
    const answer = await checkManifest("data/missing", referrer);
    assert.equal(answer.headers.get("oci-subject"), subject.digest);
    const list = await send("GET", `/v2/data/missing/referrers/${subject.digest}`);
    assert.deepEqual(JSON.parse(list.bytes.toString()).manifests, [descriptorOf(referrer)]);
  });

  test("data-field and custom-fields survive byte for byte", async () => {
    const config = await pushContent("data/fields", Buffer.from("{}"), EMPTY_DESCRIPTOR.mediaType);
    const document = documentOf({
      artifactType: "application/vnd.example",
      config: { ...config, data: "e30=", "org.example.custom": { a: [1] } },
      layers: [],
      custom: { deep: { er: true } },
    });
    await checkManifest("data/fields", document, "custom");
  });

  test("non-distributable-layers: their blobs need not be here", async () => {
    const config = await pushContent("data/foreign", randomBytes(9), MEDIA_TYPES.ociConfig);
    const layers = [MEDIA_TYPES.ociForeignLayerGzip, MEDIA_TYPES.dockerForeignLayerGzip].map((mediaType) => ({
      mediaType,
      digest: digestOf(randomBytes(9)),
      size: 9,
      urls: ["https://example.com/layer"],
    }));
    await checkManifest("data/foreign", documentOf({ config, layers }));
  });

  test("no-layers, and Docker's types, are kept as they are", async () => {
    const image = await pushImage("data/docker", { layers: [] });
    await checkManifest("data/docker", image, "no-layers");
    const config = await pushContent("data/docker", randomBytes(9), MEDIA_TYPES.dockerConfig);
    const fields = { schemaVersion: 2, mediaType: MEDIA_TYPES.dockerManifest, config, layers: [] };
    const bytes = Buffer.from(JSON.stringify(fields));
    const docker = { bytes, digest: digestOf(bytes), mediaType: MEDIA_TYPES.dockerManifest };
    await checkManifest("data/docker", docker, "docker");
  });

  test("sparse: what is missing is refused, item by item", async () => {
    const image = await pushImage("data/sparse");
    const lost = [randomBytes(5), randomBytes(6)].map((bytes) => ({
      mediaType: MEDIA_TYPES.ociLayer,
      digest: digestOf(bytes),
      size: bytes.length,
    }));
    const document = documentOf({ ...JSON.parse(image.bytes.toString()), layers: lost });
    const answer = await put("data/sparse", "t", document);
    assert.equal(answer.status, 400);
    const { errors } = JSON.parse(answer.bytes.toString()) as { errors: { code: string; detail: object }[] };
    assert.deepEqual(
      errors.map((error) => [error.code, error.detail]),
      lost.map(({ digest }) => ["MANIFEST_BLOB_UNKNOWN", { digest }]),
    );
    const index = documentOf({ manifests: [{ ...lost[0], mediaType: MEDIA_TYPES.ociManifest }] });
    assert.equal((await put("data/sparse", "t", index)).status, 400);
    assert.equal((await send("GET", "/v2/data/sparse/manifests/t")).status, 404);
  });

  test("sha512: everything by sha512, and a tag keeps the digest it was pushed with", async () => {
    const image = await pushImage("data/sha512", {}, "sha512");
    await checkManifest("data/sha512", image);
    assert.equal((await send("GET", `/v2/data/sha512/manifests/${digestOf(image.bytes)}`)).status, 404);
  });

  for (const algorithm of ["sha256", "sha512"] as const) {
    test(`tag-param-${algorithm}: one push by digest sets many tags`, async () => {
      const repository = `data/tags-${algorithm}`;
      const image = await pushImage(repository, {}, algorithm);
      const tags = Array.from({ length: 10 }, (_, index) => `t${index}`);
      const query = tags.map((tag) => `tag=${tag}`).join("&");
      const answer = await put(repository, `${image.digest}?${query}`, image);
      assert.equal(answer.status, 201);
      assert.deepEqual((answer.headers.get("oci-tag") ?? "").split(", "), tags);
      for (const tag of tags) await checkRead(`/v2/${repository}/manifests/${tag}`, image);
      const list = await send("GET", `/v2/${repository}/tags/list`);
      assert.deepEqual(JSON.parse(list.bytes.toString()).tags, tags);
      const many = Array.from({ length: 200 }, (_, index) => `tag=m${index}`).join("&");
      assert.equal((await put(repository, `${image.digest}?${many}`, image)).status, 414);
      assert.equal((await put(repository, `${image.digest}?tag=-bad`, image)).status, 400);
    });
  }

  test("bad-digest-image: altered bytes are refused", async () => {
    const image = await pushImage("data/bad");
    const altered = { ...image, bytes: Buffer.concat([image.bytes, Buffer.from(" ")]) };
    const answer = await put("data/bad", image.digest, altered);
    assert.equal(answer.status, 400);
    assert.equal(JSON.parse(answer.bytes.toString()).errors[0].code, "DIGEST_INVALID");
  });

  test("errors: unknown digest and tag, and a digest that is none", async () => {
    assert.equal((await send("GET", `/v2/data/image/manifests/${digestOf("none")}`)).status, 404);
    assert.equal((await send("GET", "/v2/data/image/manifests/none")).status, 404);
    const image = documentOf({ manifests: [] });
    assert.equal((await put("data/image", "sha256:baddigeststring", image)).status, 400);
    assert.equal((await send("GET", "/v2/data/image/manifests/sha256:baddigeststring")).status, 400);
  });
});

test("tag list: bytewise order, `last` alone gives the later half, pages link to the next", async () => {
  const image = documentOf({ manifests: [] });
  const tags = ["B", "_u", "a", "a.1", "a-1", "c", "0"].toSorted();
  for (const tag of tags.toReversed()) assert.equal((await put("lists", tag, image)).status, 201);
  const read = async (path: string): Promise<[string[], string | null]> => {
    const answer = await send("GET", path);
    assert.equal(answer.status, 200, answer.bytes.toString());
    return [JSON.parse(answer.bytes.toString()).tags, answer.headers.get("link")];
  };
  assert.deepEqual(await read("/v2/lists/tags/list"), [tags, null]);
  assert.deepEqual(await read("/v2/lists/tags/list?last=a"), [tags.slice(tags.indexOf("a") + 1), null]);
  assert.deepEqual(await read("/v2/lists/tags/list?n=0"), [[], null]);
  const seen: string[] = [];
  for (let next: string | undefined = "/v2/lists/tags/list?n=3"; next !== undefined;) {
    const [page, link] = await read(next);
    seen.push(...page);
    next = link === null ? undefined : /^<(.*)>; rel="next"$/.exec(link)?.[1];
  }
  assert.deepEqual(seen, tags);
  for (const bad of ["-1", "x", "1.5"]) {
    const answer = await send("GET", `/v2/lists/tags/list?n=${bad}`);
    assert.equal(answer.status, 400);
    assert.equal(JSON.parse(answer.bytes.toString()).errors[0].code, "PAGINATION_NUMBER_INVALID");
  }
});
