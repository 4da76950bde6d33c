/** Whatever a registry does wrong, a pull ends in success after all or in one sentence with a code, and the store holds nothing wrong. */
import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { ClientError, ConfiguredHosts, RegistryClient } from "../../src/client/index.ts";
import { DrayError } from "../../src/errors.ts";
import { copy, digestOf, MEDIA_TYPES, readContent, type Descriptor } from "../../src/oci/index.ts";
import { FileBlobStore } from "../../src/store/index.ts";
import { StubRegistry, type StubHandler, type StubReply, type StubRequest } from "../stub-registry.ts";

const layer = Buffer.alloc(300_000, "not really a layer, but bytes are bytes. ");
const config = Buffer.from(
  JSON.stringify({
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
  }),
);
const layerDescriptor = describe(layer, MEDIA_TYPES.ociLayer);
const configDescriptor = describe(config, MEDIA_TYPES.ociConfig);
const manifest = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: configDescriptor,
    layers: [layerDescriptor],
  }),
);
const manifestDescriptor = describe(manifest, MEDIA_TYPES.ociManifest);

function describe(bytes: Uint8Array, mediaType: string): Descriptor {
  return { mediaType, digest: digestOf(bytes), size: bytes.length };
}

/** What an honest registry answers. */
const honest = ({ url, headers }: StubRequest): StubReply => {
  if (url.includes("/manifests/")) {
    return {
      body: manifest,
      headers: {
        "content-type": MEDIA_TYPES.ociManifest,
        "docker-content-digest": manifestDescriptor.digest,
      },
    };
  }
  const body = url.endsWith(layerDescriptor.digest) ? layer : config;
  const from = /^bytes=(\d+)-$/.exec(headers["range"] ?? "")?.[1];
  if (from === undefined) return { body, headers: { "content-type": "application/octet-stream" } };
  return {
    status: 206,
    body: body.subarray(Number(from)),
    headers: { "content-range": `bytes ${from}-${body.length - 1}/${body.length}` },
  };
};

/** Misbehaves for the layer only. */
const forLayer =
  (handler: StubHandler): StubHandler =>
  (request) =>
    request.url.endsWith(layerDescriptor.digest) ? handler(request) : honest(request);

const always =
  (reply: StubReply): StubHandler =>
  () => ({ ...reply });

const once =
  (reply: StubReply): StubHandler =>
  (request) =>
    request.earlier === 0 ? { ...reply } : honest(request);

interface Case {
  readonly name: string;
  readonly handler: StubHandler;
  /** The code it ends with; success without. */
  readonly code?: string;
  readonly message?: RegExp;
}

