import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { digestOf, MEDIA_TYPES, type Digest } from "../oci/index.ts";
import { MemoryBlobStore } from "../store/index.ts";
import type { Access, Decision } from "./access.ts";
import { openRegistry, type Registry, type RegistryOptions } from "./registry.ts";
import { openSqliteMetadata } from "./sqlite-metadata.ts";

type Headers = Readonly<Record<string, string>>;

class TestRegistry implements AsyncDisposable {
  readonly blobs: MemoryBlobStore;
  readonly metadata = openSqliteMetadata(":memory:");
  readonly registry: Registry;
  readonly failures: unknown[] = [];
  now = 1_000_000;

  constructor(options: Partial<RegistryOptions> = {}) {
    const clock = (): number => this.now;
    this.blobs = new MemoryBlobStore({ now: clock });
    this.registry = openRegistry({
      blobs: this.blobs,
      metadata: this.metadata,
      clock,
      onFailure: (error) => this.failures.push(error),
      ...options,
    });
  }

  async send(method: string, path: string, body?: string, headers: Headers = {}): Promise<Response> {
    // As bytes: a string would bring a Content-Type along.
    const init: RequestInit = { method, headers, ...(body !== undefined && { body: Buffer.from(body) }) };
    return await this.registry.fetch(new Request(new URL(path, "http://registry"), init));
  }

  async pushBlob(repository: string, text: string): Promise<Digest> {
    const digest = digestOf(text);
    const answer = await this.send("POST", `/v2/${repository}/blobs/uploads/?digest=${digest}`, text);
    assert.equal(answer.status, 201);
    return digest;
  }

  async begin(repository: string): Promise<string> {
    const answer = await this.send("POST", `/v2/${repository}/blobs/uploads/`);
    assert.equal(answer.status, 202);
    return answer.headers.get("location") as string;
  }

  async put(path: string, document: object, headers: Headers = {}): Promise<Response> {
    return await this.send("PUT", path, JSON.stringify(document), headers);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.registry.close();
    await this.metadata[Symbol.asyncDispose]();
  }
}

const EMPTY_INDEX = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociIndex, manifests: [] };

async function codesOf(answer: Response): Promise<string[]> {
  const { errors } = (await answer.json()) as { errors: { code: string }[] };
  return errors.map((error) => error.code);
}

