import assert from "node:assert/strict";
import { test } from "node:test";

import {
  StubRegistry,
  type StubHandler,
  type StubReply,
  type StubRequest,
} from "../../test/stub-registry.ts";
import { digestOf, MEDIA_TYPES, type ContentSource, type Descriptor, type Digest } from "../oci/index.ts";
import { ClientError, type ClientErrorCode } from "./errors.ts";
import { fallbackTag } from "./fallback-tag.ts";
import { ConfiguredHosts } from "./hosts-resolver.ts";
import { RegistryClient, type RegistryClientOptions } from "./registry-client.ts";
import type { Repository } from "./repository.ts";

const blob = Buffer.from(Array.from({ length: 1000 }, (_, i) => i % 251));
const descriptor: Descriptor = {
  mediaType: MEDIA_TYPES.ociLayerGzip,
  digest: digestOf(blob),
  size: blob.length,
};

const code =
  (expected: ClientErrorCode, message?: RegExp) =>
  (error: unknown): boolean => {
    assert.ok(error instanceof ClientError, String(error));
    assert.equal(error.code, expected, error.message);
    if (message !== undefined) assert.match(error.message, message);
    return true;
  };

/** Delivers in pieces of one buffer that it writes to again and again, as a socket does. */
const source: ContentSource = {
  async open(_, { offset = 0 } = {}) {
    return {
      async pump(consume) {
        const buffer = Buffer.alloc(64);
        for (let at = offset; at < blob.length; at += 64) {
          const length = blob.copy(buffer, 0, at, at + 64);
          await consume(buffer.subarray(0, length));
          buffer.fill(0xff);
        }
      },
      async close() {},
    };
  },
};

/** A registry's upload sessions, kept so that tests see what arrived. */
class Uploads {
  received = Buffer.alloc(0);
  stored = false;
  /** Answers instead of the honest one, when it has something to say. */
  readonly #mischief: (request: StubRequest, uploads: Uploads) => StubReply | undefined;

  constructor(mischief: (request: StubRequest, uploads: Uploads) => StubReply | undefined = () => undefined) {
    this.#mischief = mischief;
  }

  readonly handler: StubHandler = (request) => this.#mischief(request, this) ?? this.answer(request);

  answer({ method, url, body, headers }: StubRequest): StubReply {
    const location = "/v2/a/blobs/uploads/1?state=x%2Fy&n=0";
    if (method === "HEAD") return { status: this.stored ? 200 : 404 };
    if (method === "POST") {
      this.received = Buffer.alloc(0);
      return { status: 202, headers: { location } };
    }
    assert.ok(url.startsWith(location), url);
    const range = `0-${Math.max(0, this.received.length - 1)}`;
    if (method === "GET") return { status: 204, headers: { location, range } };
    if (method === "DELETE") return { status: 204 };
    const from = /^(\d+)-/.exec(headers["content-range"] ?? "")?.[1];
    if (from !== undefined && Number(from) !== this.received.length)
      return { status: 416, headers: { location, range } };
    this.received = Buffer.concat([this.received, body]);
    if (method === "PATCH")
      return { status: 202, headers: { location, range: `0-${this.received.length - 1}` } };
    assert.equal(new URL(url, "http://x").searchParams.get("digest"), descriptor.digest);
    this.stored = this.received.equals(blob);
    return this.stored
      ? { status: 201 }
      : { status: 400, body: '{"errors":[{"code":"DIGEST_INVALID","message":"no"}]}' };
  }
}

async function push(
  handler: StubHandler,
  options: Partial<RegistryClientOptions> = {},
  run: (repository: Repository, client: RegistryClient) => Promise<unknown> = (repository) =>
    repository.write(descriptor, source),
): Promise<{
  readonly outcome: unknown;
  readonly log: readonly string[];
  readonly requests: readonly StubRequest[];
}> {
  await using stub = await StubRegistry.start(handler);
  await using client = new RegistryClient({
    hosts: new ConfiguredHosts({ defaultScheme: "http" }),
    sleep: async () => {},
    ...options,
  });
  const outcome = await run(client.repository(stub.domain, "a"), client);
  return { outcome, requests: stub.requests, log: stub.requests.map(({ method }) => method) };
}

test("a blob that is there is not sent", async () => {
  const { outcome, log } = await push(() => ({ status: 200 }));
  assert.equal(outcome, "exists");
  assert.deepEqual(log, ["HEAD"]);
});

