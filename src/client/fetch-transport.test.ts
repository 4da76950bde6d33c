import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { fetchTransport } from "./fetch-transport.ts";

test("whoever answers hears of an abort for as long as its answer is read", { timeout: 60_000 }, async () => {
  const heard = Promise.withResolvers<unknown>();
  const send = fetchTransport(async ({ signal }) => {
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        controller.enqueue(Buffer.from("the first piece, and no other"));
        signal.addEventListener("abort", () => {
          heard.resolve(signal.reason);
          controller.error(signal.reason);
        });
      },
    });
    return new Response(body);
  });
  const stop = new AbortController();
  const url = new URL("http://registry.example/v2/");
  const response = await send({ method: "GET", url, headers: {}, signal: stop.signal });
  const read = response.pump(() => {});
  await nextTurn();
  collectGarbage();
  const reason = new Error("nobody wants it any more");
  stop.abort(reason);
  await assert.rejects(read, reason);
  assert.equal(await heard.promise, reason);
});

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}
