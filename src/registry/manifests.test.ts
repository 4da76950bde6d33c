import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { digestOf, MEDIA_TYPES } from "../oci/index.ts";
import { codesOf, EMPTY_INDEX, TestRegistry } from "./testing.ts";

describe("manifests", () => {
  test("what is not the document it claims to be is refused", async () => {
    await using world = new TestRegistry();
    const config = { mediaType: MEDIA_TYPES.ociConfig, digest: digestOf("c"), size: 1 };
    const manifest = { schemaVersion: 2, config, layers: [] };
    const ociManifest = { "content-type": MEDIA_TYPES.ociManifest };
    const cases: [object, Record<string, string>][] = [
      [{ ...EMPTY_INDEX, schemaVersion: 1 }, {}],
      [{ schemaVersion: 2, fsLayers: [] }, {}],
      [{ ...EMPTY_INDEX, config }, {}],
      [EMPTY_INDEX, ociManifest],
      [{ ...manifest, mediaType: MEDIA_TYPES.dockerManifest }, ociManifest],
      [{ schemaVersion: 2, manifests: [] }, ociManifest],
      [{ schemaVersion: 2, layers: [] }, ociManifest],
      [[], ociManifest],
      [manifest, { "content-type": "application/vnd.docker.distribution.manifest.v1+prettyjws" }],
    ];
    for (const [document, headers] of cases) {
      const answer = await world.put("/v2/app/manifests/t", document, headers);
      assert.equal(answer.status, 400, JSON.stringify(document));
      assert.deepEqual(await codesOf(answer), ["MANIFEST_INVALID"]);
    }
    const broken = await world.send("PUT", "/v2/app/manifests/t", "{", ociManifest);
    assert.deepEqual([broken.status, ...(await codesOf(broken))], [400, "MANIFEST_INVALID"]);
    assert.deepEqual(world.failures, []);
  });

  test("without a Content-Type the document says what it is; parameters are dropped", async () => {
    await using world = new TestRegistry();
    const bytes = new TextEncoder().encode(JSON.stringify({ schemaVersion: 2, manifests: [] }));
    const url = "http://registry/v2/app/manifests/t";
    const guessed = await world.registry.fetch(new Request(url, { method: "PUT", body: bytes }));
    assert.equal(guessed.status, 201);
    const read = await world.send("GET", "/v2/app/manifests/t");
    assert.equal(read.headers.get("content-type"), MEDIA_TYPES.ociIndex);
    const type = `${MEDIA_TYPES.dockerList}; charset=utf-8`;
    await world.put("/v2/app/manifests/d", { schemaVersion: 2, manifests: [] }, { "content-type": type });
    const docker = await world.send("GET", "/v2/app/manifests/d");
    assert.equal(docker.headers.get("content-type"), MEDIA_TYPES.dockerList);
  });

  test("a type nobody knows is kept unread", async () => {
    await using world = new TestRegistry();
    const headers = { "content-type": "application/vnd.example.thing+json" };
    assert.equal((await world.send("PUT", "/v2/app/manifests/t", "not json", headers)).status, 201);
    const read = await world.send("GET", "/v2/app/manifests/t");
    assert.equal(read.headers.get("content-type"), headers["content-type"]);
    assert.equal(await read.text(), "not json");
  });

  test("one byte more than the limit is too large, announced or not", async () => {
    const fitting = JSON.stringify({ ...EMPTY_INDEX, x: "" }).length;
    const document = (size: number): string =>
      JSON.stringify({ ...EMPTY_INDEX, x: "y".repeat(size - fitting) });
    const headers = { "content-type": MEDIA_TYPES.ociIndex };
    await using world = new TestRegistry({ maxManifestSize: fitting + 10 });
    assert.equal((await world.send("PUT", "/v2/a/manifests/t", document(fitting + 10), headers)).status, 201);
    for (const extra of [{}, { "content-length": String(fitting + 11) }]) {
      const all = { ...headers, ...extra };
      const answer = await world.send("PUT", "/v2/a/manifests/u", document(fitting + 11), all);
      assert.equal(answer.status, 413);
      assert.deepEqual(await codesOf(answer), ["SIZE_INVALID"]);
    }
  });

  test("sparse registries take manifests whose parts are elsewhere", async () => {
    await using world = new TestRegistry({ sparse: true });
    const entry = { mediaType: MEDIA_TYPES.ociManifest, digest: digestOf("x"), size: 1 };
    const answer = await world.put("/v2/app/manifests/t", { ...EMPTY_INDEX, manifests: [entry] });
    assert.equal(answer.status, 201);
  });

  test("conditions: 304 for what the client has, 412 for a tag that moved", async () => {
    await using world = new TestRegistry();
    const path = "/v2/app/manifests/t";
    const first = await world.put(path, EMPTY_INDEX, { "if-none-match": "*" });
    assert.equal(first.status, 201);
    const digest = first.headers.get("docker-content-digest") as string;
    for (let round = 0; round < 2; round++) {
      const answer = await world.send("GET", path, undefined, { "if-none-match": `"${digest}"` });
      assert.equal(answer.status, 304);
      assert.equal(await answer.text(), "");
    }
    const next = { ...EMPTY_INDEX, annotations: { a: "1" } };
    assert.equal((await world.put(path, next, { "if-none-match": "*" })).status, 412);
    assert.equal((await world.put(path, next, { "if-match": `"${digestOf("other")}"` })).status, 412);
    assert.equal((await world.put(path, next, { "if-match": `"${digest}"` })).status, 201);
    assert.equal((await world.put(path, next, { "if-match": `"${digest}"` })).status, 412);
  });

  test("the cache never shows yesterday's tag, and never what was deleted", async () => {
    await using world = new TestRegistry();
    const path = "/v2/app/manifests/t";
    for (let round = 0; round < 3; round++) {
      const document = JSON.stringify({ ...EMPTY_INDEX, annotations: { round: String(round) } });
      assert.equal((await world.send("PUT", path, document)).status, 201);
      for (let read = 0; read < 2; read++)
        assert.equal(await (await world.send("GET", path)).text(), document);
    }
    assert.equal((await world.send("DELETE", path)).status, 202);
    assert.equal((await world.send("HEAD", path)).status, 404);
  });
});
