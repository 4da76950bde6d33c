/**
 * The walk that registries are judged by, over real HTTP; here: the rules between its lines: routes, sessions,
 * documents, lists, and what is switched on or off.
 */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { request as httpRequest } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";

import { digestOf, MEDIA_TYPES, type Descriptor } from "../../src/oci/index.ts";
import { serveRegistry, type RegistryDirectoryOptions } from "../../src/registry/index.ts";
import {
  base,
  begin,
  blobOf,
  checkManifest,
  checkPushed,
  checkRead,
  descriptorOf,
  documentOf,
  finish,
  locationOf,
  pushContent,
  pushImage,
  put,
  putBlob,
  send,
  sendChunk,
  stream,
  withDigest,
  type Answer,
} from "./registry-walk.ts";

function codeOf(answer: Answer): string {
  assert.equal(answer.headers.get("content-type"), "application/json");
  const [error] = (JSON.parse(answer.bytes.toString()) as { errors: { code: string; message: string }[] })
    .errors;
  assert.ok(error !== undefined && error.message !== "");
  return error.code;
}

function refused(answer: Answer, status: number, code: string): void {
  assert.deepEqual([answer.status, codeOf(answer)], [status, code]);
}

describe("routes", () => {
  test("repositories may be called like routes", async () => {
    for (const repository of [
      "a/blobs",
      "manifests/x",
      "tags/list",
      "x/blobs/uploads",
      "referrers/y/manifests",
    ]) {
      const image = await pushImage(repository);
      await checkManifest(repository, image, "t");
      const list = await send("GET", `/v2/${repository}/tags/list`);
      assert.deepEqual(JSON.parse(list.bytes.toString()), { name: repository, tags: ["t"] });
    }
  });

  test("names that are none are refused, whatever is asked of them", async () => {
    for (const name of ["UPPER", "a//b", "-a", "a/.b", `${"a".repeat(256)}`, "a__-b"]) {
      const answer = await send("GET", `/v2/${name}/manifests/latest`);
      assert.ok([400, 404].includes(answer.status), name);
      assert.ok(["NAME_INVALID", "UNSUPPORTED"].includes(codeOf(answer)), name);
    }
  });

  test("an upload begins with and without the slash", async () => {
    const answer = await send("POST", "/v2/rules/slash/blobs/uploads");
    assert.equal(answer.status, 202);
    const blob = blobOf(10, "sha256");
    await checkPushed("rules/slash", await putBlob(locationOf(answer), blob), blob);
  });

  test("methods that a route doesn't have are 405, and it says which it has", async () => {
    for (const [method, path, allowed] of [
      ["DELETE", "/v2/", "GET, HEAD"],
      ["POST", "/v2/rules/a/tags/list", "GET, HEAD"],
      ["PUT", `/v2/rules/a/blobs/${digestOf("x")}`, "GET, HEAD, DELETE"],
      ["POST", "/v2/rules/a/manifests/t", "GET, HEAD, PUT, DELETE"],
      ["GET", "/v2/rules/a/blobs/uploads/", "POST"],
      ["PATCH", "/v2/_catalog", "GET, HEAD"],
    ] as const) {
      const answer = await send(method, path);
      refused(answer, 405, "UNSUPPORTED");
      assert.equal(answer.headers.get("allow"), allowed);
    }
  });

  test("every answer says what this is, and one to HEAD has no body", async () => {
    for (const [method, path] of [
      ["GET", "/v2/"],
      ["HEAD", "/v2/"],
      ["GET", "/v2/rules/none/tags/list"],
      ["HEAD", "/v2/rules/none/manifests/t"],
      ["HEAD", `/v2/rules/none/blobs/${digestOf("x")}`],
      ["POST", "/v2/"],
    ] as const) {
      const answer = await send(method, path);
      assert.equal(answer.headers.get("docker-distribution-api-version"), "registry/2.0");
      assert.equal(answer.headers.get("x-content-type-options"), "nosniff");
      if (method === "HEAD") assert.equal(answer.bytes.length, 0);
    }
  });
});