describe("routing", () => {
  test("every failure has its status and code, and every answer the protocol's headers", async () => {
    await using world = new TestRegistry();
    const sha = digestOf("x");
    const cases: [string, string, number, string][] = [
      ["GET", "/v2/nothing/here", 404, "UNSUPPORTED"],
      ["GET", "/", 404, "UNSUPPORTED"],
      ["GET", "/v2/Upper/tags/list", 400, "NAME_INVALID"],
      ["GET", `/v2/${"a".repeat(300)}/tags/list`, 400, "NAME_INVALID"],
      ["GET", "/v2/app/tags/list", 404, "NAME_UNKNOWN"],
      ["POST", "/v2/app/tags/list", 405, "UNSUPPORTED"],
      ["DELETE", "/v2/_catalog", 405, "UNSUPPORTED"],
      ["GET", "/v2/app/manifests/-bad", 400, "TAG_INVALID"],
      ["GET", "/v2/app/manifests/none", 404, "MANIFEST_UNKNOWN"],
      ["DELETE", "/v2/app/manifests/none", 404, "MANIFEST_UNKNOWN"],
      ["DELETE", `/v2/app/blobs/${sha}`, 404, "BLOB_UNKNOWN"],
      ["GET", "/v2/app/manifests/md5:abc", 400, "DIGEST_INVALID"],
      ["GET", "/v2/app/blobs/sha256:abc", 400, "DIGEST_INVALID"],
      ["GET", `/v2/app/blobs/${sha}`, 404, "BLOB_UNKNOWN"],
      ["GET", "/v2/app/referrers/sha256:abc", 400, "DIGEST_INVALID"],
      ["GET", "/v2/app/blobs/uploads/unknown", 404, "BLOB_UPLOAD_UNKNOWN"],
      ["PATCH", "/v2/app/blobs/uploads/unknown", 404, "BLOB_UPLOAD_UNKNOWN"],
      ["PUT", `/v2/app/blobs/uploads/unknown?digest=${sha}`, 404, "BLOB_UPLOAD_UNKNOWN"],
      ["PUT", "/v2/app/blobs/uploads/unknown", 400, "DIGEST_INVALID"],
      ["POST", "/v2/app/blobs/uploads/?digest-algorithm=md5", 400, "DIGEST_INVALID"],
      ["POST", "/v2/app/blobs/uploads/?digest=sha256:short", 400, "DIGEST_INVALID"],
    ];
    for (const [method, path, status, code] of cases) {
      const answer = await world.send(method, path);
      assert.equal(answer.status, status, `${method} ${path}`);
      assert.equal(answer.headers.get("content-type"), "application/json");
      assert.equal(answer.headers.get("docker-distribution-api-version"), "registry/2.0");
      assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
      assert.deepEqual(await codesOf(answer), [code], `${method} ${path}`);
    }
    assert.deepEqual(world.failures, []);
  });

  test("405 names the methods there are, and without deletion DELETE is not one", async () => {
    await using world = new TestRegistry({ deletable: false });
    const answer = await world.send("DELETE", `/v2/app/manifests/${digestOf("x")}`);
    assert.equal(answer.status, 405);
    assert.equal(answer.headers.get("allow"), "GET, HEAD, PUT");
    assert.equal((await world.send("DELETE", await world.begin("app"))).status, 204);
  });

  test("repositories may be called like the protocol's own words", async () => {
    await using world = new TestRegistry();
    for (const name of ["a/blobs", "manifests/x", "tags/list", "blobs/uploads", "v2"]) {
      assert.equal((await world.put(`/v2/${name}/manifests/t`, EMPTY_INDEX)).status, 201, name);
      assert.equal((await world.send("GET", `/v2/${name}/manifests/t`)).status, 200, name);
      const digest = await world.pushBlob(name, name);
      assert.equal(await (await world.send("GET", `/v2/${name}/blobs/${digest}`)).text(), name);
    }
    const catalog = await world.send("GET", "/v2/_catalog?n=2&last=blobs");
    assert.deepEqual(await catalog.json(), { repositories: ["blobs/uploads", "manifests/x"] });
    assert.equal(catalog.headers.get("link"), `</v2/_catalog?last=manifests%2Fx&n=2>; rel="next"`);
  });

  test("a digest's colon may come escaped", async () => {
    await using world = new TestRegistry();
    const digest = await world.pushBlob("app", "text");
    assert.equal((await world.send("GET", `/v2/app/blobs/${encodeURIComponent(digest)}`)).status, 200);
  });

  test("HEAD has the headers of GET and no body, for refusals as well", async () => {
    await using world = new TestRegistry();
    const digest = await world.pushBlob("app", "text");
    for (const path of [`/v2/app/blobs/${digest}`, "/v2/app/manifests/none", "/v2/", "/v2/_catalog"]) {
      const [head, get] = [await world.send("HEAD", path), await world.send("GET", path)];
      assert.equal(head.status, get.status);
      assert.deepEqual([...head.headers], [...get.headers], path);
      assert.equal(await head.text(), "");
    }
  });
});

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

describe("blobs", () => {
  test("a blob shows only in repositories that link it", async () => {
    await using world = new TestRegistry();
    const digest = await world.pushBlob("mine", "secret");
    for (const method of ["GET", "HEAD"])
      assert.equal((await world.send(method, `/v2/yours/blobs/${digest}`)).status, 404);
  });

  test("a blob that the store lost is 404, not an empty success", async () => {
    await using world = new TestRegistry();
    const digest = await world.pushBlob("app", "text");
    await world.blobs.delete(digest);
    for (const method of ["GET", "HEAD"])
      assert.equal((await world.send(method, `/v2/app/blobs/${digest}`)).status, 404);
    assert.equal((await world.send("POST", `/v2/b/blobs/uploads/?mount=${digest}&from=app`)).status, 202);
  });

  test("a client that has the blob gets 304", async () => {
    await using world = new TestRegistry();
    const digest = await world.pushBlob("app", "text");
    const headers = { "if-none-match": `"${digest}"` };
    assert.equal((await world.send("GET", `/v2/app/blobs/${digest}`, undefined, headers)).status, 304);
  });
});

