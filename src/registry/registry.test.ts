import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { digestOf, MEDIA_TYPES } from "../oci/index.ts";
import type { Access, Decision } from "./access.ts";
import { codesOf, EMPTY_INDEX, TestRegistry } from "./testing.ts";

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

test("closing turns away who waits to be let in, and waits for who was", { timeout: 60_000 }, async () => {
  const undecided = new Promise<Decision>(() => {});
  const isAsked = new Set<string>();
  await using world = new TestRegistry({
    authorize: ({ target }, [access]) => {
      if (access?.name === "open" || access?.name === "catalog") return { allowed: true };
      isAsked.add(target);
      return undecided;
    },
  });
  const digest = await world.pushBlob("open", "text");
  const [opened, gate] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const open = world.blobs.open.bind(world.blobs);
  world.blobs.open = async (...args: Parameters<typeof open>) => {
    opened.resolve();
    await gate.promise;
    return await open(...args);
  };
  const inside = world.send("GET", `/v2/open/blobs/${digest}`);
  await opened.promise;
  await world.metadata.linkBlob("guarded", { digest, size: 4 });
  const paths = ["/v2/guarded/tags/list", "/v2/_catalog", "/v2/"];
  const outside = paths.map((path) => world.send("GET", path));
  while (isAsked.size < paths.length) await new Promise(setImmediate);
  let isClosed = false;
  const closing = world.registry.close().then(() => (isClosed = true));
  for (const answer of [...(await Promise.all(outside)), await world.send("GET", "/v2/guarded/tags/list")]) {
    assert.equal(answer.status, 503);
    assert.deepEqual(await codesOf(answer), ["UNAVAILABLE"]);
  }
  await new Promise(setImmediate);
  assert.equal(isClosed, false);
  gate.resolve();
  assert.equal(await (await inside).text(), "text");
  await closing;
  assert.deepEqual(world.failures, []);
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