const cases: readonly Case[] = [
  { name: "is honest", handler: honest },
  {
    name: "cuts the layer's connection once",
    handler: forLayer((r) => (r.earlier === 0 ? { ...honest(r), cutAfter: 100_000 } : honest(r))),
  },
  {
    name: "cuts the layer's connection every 50 000 bytes",
    handler: forLayer((r) => ({ ...honest(r), cutAfter: 50_000 })),
  },
  {
    name: "cuts without a byte, always",
    handler: forLayer((r) => ({ ...honest(r), cutAfter: 0 })),
    code: "NETWORK_RESET",
  },
  { name: "cuts before answering, once", handler: forLayer(once({ cut: true })) },
  { name: "cuts before answering, always", handler: always({ cut: true }), code: "NETWORK_RESET" },
  {
    name: "ignores ranges after a cut",
    handler: forLayer((r) => (r.earlier === 0 ? { ...honest(r), cutAfter: 100_000 } : { body: layer })),
  },
  {
    name: "refuses ranges after a cut",
    handler: forLayer((r) => {
      if (r.earlier === 0) return { ...honest(r), cutAfter: 100_000 };
      return r.headers["range"] === undefined ? honest(r) : { status: 416 };
    }),
  },
  {
    name: "continues at the wrong byte after a cut",
    handler: forLayer((r) =>
      r.earlier === 0
        ? { ...honest(r), cutAfter: 100_000 }
        : {
            status: 206,
            body: layer.subarray(7),
            headers: { "content-range": `bytes 7-${layer.length - 1}/${layer.length}` },
          },
    ),
    code: "RESPONSE_INVALID",
  },
  {
    name: "sends wrong bytes of the right length",
    handler: forLayer(always({ body: Buffer.alloc(layer.length, "x") })),
    code: "DIGEST_INVALID",
  },
  {
    name: "sends wrong bytes after a cut",
    handler: forLayer((r) =>
      r.earlier === 0
        ? { ...honest(r), cutAfter: 100_000 }
        : {
            ...honest(r),
            body: Buffer.alloc(layer.length - Number(/\d+/.exec(r.headers["range"] ?? "0")?.[0]), "x"),
          },
    ),
    code: "DIGEST_INVALID",
  },
  {
    name: "announces a shorter layer",
    handler: forLayer(always({ body: layer.subarray(1000) })),
    code: "SIZE_INVALID",
  },
  {
    name: "announces a longer layer",
    handler: forLayer(always({ body: Buffer.concat([layer, layer]) })),
    code: "SIZE_INVALID",
  },
  {
    name: "sends a longer layer without announcing it",
    handler: forLayer(
      always({ raw: `HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n${layer.toString("latin1")}more` }),
    ),
    code: "SIZE_INVALID",
  },
  {
    name: "announces bytes it never sends",
    handler: forLayer(
      always({
        body: layer.subarray(0, 10),
        headers: { "content-length": String(layer.length) },
        cutAfter: 0,
      }),
    ),
    code: "NETWORK_RESET",
  },
  {
    name: "redirects in a loop",
    handler: forLayer((r) => ({ status: 307, headers: { location: r.url } })),
    code: "REDIRECT_REFUSED",
  },
  { name: "redirects to nowhere", handler: forLayer(always({ status: 307 })), code: "REDIRECT_REFUSED" },
  {
    name: "redirects to a file",
    handler: forLayer(always({ status: 307, headers: { location: "file:///etc/passwd" } })),
    code: "REDIRECT_REFUSED",
  },
  { name: "answers 401 without a challenge", handler: always({ status: 401 }), code: "UNAUTHORIZED" },
  {
    name: "answers 403",
    handler: always({ status: 403, body: '{"errors":[{"code":"DENIED","message":"not for you"}]}' }),
    code: "DENIED",
    message: /not for you/,
  },
  { name: "answers 404", handler: always({ status: 404 }), code: "MANIFEST_UNKNOWN" },
  { name: "has lost the layer", handler: forLayer(always({ status: 404 })), code: "BLOB_UNKNOWN" },
  { name: "answers 429 once", handler: forLayer(once({ status: 429, headers: { "retry-after": "7" } })) },
  {
    name: "answers 429 for an hour",
    handler: forLayer(always({ status: 429, headers: { "retry-after": "3600" } })),
    code: "TOOMANYREQUESTS",
    message: /try again in 3600 s/,
  },
  { name: "answers 500 once", handler: forLayer(once({ status: 500 })) },
  { name: "answers 500 always", handler: forLayer(always({ status: 500 })), code: "STATUS_UNEXPECTED" },
  {
    name: "answers 502 with HTML, once",
    handler: once({ status: 502, body: "<html>bad gateway", headers: { "content-type": "text/html" } }),
  },
  {
    name: "answers 502 always",
    handler: always({ status: 502, body: "<html>bad gateway", headers: { "content-type": "text/html" } }),
    code: "STATUS_UNEXPECTED",
  },
  {
    name: "sends HTML for the manifest",
    handler: always({ body: "<html>hello", headers: { "content-type": "text/html" } }),
    code: "RESPONSE_INVALID",
    message: /is this a registry/,
  },
  {
    name: "sends HTML for the layer",
    handler: forLayer(
      always({ body: "<html>hello", headers: { "content-type": "text/html; charset=utf-8" } }),
    ),
    code: "RESPONSE_INVALID",
  },
  {
    name: "speaks something else",
    handler: always({ raw: "220 mail.example ESMTP\r\n" }),
    code: "RESPONSE_INVALID",
  },
  {
    name: "sends a head without end",
    handler: always({ raw: `HTTP/1.1 200 OK\r\nx: ${"y".repeat(70_000)}\r\n` }),
    code: "RESPONSE_INVALID",
  },
  {
    name: "sends two lengths",
    handler: forLayer(
      always({ raw: "HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\nhello!" }),
    ),
    code: "RESPONSE_INVALID",
  },
  {
    name: "sends another manifest than its digest says",
    handler: (r) =>
      r.url.includes("/manifests/") && r.method === "GET"
        ? { ...honest(r), body: `${manifest.toString()} ` }
        : honest(r),
    code: "SIZE_INVALID",
  },
  {
    name: "claims an unknown content coding",
    handler: forLayer((r) => ({ ...honest(r), headers: { "content-encoding": "snappy" } })),
    code: "RESPONSE_INVALID",
  },
];