describe("uploads", () => {
  test("a chunk whose length is not what its range says leaves nothing behind", async () => {
    await using world = new TestRegistry();
    const location = await world.begin("app");
    assert.equal((await world.send("PATCH", location, "01234", { "content-range": "0-4" })).status, 202);
    for (const [body, range] of [
      ["567", "5-9"],
      ["56789xyz", "5-9"],
    ] as const) {
      const answer = await world.send("PATCH", location, body, { "content-range": range });
      assert.equal(answer.status, 400, range);
      assert.deepEqual(await codesOf(answer), ["SIZE_INVALID"]);
      assert.equal((await world.send("GET", location)).headers.get("range"), "0-4");
    }
    assert.equal((await world.send("PATCH", location, "x", { "content-range": "nonsense" })).status, 416);
    const done = await world.send("PUT", `${location}?digest=${digestOf("0123456789")}`, "56789", {
      "content-range": "5-9",
    });
    assert.equal(done.status, 201);
  });

  test("wrong bytes end the session", async () => {
    await using world = new TestRegistry();
    const location = await world.begin("app");
    assert.equal((await world.send("PUT", `${location}?digest=${digestOf("a")}`, "b")).status, 400);
    assert.equal((await world.send("GET", location)).status, 404);
    assert.equal(await world.blobs.find(digestOf("b")), undefined);
  });

  test("a session belongs to its repository", async () => {
    await using world = new TestRegistry();
    const location = await world.begin("mine");
    const stolen = location.replace("/mine/", "/yours/");
    for (const method of ["GET", "PATCH", "DELETE"])
      assert.equal((await world.send(method, stolen)).status, 404, method);
    assert.equal((await world.send("GET", location)).status, 204);
  });

  test("blobs beyond the limit are refused before and while they come", async () => {
    await using world = new TestRegistry({ maxBlobSize: 10 });
    const location = await world.begin("app");
    assert.equal((await world.send("PATCH", location, "x".repeat(8))).status, 202);
    for (const headers of [{ "content-length": "3" }, {}]) {
      assert.equal((await world.send("PATCH", location, "xxx", headers)).status, 413);
      assert.equal((await world.send("GET", location)).headers.get("range"), "0-7");
    }
    assert.equal((await world.send("PATCH", location, "xx")).status, 202);
  });

  test("requests on one session never mix their bytes", async () => {
    await using world = new TestRegistry();
    const location = await world.begin("app");
    const parts = ["a", "b", "c", "d"].map((letter) => letter.repeat(50_000));
    const answers = await Promise.all(parts.map((part) => world.send("PATCH", location, part)));
    assert.deepEqual(
      answers.map((answer) => answer.status),
      [202, 202, 202, 202],
    );
    const digest = digestOf(parts.join(""));
    assert.equal((await world.send("PUT", `${location}?digest=${digest}`)).status, 201);
  });

  test("who has to wait too long for a session is told", async () => {
    await using world = new TestRegistry({ uploadPatience: 1 });
    const location = await world.begin("app");
    const gate = Promise.withResolvers<void>();
    const body = new ReadableStream<Uint8Array>({
      async pull(controller): Promise<void> {
        await gate.promise;
        controller.close();
      },
    });
    const init: RequestInit & { readonly duplex: "half" } = { method: "PATCH", body, duplex: "half" };
    const slow = world.registry.fetch(new Request(new URL(location, "http://registry"), init));
    const answer = await world.send("PATCH", location, "x");
    assert.equal(answer.status, 409);
    assert.deepEqual(await codesOf(answer), ["BLOB_UPLOAD_INVALID"]);
    gate.resolve();
    assert.equal((await slow).status, 202);
  });

  test("abandoned uploads are given up, others are not", async () => {
    await using world = new TestRegistry({ uploadAge: 1_000 });
    const [empty, old, alive] = [await world.begin("a"), await world.begin("a"), await world.begin("a")];
    await world.send("PATCH", old, "old");
    world.now += 900;
    await world.send("PATCH", alive, "alive");
    assert.equal(await world.registry.purgeUploads(), 0);
    world.now += 200;
    const pull = await world.blobs.ingest(digestOf("a node's own pull"));
    await pull.write(Buffer.from("part"));
    await pull.close();
    assert.equal(await world.registry.purgeUploads(), 2);
    const states = await Promise.all([empty, old, alive].map((location) => world.send("GET", location)));
    assert.deepEqual(
      states.map((answer) => answer.status),
      [404, 404, 204],
    );
    world.now += 5_000;
    assert.equal(await world.registry.purgeUploads(), 1);
    assert.notEqual(await world.blobs.findIngest(digestOf("a node's own pull")), undefined);
  });
});