describe("uploads", () => {
  const uploads = "/v2/rules/uploads/blobs/uploads/";

  test("an announced algorithm is taken or refused", async () => {
    const blob = blobOf(100, "sha512");
    const answer = await send("POST", `${uploads}?digest-algorithm=sha512`);
    assert.equal(answer.status, 202);
    await checkPushed("rules/uploads", await putBlob(locationOf(answer), blob), blob);
    refused(await send("POST", `${uploads}?digest-algorithm=md5`), 400, "DIGEST_INVALID");
  });

  test("a digest that is missing or none is refused, and the session lives on", async () => {
    const blob = blobOf(100, "sha256");
    const location = await sendChunk(await begin("rules/uploads"), blob, 0, 100);
    refused(await send("PUT", location), 400, "DIGEST_INVALID");
    refused(await send("PUT", withDigest(location, "sha256:short")), 400, "DIGEST_INVALID");
    refused(await send("PUT", withDigest(location, `md5:${"0".repeat(32)}`)), 400, "DIGEST_INVALID");
    await checkPushed("rules/uploads", await finish(location, blob), blob);
  });

  test("a chunk whose length isn't what its range says is refused, and nothing of it stays", async () => {
    const blob = blobOf(100, "sha256");
    const location = await begin("rules/uploads");
    const answer = await send("PATCH", location, blob.bytes.subarray(0, 50), { "content-range": "0-59" });
    refused(answer, 400, "SIZE_INVALID");
    assert.equal((await send("GET", location)).headers.get("range"), "0-0");
    await checkPushed("rules/uploads", await finish(await sendChunk(location, blob, 0, 100), blob), blob);
  });

  test("an older location of the same session serves as well", async () => {
    const blob = blobOf(2_000, "sha256");
    const first = await begin("rules/uploads");
    await sendChunk(first, blob, 0, 1_000);
    await sendChunk(first, blob, 1_000, 2_000);
    await checkPushed("rules/uploads", await finish(first, blob), blob);
  });

  test("a session is its repository's, and is over once it is finished", async () => {
    const blob = blobOf(10, "sha256");
    const location = await begin("rules/uploads");
    const other = location.replace("/rules/uploads/", "/rules/other/");
    for (const method of ["GET", "PATCH", "DELETE"]) {
      refused(await send(method, other), 404, "BLOB_UPLOAD_UNKNOWN");
    }
    refused(await send("PUT", withDigest(other, blob.digest), blob.bytes), 404, "BLOB_UPLOAD_UNKNOWN");
    assert.equal((await putBlob(location, blob)).status, 201);
    refused(await send("GET", location), 404, "BLOB_UPLOAD_UNKNOWN");
  });

  test("a body that breaks off is kept as far as it came, and the upload goes on from there", async () => {
    const blob = blobOf(300_000, "sha256");
    const location = await begin("rules/uploads");
    const broken = httpRequest(new URL(location, base), {
      method: "PATCH",
      headers: { "content-length": blob.bytes.length },
    });
    broken.write(blob.bytes.subarray(0, 200_000), () => setImmediate(() => broken.destroy()));
    await new Promise<void>((resolve) => broken.on("error", () => {}).on("close", resolve));
    // The next request waits until the broken one let go.
    const state = await send("GET", location);
    assert.equal(state.status, 204);
    const chunk = { "content-range": "299999-299999" };
    const wrong = await send("PATCH", location, blob.bytes.subarray(299_999), chunk);
    assert.equal(wrong.status, 416);
    const last = Number(wrong.headers.get("range")?.split("-")[1]);
    const offset = last === 0 ? 0 : last + 1;
    assert.ok(offset <= 200_000);
    await sendChunk(location, blob, offset, blob.bytes.length);
    await checkPushed("rules/uploads", await finish(location, blob), blob);
  });

  test("a blob that is there already can be pushed again", async () => {
    const blob = blobOf(100, "sha256");
    assert.equal((await putBlob(await begin("rules/uploads"), blob)).status, 201);
    await checkPushed("rules/uploads", await putBlob(await begin("rules/uploads"), blob), blob);
  });

  test("a mount of what is no digest, or from what is no repository, is an upload like any other", async () => {
    for (const query of ["mount=sha256:short&from=rules/other", `mount=${digestOf("x")}&from=UPPER`]) {
      const blob = blobOf(10, "sha256");
      const answer = await send("POST", `${uploads}?${query}`);
      assert.equal(answer.status, 202);
      await checkPushed("rules/uploads", await putBlob(locationOf(answer), blob), blob);
    }
  });

  test("who is told before the body is sent doesn't send it", async () => {
    const asked = httpRequest(new URL("/v2/rules/uploads/manifests/-bad", base), {
      method: "PUT",
      headers: { expect: "100-continue", "content-length": 1_000 },
    });
    let continued = false;
    asked.on("continue", () => (continued = true));
    asked.flushHeaders();
    const [answer] = (await once(asked, "response")) as [{ statusCode: number; resume: () => void }];
    answer.resume();
    asked.destroy();
    assert.deepEqual([answer.statusCode, continued], [400, false]);
  });
});

