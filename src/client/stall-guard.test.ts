import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";

import { Secret, type TrackedCredential } from "../credentials/index.ts";
import { digestOf, type Descriptor, type ImageSource, MEDIA_TYPES } from "../oci/index.ts";
import { openMemoryStore, type Store } from "../store/index.ts";
import { judgeFailure, StoreRuntime } from "../images/index.ts";
import { ConfiguredHosts } from "./hosts-resolver.ts";
import { RegistryClient } from "./registry-client.ts";
import { StallError, StallGuard } from "./stall-guard.ts";

const layer = Buffer.alloc(300_000, "bytes of a layer. ");
const config = Buffer.from(
  JSON.stringify({
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: [digestOf(layer)] },
  }),
);
const describe = (bytes: Buffer, mediaType: string): Descriptor => ({
  mediaType,
  digest: digestOf(bytes),
  size: bytes.length,
});
const manifest = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: MEDIA_TYPES.ociManifest,
    config: describe(config, MEDIA_TYPES.ociConfig),
    layers: [describe(layer, MEDIA_TYPES.ociLayer)],
  }),
);

interface Lab {
  readonly image: string;
  readonly store: Store;
  readonly runtime: (stallTimeout: number) => StoreRuntime;
  /** What was asked, as `METHOD /path`. */
  readonly asked: string[];
}

/** A registry that answers as `listener` does, and as an honest one where that returns false. */
async function setUp(
  t: TestContext,
  listener: (...args: Parameters<RequestListener>) => boolean,
): Promise<Lab> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push(`${request.method} ${request.url}`);
    if (listener(request, response)) return;
    const { url = "" } = request;
    const body = url.includes("/manifests/") ? manifest : url.endsWith(digestOf(layer)) ? layer : config;
    const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0);
    response.writeHead(from > 0 ? 206 : 200, {
      "content-length": body.length - from,
      ...(from > 0 && { "content-range": `bytes ${from}-${body.length - 1}/${body.length}` }),
      ...(body === manifest && { "content-type": MEDIA_TYPES.ociManifest }),
    });
    response.end(request.method === "HEAD" ? undefined : body.subarray(from));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const domain = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const client = new RegistryClient({
    hosts: new ConfiguredHosts({ defaultScheme: "http" }),
    sleep: async () => {},
    transport: { bodyTimeout: 100 },
  });
  const store = openMemoryStore();
  t.after(async () => {
    await client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const runtime = (stallTimeout: number): StoreRuntime =>
    new StoreRuntime({
      store,
      registry: ({ domain: host, path }) => client.repository(host, path),
      platform: { os: "linux", architecture: "amd64" },
      stallTimeout,
    });
  return { image: `${domain}/a/b:1`, store, runtime, asked };
}

const credential = (username: string): TrackedCredential =>
  ({ username, password: new Secret("p"), identityToken: undefined, source: undefined }) as never;

for (const [where, isSilent] of [
  ["name", (url: string) => url.endsWith("/manifests/1")],
  ["manifest's body", (url: string) => url.includes("/manifests/sha256:")],
  ["layer", (url: string) => url.endsWith(digestOf(layer))],
] as const) {
  test(`a pull ends when a registry keeps silent about the ${where}, and leaves no name`, async (t) => {
    const { image, store, runtime } = await setUp(t, ({ url = "" }) => isSilent(url));
    const began = performance.now();
    const error: unknown = await runtime(250)
      .pull(image)
      .catch((thrown: unknown) => thrown);
    assert.ok(error instanceof StallError, String(error));
    assert.equal(error.code, "NETWORK_TIMEOUT");
    assert.equal(error.message, `Cannot pull "${image}": no byte came for 250 ms`);
    assert.ok(performance.now() - began < 5000);
    assert.deepEqual(judgeFailure(error).because, "unreachable");
    assert.equal(store.names.find(image), undefined);
  });
}

test("a body that stalls is asked for again from there, within the time a pull may wait", async (t) => {
  const { image, store, runtime, asked } = await setUp(t, ({ url = "", headers, method }, response) => {
    if (method !== "GET" || !url.endsWith(digestOf(layer)) || headers.range !== undefined) return false;
    response.writeHead(200, { "content-length": layer.length });
    response.write(layer.subarray(0, 297_000));
    return true;
  });
  await runtime(5000).pull(image);
  assert.equal(asked.filter((line) => line === `GET /v2/a/b/blobs/${digestOf(layer)}`).length, 2);
  assert.ok(await store.has(describe(layer, MEDIA_TYPES.ociLayer)));
});

test("a registry that dribbles is waited for, however long the whole takes", async (t) => {
  const { image, runtime } = await setUp(t, ({ url = "", method }, response) => {
    if (method !== "GET" || !url.endsWith(digestOf(layer))) return false;
    response.writeHead(200, { "content-length": layer.length });
    const step = layer.length / 10;
    const send = (at: number): void => {
      if (at >= layer.length) return void response.end();
      response.write(layer.subarray(at, at + step));
      setTimeout(() => send(at + step), 30);
    };
    send(0);
    return true;
  });
  await runtime(200).pull(image);
});

test("silence isn't met with one credential after the other", async (t) => {
  const { image, runtime, asked } = await setUp(t, () => true);
  const credentials = [credential("one"), credential("two"), credential("three")];
  await assert.rejects(runtime(100).pull(image, { credentials }), StallError);
  assert.equal(asked.length, 1);
});

test("time in which nobody waits for the registry doesn't count, and a caller's abort stays its own", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const writing = Promise.withResolvers<void>();
  const chunks = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const source: ImageSource = {
    resolve: async () => describe(layer, MEDIA_TYPES.ociLayer),
    open: async () => ({
      pump: async (consume) => {
        for (const { promise } of chunks) {
          await promise;
          await consume(layer);
        }
      },
      close: async () => {},
    }),
  };
  using guard = new StallGuard({ action: "pull it", timeout: 1000 });
  const stream = await guard.watch(source).open(describe(layer, MEDIA_TYPES.ociLayer));
  const pumped = stream.pump(() => writing.promise);
  t.mock.timers.tick(900);
  chunks[0]?.resolve();
  await new Promise(setImmediate);
  t.mock.timers.tick(10_000);
  assert.equal(guard.signal.aborted, false, "the disk was slow");
  writing.resolve();
  await new Promise(setImmediate);
  t.mock.timers.tick(999);
  assert.equal(guard.signal.aborted, false);
  t.mock.timers.tick(1);
  assert.ok(guard.signal.reason instanceof StallError);
  chunks[1]?.resolve();
  await pumped;

  const caller = new AbortController();
  using other = new StallGuard({ action: "pull it", timeout: 1000, signal: caller.signal });
  const mine = new Error("mine");
  caller.abort(mine);
  assert.equal(other.signal.reason, mine);
});
