import assert from "node:assert/strict";
import { test } from "node:test";

import { digestOf, MEDIA_TYPES } from "../oci/index.ts";
import { openLimits } from "./limits.ts";
import { TagPattern } from "./tag-pattern.ts";
import { codesOf, EMPTY_INDEX, TestRegistry } from "./testing.ts";

test("TagPattern takes a star for any text", () => {
  const cases: readonly [string, string, boolean][] = [
    ["v*", "v1.2", true],
    ["v*", "1.2", false],
    ["*", "anything", true],
    ["latest", "latest", true],
    ["latest", "latest1", false],
    ["*-rc*", "1.0-rc1", true],
    ["a*a", "a", false],
    ["a*a", "aa", true],
    ["a*b*b", "ab", false],
    ["a*b*b", "axbb", true],
    ["1.*", "10", false],
  ];
  for (const [pattern, tag, matches] of cases) {
    assert.equal(new TagPattern(pattern).matches(tag), matches, `${pattern} ${tag}`);
  }
});

test("of several rules the strictest holds, and shared quotas are found by name", () => {
  const limits = openLimits(
    {
      rules: [
        { repositories: ["**"], maxBlobSize: 100, immutableTags: ["v*"] },
        { repositories: ["a/**"], maxBlobSize: 50, maxTags: 3, immutableTags: ["release"] },
      ],
      quotas: [{ under: "a", maxBytes: 7 }],
    },
    { maxManifestSize: 10, maxBlobSize: 70 },
  );
  const both = limits("a/b");
  assert.deepEqual([both.maxManifestSize, both.maxBlobSize, limits("b").maxBlobSize], [10, 50, 70]);
  assert.deepEqual(
    both.quotas.map(({ name, below, maxBytes, maxTags }) => [name, below, maxBytes, maxTags]),
    [
      ["a/b", false, undefined, 3],
      ["a", true, 7, undefined],
    ],
  );
  assert.deepEqual(
    [both.isImmutable("v1"), both.isImmutable("release"), limits("b").isImmutable("release")],
    [true, true, false],
  );
  assert.deepEqual(limits("ab").quotas, []);
  const usual = { maxManifestSize: 1, maxBlobSize: 1 };
  assert.throws(() => openLimits({ rules: [{ repositories: ["A"] }] }, usual), { code: "CONFIG_INVALID" });
});

const UPLOADS = "/v2/r/blobs/uploads/";

test("a quota of bytes is kept by every way to push, before and while the bytes come", async () => {
  await using scene = new TestRegistry({ limits: { rules: [{ repositories: ["r"], maxBytes: 10 }] } });
  await scene.pushBlob("r", "123456");
  await scene.pushBlob("other", "abcdefg");
  const denied = async (answer: Response): Promise<void> => {
    assert.equal(answer.status, 403);
    assert.deepEqual(await codesOf(answer), ["DENIED"]);
  };
  await denied(await scene.send("POST", `${UPLOADS}?digest=${digestOf("12345")}`, "12345"));
  await denied(await scene.send("POST", `${UPLOADS}?mount=${digestOf("abcdefg")}&from=other`));
  const location = await scene.begin("r");
  await denied(await scene.send("PATCH", location, "12345"));
  assert.equal((await scene.send("GET", location)).headers.get("range"), "0-0", "nothing of it was kept");
  const stream = async (text: string): Promise<Response> => {
    const body = new Blob([text]).stream();
    const init: RequestInit & { readonly duplex: "half" } = { method: "PATCH", body, duplex: "half" };
    return await scene.registry.fetch(new Request(new URL(location, "http://registry"), init));
  };
  await denied(await stream("12345"));
  assert.equal((await stream("1234")).status, 202);
  // The room is promised now, and nobody else's.
  await denied(await scene.send("POST", `${UPLOADS}?digest=${digestOf("x")}`, "x"));
  assert.equal((await scene.send("DELETE", location)).status, 204);
  assert.equal((await scene.send("POST", `${UPLOADS}?digest=${digestOf("x")}`, "x")).status, 201);
  // What is there already takes no more room.
  await scene.pushBlob("r", "x");
  await denied(await scene.put("/v2/r/manifests/t", EMPTY_INDEX));
  assert.deepEqual(scene.failures, []);
});

test("of pushes at the same time, as many get through as there is room for", async () => {
  await using scene = new TestRegistry({ limits: { quotas: [{ under: "t", maxBytes: 50 }] } });
  const texts = Array.from({ length: 20 }, (_, index) => `text ${String(index).padStart(5, "0")}`);
  const answers = await Promise.all(
    texts.map(async (text, index) => {
      const repository = `t/r${index % 3}`;
      if (index % 2 === 0) {
        return await scene.send("POST", `/v2/${repository}/blobs/uploads/?digest=${digestOf(text)}`, text);
      }
      const location = await scene.begin(repository);
      const patched = await scene.send("PATCH", location, text);
      return patched.status === 202
        ? await scene.send("PUT", `${location}?digest=${digestOf(text)}`)
        : patched;
    }),
  );
  const accepted = answers.filter((answer) => answer.status === 201).length;
  assert.ok(answers.every((answer) => answer.status === 201 || answer.status === 403));
  assert.ok(accepted >= 1 && accepted <= 5, `${accepted} of 10 bytes each`);
  assert.deepEqual(scene.failures, []);
});