test("a blob goes in one request, to the place the registry named, with its length", async () => {
  const uploads = new Uploads();
  const { outcome, log, requests } = await push(uploads.handler);
  assert.equal(outcome, "written");
  assert.deepEqual(uploads.received, blob);
  assert.deepEqual(log, ["HEAD", "POST", "PUT"]);
  assert.equal(requests[1]?.headers["content-length"], "0");
  assert.equal(requests[2]?.headers["content-length"], "1000");
  assert.match(requests[2]?.url ?? "", /\?state=x%2Fy&n=0&digest=sha256/);
});

test("with a chunk size a blob goes in parts, none smaller than the registry wants", async () => {
  const uploads = new Uploads(({ method }, all) =>
    method === "POST"
      ? {
          ...all.answer({ method } as StubRequest),
          headers: { location: "/v2/a/blobs/uploads/1?state=x%2Fy&n=0", "oci-chunk-min-length": "400" },
        }
      : undefined,
  );
  const { requests } = await push(uploads.handler, { chunkSize: 100 });
  assert.deepEqual(uploads.received, blob);
  assert.deepEqual(requests.map(({ headers }) => headers["content-range"]).filter(Boolean), [
    "0-399",
    "400-799",
    "800-999",
  ]);
});

test("an upload whose connection was cut goes on where the registry got to", async () => {
  let cut = false;
  const uploads = new Uploads(({ method, body }, all) => {
    if (method !== "PUT" || cut) return undefined;
    cut = true;
    all.received = Buffer.from(body.subarray(0, 300));
    return { cut: true };
  });
  const { outcome, requests, log } = await push(uploads.handler);
  assert.equal(outcome, "written");
  assert.deepEqual(uploads.received, blob);
  assert.deepEqual(log, ["HEAD", "POST", "PUT", "HEAD", "GET", "PATCH", "PUT"]);
  assert.equal(requests[5]?.headers["content-range"], "300-999");
});

test("an upload whose last answer was lost is found done", async () => {
  let cut = false;
  const uploads = new Uploads((request, all) => {
    if (request.method !== "PUT" || cut) return undefined;
    cut = true;
    all.answer(request);
    return { cut: true };
  });
  const { outcome, log } = await push(uploads.handler);
  assert.equal(outcome, "written");
  assert.deepEqual(log, ["HEAD", "POST", "PUT", "HEAD"]);
});

test("an upload the registry has forgotten begins anew", async () => {
  let lost = 0;
  const uploads = new Uploads(({ method }) => {
    if (method === "PUT" && lost++ === 0)
      return { status: 404, body: '{"errors":[{"code":"BLOB_UPLOAD_UNKNOWN"}]}' };
    return method === "GET" ? { status: 404 } : undefined;
  });
  const { outcome, log } = await push(uploads.handler);
  assert.equal(outcome, "written");
  assert.deepEqual(log, ["HEAD", "POST", "PUT", "HEAD", "GET", "POST", "PUT"]);
});

test("an upload that keeps failing ends with the registry's word and is cancelled", async () => {
  const uploads = new Uploads(({ method }) => (method === "PUT" ? { status: 503 } : undefined));
  await assert.rejects(push(uploads.handler), code("STATUS_UNEXPECTED", /503/));
  const refused = new Uploads(({ method }) =>
    method === "PUT"
      ? { status: 400, body: '{"errors":[{"code":"DIGEST_INVALID","message":"no"}]}' }
      : undefined,
  );
  let log: readonly string[] = [];
  await push(refused.handler, {}, async (repository) => {
    await assert.rejects(repository.write(descriptor, source), code("DIGEST_INVALID", /no/));
  }).then((result) => (log = result.log));
  assert.deepEqual(log, ["HEAD", "POST", "PUT", "DELETE"]);
});

test("a source's error is passed on and not taken for the registry's", async () => {
  const reason = new ClientError("NETWORK_RESET", "Cannot read elsewhere");
  const failing: ContentSource = { open: () => Promise.reject(reason) };
  const { log } = await push(new Uploads().handler, {}, async (repository) => {
    await assert.rejects(repository.write(descriptor, failing), (error) => error === reason);
  });
  assert.deepEqual(log, ["HEAD", "POST"]);
});

test("an upload's location may not lead from a registry to another scheme", async () => {
  const handler: StubHandler = ({ method }) =>
    method === "HEAD" ? { status: 404 } : { status: 202, headers: { location: "ftp://x/y" } };
  await assert.rejects(push(handler), code("REDIRECT_REFUSED"));
  await assert.rejects(
    push(({ method }) => ({ status: method === "HEAD" ? 404 : 202 })),
    code("RESPONSE_INVALID"),
  );
});