for (const { name, handler, code, message } of cases) {
  test(`a registry that ${name} ${code === undefined ? "is pulled from in the end" : `is told apart as ${code}`}`, async () => {
    const folder = await mkdtemp(join(tmpdir(), "dray-hostile-"));
    try {
      await using stub = await StubRegistry.start(handler);
      const store = await FileBlobStore.open(folder);
      const waits: number[] = [];
      await using client = new RegistryClient({
        hosts: new ConfiguredHosts({ defaultScheme: "http" }),
        random: () => 0.5,
        sleep: async (milliseconds) => void waits.push(milliseconds),
      });
      const pull = copy(client.repository(stub.domain, "team/app"), "v1", {
        to: { ...sinkOf(store), tag: async () => {} },
      });
      if (code === undefined) {
        await pull;
        for (const descriptor of [manifestDescriptor, configDescriptor, layerDescriptor]) {
          await readContent(store, descriptor);
        }
      } else {
        const error = await pull.then(
          () => assert.fail("the pull succeeded"),
          (reason: unknown) => reason,
        );
        assert.ok(error instanceof DrayError, String(error));
        assert.equal(error.code, code, error.message);
        assert.doesNotMatch(error.message, /[\r\n]|\.$/);
        if (message !== undefined) assert.match(error.message, message);
        assert.equal(await store.find(layerDescriptor.digest), undefined);
      }
      await assertOnlyRightBytes(store);
      if (name === "answers 429 once") assert.deepEqual(waits, [7000]);
      if (error429(code)) assert.deepEqual(waits, []);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
}

const error429 = (code: string | undefined): boolean => code === "TOOMANYREQUESTS";

function sinkOf(store: FileBlobStore): Pick<FileBlobStore, "has" | "write"> {
  return { has: (descriptor) => store.has(descriptor), write: (...args) => store.write(...args) };
}

async function assertOnlyRightBytes(store: FileBlobStore): Promise<void> {
  for await (const { digest, size } of store.list()) {
    const bytes = await readContent(store, { mediaType: "application/octet-stream", digest, size });
    assert.equal(digestOf(bytes), digest);
    assert.ok(
      [manifestDescriptor, configDescriptor, layerDescriptor].some((known) => known.digest === digest),
    );
  }
}

test("an interrupted pull reports as the caller's own reason and leaves nothing visible", async () => {
  const folder = await mkdtemp(join(tmpdir(), "dray-hostile-"));
  try {
    await using stub = await StubRegistry.start(forLayer(() => ({ silent: true })));
    const store = await FileBlobStore.open(folder);
    await using client = new RegistryClient({ hosts: new ConfiguredHosts({ defaultScheme: "http" }) });
    const controller = new AbortController();
    const reason = new Error("enough");
    const pulling = client
      .repository(stub.domain, "team/app")
      .open(layerDescriptor, { signal: controller.signal });
    while (!stub.log.some((line) => line.endsWith(layerDescriptor.digest))) await new Promise(setImmediate);
    controller.abort(reason);
    await assert.rejects(pulling, (error) => error === reason && !(error instanceof ClientError));
    await assertOnlyRightBytes(store);
  } finally {
    await rm(folder, { recursive: true });
  }
});
