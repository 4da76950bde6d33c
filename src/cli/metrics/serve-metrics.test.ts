import assert from "node:assert/strict";
import { test } from "node:test";

import { serveMetrics } from "./serve-metrics.ts";

test("a stream ends for a reader who had gone before it was written to", { timeout: 60_000 }, async () => {
  const ended = Promise.withResolvers<void>();
  const progress = async function* (signal: AbortSignal): AsyncGenerator<unknown> {
    try {
      yield { bytes: 1 };
      await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
      yield { bytes: 2, padding: "x".repeat(1_000_000) };
    } finally {
      ended.resolve();
    }
  };
  const pages = { metrics: () => "", progress };
  const { signal } = new AbortController();
  const server = await serveMetrics(pages, { host: "127.0.0.1", port: 0, signal });
  const leave = new AbortController();
  const response = await fetch(`http://127.0.0.1:${server.port}/progress`, { signal: leave.signal });
  await response.body?.getReader().read();
  leave.abort();
  await ended.promise;
  await server.close(1000);
});

test("serveMetrics() serves metrics, health and a stream that ends with the node or its reader", async () => {
  const ending = new AbortController();
  const ended: string[] = [];
  let readers = 0;
  const progress = async function* (signal: AbortSignal): AsyncGenerator<unknown> {
    const name = `reader ${++readers}`;
    yield { bytes: 1 };
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    ended.push(name);
  };
  const pages = { metrics: () => "a 1\n", progress };
  const server = await serveMetrics(pages, { host: "127.0.0.1", port: 0, signal: ending.signal });
  const at = (path: string, init?: RequestInit): Promise<Response> =>
    fetch(`http://127.0.0.1:${server.port}${path}`, init);

  const metrics = await at("/metrics?x=1");
  assert.match(metrics.headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
  assert.equal(await metrics.text(), "a 1\n");
  assert.equal(await (await at("/healthz")).text(), "ok\n");
  assert.equal((await at("/other")).status, 404);
  assert.equal((await at("/metrics", { method: "POST" })).status, 405);
  const head = await at("/metrics", { method: "HEAD" });
  assert.deepEqual([head.status, head.headers.get("content-length")], [200, "4"]);

  const controller = new AbortController();
  const left = await at("/progress", { signal: controller.signal });
  const stays = await at("/progress");
  const first = await left.body?.getReader().read();
  assert.equal(Buffer.from(first?.value ?? []).toString(), '{"bytes":1}\n');
  controller.abort();
  while (ended.length === 0) await new Promise(setImmediate);
  assert.deepEqual(ended, ["reader 1"]);
  ending.abort();
  assert.equal(await stays.text(), '{"bytes":1}\n');
  await server.close(1000);
  assert.deepEqual(ended, ["reader 1", "reader 2"]);
});