test("a blob of a neighbour repository is mounted, and sent where the registry won't", async () => {
  for (const [status, expected, methods] of [
    [201, "mounted", ["HEAD", "POST"]],
    [202, "written", ["HEAD", "POST", "GET", "PUT"]],
    [403, "written", ["HEAD", "POST", "POST", "GET", "PUT"]],
  ] as const) {
    const uploads = new Uploads(({ method, url }, all) => {
      if (method === "GET" && url.startsWith("/v2/b/blobs/")) return { body: blob };
      if (!url.includes("mount=")) return undefined;
      assert.match(url, /mount=sha256%3A[0-9a-f]{64}&from=b$/);
      return { ...all.answer({ method } as StubRequest), status };
    });
    const { outcome, log } = await push(uploads.handler, {}, (repository, client) =>
      repository.write(descriptor, client.repository(repository.domain, "b")),
    );
    assert.equal(outcome, expected);
    assert.deepEqual(log, methods);
    if (expected === "written") assert.deepEqual(uploads.received, blob);
  }
});

test("other algorithms than sha256 are announced, and progress is told in bytes", async () => {
  const long = { ...descriptor, digest: digestOf(blob, "sha512") };
  const seen: number[] = [];
  const handler: StubHandler = ({ method }) =>
    method === "HEAD"
      ? { status: 404 }
      : method === "POST"
        ? { status: 202, headers: { location: "/u" } }
        : { status: 201 };
  const { requests } = await push(handler, {}, (repository) =>
    repository.write(long, source, { onProgress: (bytes) => seen.push(bytes) }),
  );
  assert.match(requests[1]?.url ?? "", /\?digest-algorithm=sha512$/);
  assert.equal(seen.at(-1), 1000);
  assert.deepEqual(
    seen,
    seen.toSorted((a, b) => a - b),
  );
});

const subject: Descriptor = { mediaType: MEDIA_TYPES.ociManifest, digest: digestOf("subject"), size: 7 };

function artifact(name: string): { readonly descriptor: Descriptor; readonly bytes: Buffer } {
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: MEDIA_TYPES.ociManifest,
      artifactType: `application/${name}`,
      config: { mediaType: MEDIA_TYPES.ociEmpty, digest: digestOf("{}"), size: 2 },
      layers: [],
      subject,
      annotations: { name },
    }),
  );
  return {
    bytes,
    descriptor: { mediaType: MEDIA_TYPES.ociManifest, digest: digestOf(bytes), size: bytes.length },
  };
}

/** A registry that keeps manifests, with or without the referrers API. */
class ManifestRegistry {
  readonly manifests = new Map<string, Buffer>();
  readonly #extra: (request: StubRequest) => StubReply | undefined;

  constructor(extra: (request: StubRequest) => StubReply | undefined = () => undefined) {
    this.#extra = extra;
  }

  readonly handler: StubHandler = (request) => {
    const special = this.#extra(request);
    if (special !== undefined) return special;
    const { method, url, body } = request;
    const key = url.slice(url.lastIndexOf("/") + 1);
    if (url.includes("/referrers/")) return { status: 404 };
    if (method === "PUT") {
      this.manifests.set(key, body);
      return { status: 201 };
    }
    if (method === "DELETE") return { status: this.manifests.delete(key) ? 202 : 404 };
    const found = this.manifests.get(key);
    if (found === undefined) return { status: 404 };
    const mediaType = (JSON.parse(found.toString()) as { mediaType: string }).mediaType;
    return {
      body: found,
      headers: {
        "content-type": mediaType,
        "docker-content-digest": digestOf(found),
        etag: `"${digestOf(found)}"`,
      },
    };
  };

  index(digest: Digest): readonly Record<string, unknown>[] | undefined {
    const bytes = this.manifests.get(fallbackTag(digest));
    return bytes === undefined
      ? undefined
      : (JSON.parse(bytes.toString()) as { manifests: Record<string, unknown>[] }).manifests;
  }
}