describe("documents", () => {
  const config: Descriptor = { mediaType: MEDIA_TYPES.ociConfig, digest: digestOf("{}"), size: 2 };
  const push = async (document: unknown, type?: string): Promise<Answer> => {
    await pushContent("rules/documents", Buffer.from("{}"), MEDIA_TYPES.ociConfig);
    const body = Buffer.from(typeof document === "string" ? document : JSON.stringify(document));
    return await send(
      "PUT",
      "/v2/rules/documents/manifests/t",
      body,
      type === undefined ? {} : { "content-type": type },
    );
  };

  test("what isn't the manifest it claims to be is refused", async () => {
    const image = { schemaVersion: 2, mediaType: MEDIA_TYPES.ociManifest, config, layers: [] };
    const cases: readonly (readonly [unknown, string])[] = [
      ["{", MEDIA_TYPES.ociManifest],
      ["[]", MEDIA_TYPES.ociManifest],
      [{ ...image, schemaVersion: 1 }, MEDIA_TYPES.ociManifest],
      [{ ...image, manifests: [] }, MEDIA_TYPES.ociManifest],
      [{ ...image, fsLayers: [] }, MEDIA_TYPES.ociManifest],
      [image, MEDIA_TYPES.ociIndex],
      [
        { schemaVersion: 1, name: "a", tag: "t", fsLayers: [], history: [] },
        "application/vnd.docker.distribution.manifest.v1+json",
      ],
      [{ ...image, config: { ...config, digest: "sha256:short" } }, MEDIA_TYPES.ociManifest],
    ];
    for (const [document, type] of cases) {
      const answer = await push(document, type);
      assert.equal(answer.status, 400, JSON.stringify(document));
      assert.ok(["MANIFEST_INVALID", "DIGEST_INVALID"].includes(codeOf(answer)), JSON.stringify(document));
    }
  });

  test("a type is found where none is sent, parameters are left out, and unknown ones are kept", async () => {
    const typeOf = async (): Promise<string | null> =>
      (await send("HEAD", "/v2/rules/documents/manifests/t")).headers.get("content-type");
    const image = { schemaVersion: 2, config, layers: [] };
    assert.equal((await push({ ...image, mediaType: MEDIA_TYPES.ociManifest })).status, 201);
    assert.equal(await typeOf(), MEDIA_TYPES.ociManifest);
    assert.equal((await push(image, `${MEDIA_TYPES.ociManifest}; charset=utf-8`)).status, 201);
    assert.equal(await typeOf(), MEDIA_TYPES.ociManifest);
    assert.equal((await push({ schemaVersion: 2, manifests: [] })).status, 201);
    assert.equal(await typeOf(), MEDIA_TYPES.ociIndex);
    assert.equal((await push("anything", "application/x-own")).status, 201);
    assert.equal(await typeOf(), "application/x-own");
  });

  test("what is too large is 413, with and without an announced length", async () => {
    const body = Buffer.alloc(5 * 1024 * 1024, " ");
    refused(await send("PUT", "/v2/rules/documents/manifests/t", body), 413, "SIZE_INVALID");
    refused(
      await stream("PUT", "/v2/rules/documents/manifests/t", body.subarray(0, 4_200_000)),
      413,
      "SIZE_INVALID",
    );
  });

  test("a document may come without a length", async () => {
    const image = await pushImage("rules/documents");
    const answer = await stream("PUT", `/v2/rules/documents/manifests/${image.digest}`, image.bytes);
    assert.equal(answer.status, 201, answer.bytes.toString());
    await checkRead(`/v2/rules/documents/manifests/${image.digest}`, image);
  });

  test("several Accept headers, or none that fits, change nothing of what is stored", async () => {
    const image = await pushImage("rules/accept");
    await checkManifest("rules/accept", image, "t");
    for (const accept of ["text/plain", "*/*;q=0.1, application/json", MEDIA_TYPES.dockerManifest]) {
      const answer = await send("GET", "/v2/rules/accept/manifests/t", undefined, { accept });
      assert.deepEqual([answer.status, answer.headers.get("content-type")], [200, image.mediaType]);
      assert.deepEqual(answer.bytes, image.bytes);
    }
  });

  test("a tag keeps the algorithm it was pushed with", async () => {
    const image = await pushImage("rules/sha512", {}, "sha512");
    assert.equal((await put("rules/sha512", `${image.digest}?tag=by512`, image)).status, 201);
    const by256 = { ...image, digest: digestOf(image.bytes) };
    assert.equal((await put("rules/sha512", "by256", image)).status, 201);
    await checkRead("/v2/rules/sha512/manifests/by512", image);
    await checkRead("/v2/rules/sha512/manifests/by256", by256);
  });

  test("writers of one tag can tell that it is still what they read", async () => {
    const [one, two] = [
      documentOf({ manifests: [] }),
      documentOf({ manifests: [], annotations: { a: "b" } }),
    ];
    const path = "/v2/rules/match/manifests/t";
    const write = async (document: typeof one, headers: Record<string, string>): Promise<number> =>
      (await send("PUT", path, document.bytes, { "content-type": document.mediaType, ...headers })).status;
    assert.equal(await write(one, { "if-match": `"${one.digest}"` }), 412);
    assert.equal(await write(one, { "if-none-match": "*" }), 201);
    assert.equal(await write(two, { "if-none-match": "*" }), 412);
    assert.equal(await write(two, { "if-match": `"${one.digest}"` }), 201);
    await checkRead(path, two);
  });

  test("a client that has the manifest gets 304, by tag and by digest", async () => {
    const image = await pushImage("rules/known");
    await checkManifest("rules/known", image, "t");
    for (const reference of ["t", image.digest]) {
      const path = `/v2/rules/known/manifests/${reference}`;
      const answer = await send("GET", path, undefined, { "if-none-match": `"${image.digest}"` });
      assert.deepEqual([answer.status, answer.bytes.length], [304, 0]);
      assert.equal(answer.headers.get("etag"), `"${image.digest}"`);
    }
  });
});

