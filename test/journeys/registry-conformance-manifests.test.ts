/**
 * The walk that registries are judged by, line by line, over real HTTP; here: the sets of manifests, their tags and
 * referrers, and what is refused.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";

import { digestOf, EMPTY_DESCRIPTOR, MEDIA_TYPES, type Descriptor } from "../../src/oci/index.ts";
import {
  checkManifest,
  checkRead,
  descriptorOf,
  documentOf,
  pushContent,
  pushImage,
  put,
  send,
  type Pushed,
} from "./registry-walk.ts";

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
