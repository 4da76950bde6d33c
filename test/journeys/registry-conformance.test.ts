/**
 * The walk that registries are judged by, line by line, over real HTTP; here: blobs, pushed and pulled in every way,
 * once with sha256 and once with sha512.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { describe, test } from "node:test";

import { digestOf, MEDIA_TYPES } from "../../src/oci/index.ts";
import {
  begin,
  blobOf,
  checkPushed,
  finish,
  locationOf,
  putBlob,
  send,
  sendChunk,
  stream,
  withDigest,
} from "./registry-walk.ts";

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