describe("lists", () => {
  test("catalog: bytewise order, pages that link to the next", async () => {
    for (const name of ["cat/a", "cat/a-b", "cat/a/b", "cat/b"])
      await put(name, "t", documentOf({ manifests: [] }));
    const seen: string[] = [];
    let path: string | undefined = "/v2/_catalog?n=2&last=cat";
    while (path !== undefined) {
      const answer: Answer = await send("GET", path);
      assert.equal(answer.status, 200);
      const { repositories } = JSON.parse(answer.bytes.toString()) as { repositories: string[] };
      assert.ok(repositories.length <= 2);
      seen.push(...repositories);
      const link: string | null = answer.headers.get("link");
      path = link === null ? undefined : /^<(.*)>; rel="next"$/.exec(link)?.[1];
    }
    assert.deepEqual(seen.slice(0, 4), ["cat/a", "cat/a-b", "cat/a/b", "cat/b"]);
    assert.deepEqual(seen, seen.toSorted());
    refused(await send("GET", "/v2/_catalog?n=-1"), 400, "PAGINATION_NUMBER_INVALID");
  });

  test("referrers: long lists come in pages of valid indexes below 4 MiB, with and without a filter", async () => {
    const subject = { mediaType: MEDIA_TYPES.ociManifest, digest: digestOf(randomBytes(9)), size: 9 };
    const expected: string[] = [];
    for (let index = 0; index < 9; index++) {
      const artifactType = index % 3 === 0 ? "application/vnd.a" : "application/vnd.b";
      const annotations = { index: String(index), long: "x".repeat(900_000) };
      const document = documentOf({ manifests: [], artifactType, annotations, subject });
      const answer = await put("rules/referrers", document.digest, document);
      assert.equal(answer.headers.get("oci-subject"), subject.digest);
      expected.push(document.digest);
    }
    const read = async (query: string): Promise<{ digests: string[]; pages: number }> => {
      const digests: string[] = [];
      let pages = 0;
      let path: string | undefined = `/v2/rules/referrers/referrers/${subject.digest}${query}`;
      for (; path !== undefined; pages++) {
        const answer: Answer = await send("GET", path);
        assert.deepEqual([answer.status, answer.headers.get("content-type")], [200, MEDIA_TYPES.ociIndex]);
        assert.ok(answer.bytes.length < 4 * 1024 * 1024);
        assert.equal(answer.headers.get("oci-filters-applied"), query === "" ? null : "artifactType");
        const index = JSON.parse(answer.bytes.toString()) as {
          schemaVersion: number;
          mediaType: string;
          manifests: Descriptor[];
        };
        assert.deepEqual([index.schemaVersion, index.mediaType], [2, MEDIA_TYPES.ociIndex]);
        digests.push(...index.manifests.map((one) => one.digest));
        const link: string | null = answer.headers.get("link");
        path = link === null ? undefined : /^<(.*)>; rel="next"$/.exec(link)?.[1];
      }
      return { digests, pages };
    };
    const all = await read("");
    assert.deepEqual(all.digests, expected.toSorted());
    assert.ok(all.pages >= 3, `${all.pages} pages`);
    const filtered = await read("?artifactType=application%2Fvnd.b");
    assert.equal(filtered.digests.length, 6);
    assert.ok(filtered.pages >= 2);
    refused(await send("GET", "/v2/rules/referrers/referrers/sha256:short"), 400, "DIGEST_INVALID");
    const empty = await send("GET", `/v2/rules/referrers/referrers/${subject.digest}?artifactType=`);
    assert.equal(empty.headers.has("oci-filters-applied"), false, "an empty value is no filter");
  });

  test("what was listed under a fallback tag is listed by its subject", async () => {
    const subject = { mediaType: MEDIA_TYPES.ociManifest, digest: digestOf(randomBytes(9)), size: 9 };
    const referrer = documentOf({ manifests: [], subject });
    await put("rules/fallback", referrer.digest, referrer);
    const fallback = documentOf({ manifests: [descriptorOf(referrer)] });
    await checkManifest("rules/fallback", fallback, subject.digest.replace(":", "-"));
    const list = await send("GET", `/v2/rules/fallback/referrers/${subject.digest}`);
    const { manifests } = JSON.parse(list.bytes.toString()) as { manifests: Descriptor[] };
    assert.deepEqual(manifests, [descriptorOf(referrer)]);
  });
});