test("a quota of tags and sizes by rule are kept", async () => {
  await using scene = new TestRegistry({
    limits: { rules: [{ repositories: ["r"], maxTags: 1, maxManifestSize: 200, maxBlobSize: 4 }] },
  });
  assert.equal((await scene.put("/v2/r/manifests/a", EMPTY_INDEX)).status, 201);
  assert.equal((await scene.put("/v2/r/manifests/b", EMPTY_INDEX)).status, 403);
  const large = await scene.put("/v2/r/manifests/a", { ...EMPTY_INDEX, annotations: { a: "x".repeat(200) } });
  assert.deepEqual([large.status, await codesOf(large)], [413, ["SIZE_INVALID"]]);
  const blob = await scene.send("POST", `${UPLOADS}?digest=${digestOf("12345")}`, "12345");
  assert.deepEqual([blob.status, await codesOf(blob)], [413, ["SIZE_INVALID"]]);
  assert.equal((await scene.put("/v2/other/manifests/b", EMPTY_INDEX)).status, 201);
});

test("an immutable tag neither moves nor goes, others do", async () => {
  await using scene = new TestRegistry({
    limits: { rules: [{ repositories: ["r"], immutableTags: ["v*"] }] },
  });
  const other = { ...EMPTY_INDEX, annotations: { other: "1" } };
  assert.equal((await scene.put("/v2/r/manifests/v1", EMPTY_INDEX)).status, 201);
  assert.equal((await scene.put("/v2/r/manifests/v1", EMPTY_INDEX)).status, 201, "the same again");
  const moved = await scene.put("/v2/r/manifests/v1", other);
  assert.deepEqual([moved.status, await codesOf(moved)], [403, ["DENIED"]]);
  const digest = digestOf(JSON.stringify(EMPTY_INDEX));
  const byDigest = `/v2/r/manifests/${digestOf(JSON.stringify(other))}?tag=new&tag=v1`;
  assert.equal((await scene.put(byDigest, other)).status, 403);
  assert.equal((await scene.send("HEAD", "/v2/r/manifests/new")).status, 404, "all of the tags or none");
  for (const reference of ["v1", digest]) {
    assert.equal((await scene.send("DELETE", `/v2/r/manifests/${reference}`)).status, 403);
  }
  assert.equal((await scene.send("DELETE", "/v2/r/manifests/v2")).status, 404, "not there");
  assert.equal((await scene.put("/v2/r/manifests/latest", EMPTY_INDEX)).status, 201);
  assert.equal((await scene.put("/v2/r/manifests/latest", other)).status, 201);
  assert.equal((await scene.send("DELETE", "/v2/r/manifests/latest")).status, 202);
});

test("clients that have content already get 304, ranges go on with the same content only", async () => {
  await using scene = new TestRegistry();
  const digest = await scene.pushBlob("r", "0123456789");
  const blob = `/v2/r/blobs/${digest}`;
  for (const known of [`"${digest}"`, `"other", W/"${digest}"`, "*"]) {
    for (const method of ["GET", "HEAD"]) {
      const answer = await scene.send(method, blob, undefined, { "if-none-match": known });
      assert.deepEqual(
        [answer.status, answer.headers.get("etag")],
        [304, `"${digest}"`],
        `${method} ${known}`,
      );
    }
  }
  assert.equal((await scene.send("GET", blob, undefined, { "if-none-match": '"other"' })).status, 200);
  const range = { range: "bytes=2-4" };
  assert.equal(
    (await scene.send("GET", blob, undefined, { ...range, "if-range": `"${digest}"` })).status,
    206,
  );
  const whole = await scene.send("GET", blob, undefined, { ...range, "if-range": '"other"' });
  assert.deepEqual([whole.status, await whole.text()], [200, "0123456789"]);
  const head = await scene.send("HEAD", blob, undefined, range);
  assert.deepEqual([head.status, head.headers.get("content-length")], [200, "10"]);
  assert.equal(head.headers.get("cache-control"), "max-age=31536000");
  assert.equal((await scene.put("/v2/r/manifests/t", EMPTY_INDEX)).status, 201);
  const etag = (await scene.send("GET", "/v2/r/manifests/t")).headers.get("etag") ?? "";
  const again = await scene.send("GET", "/v2/r/manifests/t", undefined, { "if-none-match": etag });
  assert.equal(again.status, 304);
  assert.equal(
    (await scene.send("GET", `/v2/r/blobs/${digestOf("none")}`, undefined, { "if-none-match": "*" })).status,
    404,
  );
  assert.equal(
    MEDIA_TYPES.ociIndex,
    (await scene.send("HEAD", "/v2/r/manifests/t")).headers.get("content-type"),
  );
});
