import assert from "node:assert/strict";
import type { ServerResponse } from "node:http";
import { test } from "node:test";
import { StatusError } from "../objects/status.ts";
import { frozenClock, impatientClock, openScriptedServer, podOf, PODS, sendFailure } from "./testing.ts";
import { readLines } from "./watch-lines.ts";
import type { WatchEvent } from "./watch.ts";

function line(type: string, object: object): string {
  return `${JSON.stringify({ type, object })}\n`;
}

function startWatch(response: ServerResponse, text: string): void {
  response.writeHead(200, { "content-type": "application/json" });
  response.write(text);
}

async function take(events: AsyncIterable<WatchEvent>, count: number): Promise<string[]> {
  const taken: string[] = [];
  for await (const { type, object } of events) {
    taken.push(`${type} ${object.metadata.name ?? ""}@${object.metadata.resourceVersion}`);
    if (taken.length === count) break;
  }
  return taken;
}

test("a watch goes on from the last event after an end, a cut in the middle of a line, and a refusal", async () => {
  const clock = impatientClock();
  let turn = 0;
  await using server = await openScriptedServer((_, response) => {
    turn++;
    if (turn === 1) {
      startWatch(
        response,
        line("ADDED", podOf("a", 5)) + line("BOOKMARK", { metadata: { resourceVersion: "8" } }),
      );
      response.end();
    } else if (turn === 2) {
      startWatch(response, line("MODIFIED", podOf("a", 9)) + line("ADDED", podOf("b", 10)).slice(0, 40));
      setImmediate(() => response.destroy());
    } else if (turn === 3) {
      sendFailure(response, 429, "TooManyRequests", { "retry-after": "9" });
    } else startWatch(response, line("ADDED", podOf("b", 10)) + line("DELETED", podOf("a", 11)));
  });
  const interrupts: unknown[] = [];
  const { signal } = new AbortController();
  const pods = server.client({ clock, random: () => 0 }).resource(PODS);
  const onInterrupt = (error: unknown): void => void interrupts.push((error as { code: string }).code);
  const events = await take(
    pods.watch({ resourceVersion: "4", signal, onInterrupt, fieldSelector: "x=y" }),
    5,
  );
  assert.deepEqual(events, ["ADDED a@5", "BOOKMARK @8", "MODIFIED a@9", "ADDED b@10", "DELETED a@11"]);
  const versions = server.asked.map(({ url }) =>
    new URL(url, server.url).searchParams.get("resourceVersion"),
  );
  assert.deepEqual(versions, ["4", "8", "9", "9"]);
  assert.equal(
    server.asked[0]?.url,
    "/api/v1/namespaces/default/pods?watch=true&allowWatchBookmarks=true&resourceVersion=4&fieldSelector=x%3Dy&timeoutSeconds=300",
  );
  assert.deepEqual(interrupts, ["NETWORK_RESET", "TooManyRequests"]);
  assert.deepEqual(clock.waits, [800, 9000]);
});

test("a version that is too old ends a watch, whether the answer or an event says so", async () => {
  const gone = { kind: "Status", status: "Failure", reason: "Expired", code: 410, message: "too old" };
  await using server = await openScriptedServer((request, response) => {
    if (request.url.includes("resourceVersion=1&")) return sendFailure(response, 410, "Expired");
    startWatch(response, line("ADDED", podOf("a", 3)) + line("ERROR", gone));
  });
  const pods = server.client({ clock: impatientClock() }).resource(PODS);
  const { signal } = new AbortController();
  for (const resourceVersion of ["1", "2"]) {
    const isGone = (error: unknown): boolean => error instanceof StatusError && error.code === "Expired";
    await assert.rejects(take(pods.watch({ resourceVersion, signal }), 9), isGone);
  }
});

test("a server that ends every watch at once is asked less and less often", async () => {
  const clock = impatientClock();
  await using server = await openScriptedServer((_, response) => {
    startWatch(response, line("BOOKMARK", { metadata: { resourceVersion: "1" } }));
    response.end();
  });
  const pods = server.client({ clock, random: () => 0.5 }).resource(PODS);
  await take(pods.watch({ resourceVersion: "1", signal: new AbortController().signal }), 8);
  assert.deepEqual(clock.waits, [1200, 2400, 4800, 9600, 19_200, 38_400, 45_000]);
});

test("a connection on which nothing comes any more is given up, and the watch goes on with another", async () => {
  const clock = frozenClock();
  let turn = 0;
  await using server = await openScriptedServer((_, response) => {
    turn++;
    startWatch(response, line("ADDED", podOf(`p${turn}`, turn)));
  });
  const controller = new AbortController();
  const { signal } = controller;
  const pods = server.client({ clock, random: () => 0 }).resource(PODS);
  const interrupts: unknown[] = [];
  const onInterrupt = (error: unknown): void => void interrupts.push((error as Error).message);
  const events = pods
    .watch({ resourceVersion: "0", signal, idleTimeout: 30_000, onInterrupt })
    [Symbol.asyncIterator]();
  assert.equal((await events.next()).value?.object.metadata.name, "p1");
  const next = events.next();
  const passes = async (): Promise<void> => {
    while (!clock.waits.includes(800)) await new Promise((resolve) => setImmediate(resolve));
  };
  clock.advance(30_000);
  await passes();
  clock.advance(800);
  assert.equal((await next).value?.object.metadata.name, "p2");
  assert.deepEqual(interrupts, ["Cannot go on watching: nothing came for 30 s"]);
  const reason = new Error("enough");
  const last = events.next();
  controller.abort(reason);
  await assert.rejects(last, (error: unknown) => error === reason);
});

test("leaving a watch closes its connection", async () => {
  const closed = Promise.withResolvers<void>();
  await using server = await openScriptedServer((_, response) => {
    response.on("close", closed.resolve);
    startWatch(response, line("ADDED", podOf("a", 1)));
  });
  const pods = server.client().resource(PODS);
  await take(pods.watch({ resourceVersion: "0", signal: new AbortController().signal }), 1);
  await closed.promise;
});

test("lines are put together over any cuts, and half a line at the end is no line", async () => {
  const bytes = Buffer.from('{"é":1}\r\n\n{"b":2}\n{"c"');
  for (let size = 1; size <= bytes.length; size++) {
    const chunks: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; at += size) chunks.push(bytes.subarray(at, at + size));
    const lines: string[] = [];
    for await (const one of readLines(ReadableStream.from(chunks))) lines.push(one);
    assert.deepEqual(lines, ['{"é":1}', '{"b":2}']);
  }
});