test("a manifest is put under its tag with its own type, and not again when it is there", async () => {
  const registry = new ManifestRegistry(({ method, headers }) =>
    method === "PUT"
      ? { status: 201, headers: { "oci-subject": subject.digest, "x-type": headers["content-type"] ?? "" } }
      : undefined,
  );
  const { descriptor: pushed, bytes } = artifact("one");
  const { log, requests } = await push(registry.handler, {}, (repository) =>
    repository.pushManifest(pushed, bytes, { tag: "v1" }),
  );
  assert.deepEqual(log, ["HEAD", "PUT"]);
  assert.equal(requests[1]?.url, "/v2/a/manifests/v1");
  assert.equal(requests[1]?.headers["content-type"], MEDIA_TYPES.ociManifest);
  registry.manifests.set("v1", bytes);
  const again = await push(registry.handler, {}, (repository) =>
    repository.pushManifest(pushed, bytes, { tag: "v1" }),
  );
  assert.equal(again.outcome, "exists");
  await assert.rejects(
    push(registry.handler, {}, (repository) => repository.pushManifest(pushed, Buffer.from("other"))),
    code("DIGEST_INVALID"),
  );
});

test("referrers of one subject pushed together all end up in its index, and leave it when deleted", async () => {
  const registry = new ManifestRegistry();
  const artifacts = ["one", "two", "three"].map(artifact);
  await push(registry.handler, {}, async (repository) => {
    await Promise.all(artifacts.map((each) => repository.pushManifest(each.descriptor, each.bytes)));
    const entries = registry.index(subject.digest) ?? [];
    assert.deepEqual(entries.map((entry) => String(entry["artifactType"])).toSorted(), [
      "application/one",
      "application/three",
      "application/two",
    ]);
    assert.deepEqual(
      entries.find((entry) => entry["digest"] === artifacts[0]?.descriptor.digest)?.["annotations"],
      { name: "one" },
    );
    for (const { descriptor: each } of artifacts.slice(1)) await repository.deleteManifest(each.digest);
    assert.deepEqual(
      registry.index(subject.digest)?.map((entry) => entry["artifactType"]),
      ["application/one"],
    );
  });
});

test("an index that somebody else changed meanwhile is read again", async () => {
  let conflicts = 0;
  const registry = new ManifestRegistry(({ method, url, headers }) => {
    if (method !== "PUT" || !url.endsWith(fallbackTag(subject.digest)) || headers["if-match"] === undefined)
      return undefined;
    return conflicts++ === 0 ? { status: 412 } : undefined;
  });
  const [one, two] = [artifact("one"), artifact("two")];
  await push(registry.handler, {}, async (repository) => {
    await repository.pushManifest(one.descriptor, one.bytes);
    await repository.pushManifest(two.descriptor, two.bytes);
  });
  assert.equal(registry.index(subject.digest)?.length, 2);
  assert.equal(conflicts, 2);
});

test("a registry with the referrers API is left to itself", async () => {
  const registry = new ManifestRegistry(({ url }) =>
    url.includes("/referrers/")
      ? { body: `{"schemaVersion":2,"manifests":[]}`, headers: { "content-type": MEDIA_TYPES.ociIndex } }
      : undefined,
  );
  const one = artifact("one");
  await push(registry.handler, {}, (repository) => repository.pushManifest(one.descriptor, one.bytes));
  assert.equal(registry.index(subject.digest), undefined);
});

test("deleteTag() never deletes more than the tag, and what isn't there is no failure", async () => {
  const refusing = new ManifestRegistry(({ method }) => (method === "DELETE" ? { status: 405 } : undefined));
  await push(refusing.handler, {}, async (repository) => {
    await assert.rejects(repository.deleteTag("v1"), code("UNSUPPORTED", /by digest/));
  }).then(({ log }) => assert.deepEqual(log, ["DELETE"]));
  const { outcome } = await push(new ManifestRegistry().handler, {}, (repository) =>
    repository.deleteTag("v1"),
  );
  assert.equal(outcome, false);
});

const tags: readonly (readonly [string, string])[] = [
  [`sha256:${"a".repeat(64)}`, `sha256-${"a".repeat(64)}`],
  [`sha512:${"b".repeat(128)}`, `sha512-${"b".repeat(64)}`],
  [
    "test+algorithm+using+algorithm+separators+and+lots+of+characters+to+excercise+overall+truncation:alsoSome=InTheEncodedSectionToShowHyphenReplacementAndLotsAndLotsOfCharactersToExcerciseEncodedTruncation",
    "test-algorithm-using-algorithm-s-alsoSome-InTheEncodedSectionToShowHyphenReplacementAndLotsAndLot",
  ],
];

for (const [digest, tag] of tags) {
  test(`fallbackTag() of ${digest.slice(0, 20)}… is ${tag.slice(0, 20)}…`, () => {
    assert.equal(fallbackTag(digest), tag);
  });
}