describe("switches", () => {
  const serve = async (
    options: RegistryDirectoryOptions,
  ): Promise<{ at: (path: string) => string } & AsyncDisposable> => {
    const dir = await mkdtemp(join(tmpdir(), "dray-switches-"));
    const served = await serveRegistry({ ...options, dir, port: 0 });
    return {
      at: (path) => `http://${served.address}:${served.port}${path}`,
      async [Symbol.asyncDispose](): Promise<void> {
        await served.close();
        await rm(dir, { recursive: true });
      },
    };
  };

  test("sparse: layers and entries may be missing", async () => {
    await using served = await serve({ sparse: true });
    const lost = { mediaType: MEDIA_TYPES.ociLayer, digest: digestOf(randomBytes(5)), size: 5 };
    const config = { ...lost, mediaType: MEDIA_TYPES.ociConfig };
    const image = documentOf({ config, layers: [lost] });
    for (const document of [
      image,
      documentOf({ manifests: [{ ...lost, mediaType: MEDIA_TYPES.ociManifest }] }),
    ]) {
      const path = served.at(`/v2/sparse/manifests/${document.digest}`);
      assert.equal(
        (await send("PUT", path, document.bytes, { "content-type": document.mediaType })).status,
        201,
      );
      await checkRead(path, document);
    }
    assert.equal((await send("GET", served.at(`/v2/sparse/blobs/${lost.digest}`))).status, 404);
  });

  test("deletion switched off: nothing goes, uploads can still be given up", async () => {
    await using served = await serve({ deletable: false });
    const document = documentOf({ manifests: [] });
    await send("PUT", served.at("/v2/kept/manifests/t"), document.bytes, {
      "content-type": document.mediaType,
    });
    for (const path of [`manifests/t`, `manifests/${document.digest}`, `blobs/${document.digest}`]) {
      refused(await send("DELETE", served.at(`/v2/kept/${path}`)), 405, "UNSUPPORTED");
    }
    await checkRead(served.at("/v2/kept/manifests/t"), document);
    const begun = await send("POST", served.at("/v2/kept/blobs/uploads/"));
    assert.equal((await send("DELETE", served.at(locationOf(begun)))).status, 204);
  });
});