describe("authorization", () => {
  const challenge = 'Bearer realm="http://token"';
  const judge =
    (asked: (readonly Access[])[], allowed: (access: Access) => boolean) =>
    (_request: unknown, access: readonly Access[]): Decision => {
      asked.push(access);
      if (access.every(allowed)) return { allowed: true };
      return { allowed: false, status: 401, reason: "Log in first", challenge };
    };

  test("each route asks for its own access, before anything is looked up", async () => {
    const asked: (readonly Access[])[] = [];
    await using world = new TestRegistry({ authorize: judge(asked, () => false) });
    const sha = digestOf("x");
    const on = (actions: Access["actions"]): Access[] => [{ type: "repository", name: "app", actions }];
    const cases: [string, string, Access[]][] = [
      ["GET", "/v2/", []],
      ["GET", "/v2/_catalog", [{ type: "registry", name: "catalog", actions: ["*"] }]],
      ["HEAD", "/v2/app/manifests/t", on(["pull"])],
      ["GET", `/v2/app/referrers/${sha}`, on(["pull"])],
      ["PUT", "/v2/app/manifests/t", on(["pull", "push"])],
      ["POST", "/v2/app/blobs/uploads/", on(["pull", "push"])],
      ["DELETE", "/v2/app/blobs/uploads/id", on(["pull", "push"])],
      ["DELETE", `/v2/app/blobs/${sha}`, on(["delete"])],
    ];
    for (const [method, path, access] of cases) {
      const answer = await world.send(method, path);
      assert.equal(answer.status, access.length === 0 ? 200 : 401, `${method} ${path}`);
      if (access.length > 0) assert.equal(answer.headers.get("www-authenticate"), challenge);
      assert.deepEqual(asked.pop(), access);
    }
  });

  test("a cached manifest is asked about like any other", async () => {
    let open = true;
    await using world = new TestRegistry({ authorize: judge([], () => open) });
    await world.put("/v2/app/manifests/t", EMPTY_INDEX);
    for (let round = 0; round < 2; round++)
      assert.equal((await world.send("GET", "/v2/app/manifests/t")).status, 200);
    open = false;
    assert.equal((await world.send("GET", "/v2/app/manifests/t")).status, 401);
  });

  test("a mount reaches only into repositories the caller may pull", async () => {
    const asked: (readonly Access[])[] = [];
    await using world = new TestRegistry({ authorize: judge(asked, (access) => access.name !== "private") });
    await world.metadata.linkBlob("private", { digest: digestOf("x"), size: 1 });
    const blob = await world.blobs.ingest("k");
    await blob.write(Buffer.from("x"));
    await blob.commit({ digest: digestOf("x") });
    const mount = `/v2/app/blobs/uploads/?mount=${digestOf("x")}`;
    assert.equal((await world.send("POST", `${mount}&from=private`)).status, 202);
    assert.equal((await world.send("POST", mount)).status, 202);
    await world.metadata.linkBlob("public", { digest: digestOf("x"), size: 1 });
    assert.equal((await world.send("POST", mount)).status, 201);
  });
});

test("referrers come in pages that lead to each other", async () => {
  await using world = new TestRegistry();
  const subject = { mediaType: MEDIA_TYPES.ociManifest, digest: digestOf("s"), size: 1 };
  const wide = "x".repeat(1_200_000);
  for (let index = 0; index < 5; index++) {
    const annotations = { wide, index: String(index) };
    const answer = await world.put("/v2/app/manifests/t", { ...EMPTY_INDEX, subject, annotations });
    assert.equal(answer.headers.get("oci-subject"), subject.digest);
  }
  const seen = new Set<string>();
  let pages = 0;
  for (let next: string | undefined = `/v2/app/referrers/${subject.digest}`; next !== undefined; pages++) {
    const answer = await world.send("GET", next);
    const text = await answer.text();
    assert.ok(text.length < 4 * 1024 * 1024);
    for (const entry of (JSON.parse(text) as { manifests: { digest: string }[] }).manifests)
      seen.add(entry.digest);
    next = /<(.*)>/.exec(answer.headers.get("link") ?? "")?.[1];
  }
  assert.deepEqual([seen.size, pages], [5, 3]);
});

test("a failure underneath is told to the owner and kept from the client", async () => {
  await using world = new TestRegistry();
  const digest = await world.pushBlob("app", "text");
  world.blobs.open = (): Promise<never> => Promise.reject(new Error("disk /dev/sda1 is on fire"));
  const answer = await world.send("GET", `/v2/app/blobs/${digest}`);
  assert.equal(answer.status, 500);
  assert.doesNotMatch(await answer.text(), /fire/);
  assert.match(String(world.failures[0]), /fire/);
});
