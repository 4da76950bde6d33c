import assert from "node:assert/strict";
import { createServer, type RequestListener, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";

import { Secret, type TrackedCredential } from "../credentials/index.ts";
import {
  type ContentStream,
  digestOf,
  type Descriptor,
  type ImageSource,
  MEDIA_TYPES,
} from "../oci/index.ts";
import { openMemoryStore, type Store } from "../store/index.ts";
import { judgeFailure, StoreRuntime } from "../images/index.ts";
import { ConfiguredHosts } from "./hosts-resolver.ts";
import { RegistryClient, type RegistryClientOptions } from "./registry-client.ts";
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
  /** What was asked, as `METHOD /path`, and the range behind it where there was one. */
  readonly asked: string[];
  /** How many bytes of the layer were taken in. */
  readonly taken: () => number;
}

/** A registry that answers as `listener` does, and as an honest one where that returns false. */
async function setUp(
  t: TestContext,
  listener: (...args: Parameters<RequestListener>) => boolean,
  transport: RegistryClientOptions["transport"] = {},
): Promise<Lab> {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    asked.push([request.method, request.url, request.headers.range].filter(Boolean).join(" "));
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
    transport,
  });
  const store = openMemoryStore();
  t.after(async () => {
    await client.close();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  let taken = 0;
  const counting = (source: ImageSource): ImageSource => ({
    resolve: (reference, options) => source.resolve(reference, options),
    open: async (descriptor, options) => {
      const stream = await source.open(descriptor, options);
      if (descriptor.digest !== digestOf(layer)) return stream;
      const pump: ContentStream["pump"] = (consume) =>
        stream.pump(async (chunk) => {
          await consume(chunk);
          taken += chunk.length;
        });
      return { pump, close: () => stream.close() };
    },
  });
  const runtime = (stallTimeout: number): StoreRuntime =>
    new StoreRuntime({
      store,
      registry: ({ domain: host, path }) => counting(client.repository(host, path)),
      platform: { os: "linux", architecture: "amd64" },
      stallTimeout,
    });
  return { image: `${domain}/a/b:1`, store, runtime, asked, taken: () => taken };
}

/** Moves time; the timers that `node:test` makes don't begin again when they are told to. */
function holdTimers(t: TestContext): (milliseconds: number) => void {
  let now = 0;
  const running = new Map<object, { at: number; readonly end: () => void }>();
  t.mock.method(globalThis, "setTimeout", ((end: () => void, after: number) => {
    const timer = {
      refresh: () => {
        if (running.has(timer)) running.set(timer, { at: now + after, end });
        return timer;
      },
    };
    running.set(timer, { at: now + after, end });
    return timer;
  }) as never);
  t.mock.method(globalThis, "clearTimeout", (timer: object) => void running.delete(timer));
  return (milliseconds) => {
    now += milliseconds;
    for (const [timer, { at, end }] of running) if (at <= now && running.delete(timer)) end();
  };
}

const credential = (username: string): TrackedCredential =>
  ({ username, password: new Secret("p"), identityToken: undefined, source: undefined }) as never;

for (const [where, isSilent] of [
  ["name", (url: string) => url.endsWith("/manifests/1")],
  ["manifest's body", (url: string) => url.includes("/manifests/sha256:")],
  ["layer", (url: string) => url.endsWith(digestOf(layer))],
] as const) {
  test(`a pull ends when a registry keeps silent about the ${where}, and leaves no name`, async (t) => {
    const pass = holdTimers(t);
    const silence = Promise.withResolvers<void>();
    const { image, store, runtime } = await setUp(t, ({ url = "" }) => {
      if (isSilent(url)) silence.resolve();
      return isSilent(url);
    });
    const pulling = runtime(250)
      .pull(image)
      .catch((thrown: unknown) => thrown);
    await silence.promise;
    pass(250);
    const error: unknown = await pulling;
    assert.ok(error instanceof StallError, String(error));
    assert.equal(error.code, "NETWORK_TIMEOUT");
    assert.equal(error.message, `Cannot pull "${image}": no byte came for 250 ms`);
    assert.deepEqual(judgeFailure(error).because, "unreachable");
    assert.equal(store.names.find(image), undefined);
  });
}

test("a body that stalls is asked for again from there, within the time a pull may wait", async (t) => {
  const { image, store, runtime, asked } = await setUp(
    t,
    ({ url = "", headers, method }, response) => {
      if (method !== "GET" || !url.endsWith(digestOf(layer)) || headers.range !== undefined) return false;
      response.writeHead(200, { "content-length": layer.length });
      response.write(layer.subarray(0, 297_000));
      return true;
    },
    { bodyTimeout: 100 },
  );
  await runtime(60_000).pull(image);
  const get = `GET /v2/a/b/blobs/${digestOf(layer)}`;
  const [first, ...others] = asked.filter((line) => line.startsWith(get));
  assert.equal(first, get);
  // A busy machine may take so long between two bytes that more than one connection counts as stalled.
  assert.ok(others.length > 0 && others.every((line) => / bytes=[1-9]\d*-$/.test(line)), others.join());
  assert.ok(await store.has(describe(layer, MEDIA_TYPES.ociLayer)));
});

test("a registry that dribbles is waited for, however long the whole takes", async (t) => {
  const pass = holdTimers(t);
  const answer = Promise.withResolvers<ServerResponse>();
  const { image, runtime, taken } = await setUp(t, ({ url = "", method }, response) => {
    if (method !== "GET" || !url.endsWith(digestOf(layer))) return false;
    answer.resolve(response.writeHead(200, { "content-length": layer.length }));
    return true;
  });
  let over = false;
  const pulling = runtime(1000)
    .pull(image)
    .finally(() => (over = true));
  const response = await answer.promise;
  const step = layer.length / 10;
  for (let at = step; at <= layer.length && !over; at += step) {
    response.write(layer.subarray(at - step, at));
    while (taken() < at && !over) await new Promise(setImmediate);
    pass(900);
  }
  response.end();
  await pulling;
});

test("silence isn't met with one credential after the other", async (t) => {
  const pass = holdTimers(t);
  const silence = Promise.withResolvers<void>();
  const { image, runtime, asked } = await setUp(t, () => {
    silence.resolve();
    return true;
  });
  const credentials = [credential("one"), credential("two"), credential("three")];
  const pulling = assert.rejects(runtime(100).pull(image, { credentials }), StallError);
  await silence.promise;
  pass(100);
  await pulling;
  assert.equal(asked.length, 1);
});

test("time in which nobody waits for the registry doesn't count, and a caller's abort stays its own", async (t) => {
  const pass = holdTimers(t);
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
  pass(900);
  chunks[0]?.resolve();
  await new Promise(setImmediate);
  pass(10_000);
  assert.equal(guard.signal.aborted, false, "the disk was slow");
  writing.resolve();
  await new Promise(setImmediate);
  pass(999);
  assert.equal(guard.signal.aborted, false);
  pass(1);
  assert.ok(guard.signal.reason instanceof StallError);
  chunks[1]?.resolve();
  await pumped;

  const caller = new AbortController();
  using other = new StallGuard({ action: "pull it", timeout: 1000, signal: caller.signal });
  const mine = new Error("mine");
  caller.abort(mine);
  assert.equal(other.signal.reason, mine);
});
