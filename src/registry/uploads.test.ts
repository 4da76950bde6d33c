import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { digestOf } from "../oci/index.ts";
import { codesOf, TestRegistry } from "./testing.ts";

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

  test("abandoned uploads are looked for now and then, without anybody asking", async (context) => {
    context.mock.timers.enable({ apis: ["setInterval"] });
    await using world = new TestRegistry({ uploadAge: 1_000, purgeInterval: 60_000 });
    const location = await world.begin("a");
    world.now += 2_000;
    context.mock.timers.tick(59_999);
    assert.equal((await world.send("GET", location)).status, 204);
    context.mock.timers.tick(1);
    let status = 204;
    for (let looks = 0; looks < 1_000 && status === 204; looks++)
      ({ status } = await world.send("GET", location));
    assert.equal(status, 404);
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
