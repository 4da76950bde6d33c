import assert from "node:assert/strict";
import { test } from "node:test";

import { digestOf, MEDIA_TYPES } from "../../oci/index.ts";
import { accessBy, type Authorize } from "../access.ts";
import { EMPTY_INDEX, TestRegistry } from "../testing.ts";
import { actionOf, isDone, type Action } from "./action.ts";
import type { Exchange, Observer } from "./exchange.ts";
import { Statistics } from "./statistics.ts";

/** Everything that was heard of, as it was at the end. */
class Listener implements Observer {
  readonly heard: string[] = [];
  readonly actions: (Action & { readonly done: boolean })[] = [];
  readonly ended: Exchange[] = [];

  onBegin({ request }: Exchange): void {
    this.heard.push(`begin ${request.method}`);
  }

  async onAnswer(exchange: Exchange): Promise<void> {
    await Promise.resolve();
    this.heard.push(`answer ${exchange.status}`);
    const action = actionOf(exchange);
    if (action !== undefined) this.actions.push({ ...action, done: isDone(exchange) });
  }

  onEnd(exchange: Exchange): void {
    this.heard.push(`end ${exchange.bytesIn} ${exchange.bytesOut}`);
    this.ended.push(exchange);
  }
}

test("a change is heard of when it begins, before its answer goes out, and when it is out", async () => {
  const listener = new Listener();
  await using registry = new TestRegistry({ observers: [listener] });
  await registry.pushBlob("app", "hello");
  assert.deepEqual(listener.heard, ["begin POST", "answer 201", "end 5 0"]);
});

test("what is read ends when its last byte was taken, or its reader left", async () => {
  const listener = new Listener();
  await using registry = new TestRegistry({ observers: [listener] });
  const digest = await registry.pushBlob("app", "hello");
  listener.heard.length = 0;
  const answer = await registry.send("GET", `/v2/app/blobs/${digest}`);
  assert.deepEqual(listener.heard, ["begin GET", "answer 200"]);
  assert.equal(await answer.text(), "hello");
  while (listener.heard.length < 3) await new Promise(setImmediate);
  assert.equal(listener.heard.at(-1), "end 0 5");
  const left = await registry.send("GET", `/v2/app/blobs/${digest}`);
  await left.body?.cancel();
  while (listener.heard.length < 6) await new Promise(setImmediate);
  assert.equal(listener.heard.at(-1), "end 0 0");
});

test("each kind of change is told by what it was about", async () => {
  const listener = new Listener();
  await using registry = new TestRegistry({ observers: [listener] });
  const blob = await registry.pushBlob("app", "hello");
  const location = await registry.begin("app");
  await registry.send("PATCH", location, "chunk");
  await registry.send("PUT", `${location}?digest=${digestOf("chunk")}`);
  await registry.send("POST", `/v2/other/blobs/uploads/?mount=${blob}&from=app`);
  const manifest = JSON.stringify(EMPTY_INDEX);
  const digest = digestOf(manifest);
  const type = { "content-type": MEDIA_TYPES.ociIndex };
  await registry.put("/v2/app/manifests/1.0", EMPTY_INDEX, type);
  await registry.put(`/v2/app/manifests/${digest}?tag=a&tag=b`, EMPTY_INDEX, type);
  await (await registry.send("GET", "/v2/app/manifests/1.0")).text();
  await registry.send("HEAD", `/v2/app/blobs/${blob}`);
  await registry.send("DELETE", "/v2/app/manifests/1.0");
  await registry.send("DELETE", `/v2/app/manifests/${digest}`);
  await registry.send("DELETE", `/v2/other/blobs/${blob}`);
  const told = listener.actions.map(({ done, ...action }) => {
    assert.equal(done, true);
    return JSON.parse(JSON.stringify({ ...action, mediaType: undefined })) as unknown;
  });
  const inApp = { repository: "app", tags: [] };
  const size = manifest.length;
  assert.deepEqual(told, [
    { action: "push", kind: "blob", ...inApp, digest: blob, size: 5 },
    { action: "push", kind: "blob", ...inApp, digest: digestOf("chunk"), size: 5 },
    { action: "mount", kind: "blob", repository: "other", digest: blob, tags: [], size: 5, from: "app" },
    { action: "push", kind: "manifest", repository: "app", digest, tags: ["1.0"], size },
    { action: "push", kind: "manifest", repository: "app", digest, tags: ["a", "b"], size },
    { action: "pull", kind: "manifest", repository: "app", digest, tags: ["1.0"], size },
    { action: "pull", kind: "blob", ...inApp, digest: blob, size: 5 },
    { action: "delete", kind: "tag", repository: "app", digest, tags: ["1.0"] },
    { action: "delete", kind: "manifest", ...inApp, digest },
    { action: "delete", kind: "blob", repository: "other", digest: blob, tags: [] },
  ]);
});

test("who asked, and why they were refused, is known", async () => {
  const listener = new Listener();
  const authorize: Authorize = (_, wanted) =>
    wanted.some(({ actions }) => actions.includes("push"))
      ? { allowed: false, status: 403, reason: "only to look at", caller: "alice" }
      : { allowed: true, caller: "alice" };
  await using registry = new TestRegistry({ observers: [listener], access: accessBy(authorize) });
  await registry.send("GET", "/v2/app/tags/list");
  await registry.send("POST", "/v2/app/blobs/uploads/");
  const [list, push] = listener.ended;
  assert.deepEqual([list?.caller, list?.denial], ["alice", undefined]);
  assert.deepEqual([push?.caller, push?.denial, push?.status], ["alice", "only to look at", 403]);
});

test("an observer that fails is reported, and changes no answer; one in doubt keeps changes from happening", async () => {
  let doubt: string | undefined;
  const failing: Observer = {
    onBegin: () => {
      throw new Error("begin");
    },
    onAnswer: async () => await Promise.reject(new Error("answer")),
    mayChange: () => doubt,
  };
  await using registry = new TestRegistry({ observers: [failing] });
  const digest = await registry.pushBlob("app", "x");
  assert.deepEqual(
    registry.failures.map((error) => (error as Error).message),
    ["begin", "answer"],
  );
  doubt = "Not now";
  const refused = await registry.send("DELETE", `/v2/app/blobs/${digest}`);
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get("retry-after"), "30");
  assert.match(await refused.text(), /UNAVAILABLE.*Not now/);
  doubt = undefined;
  assert.equal((await registry.send("HEAD", `/v2/app/blobs/${digest}`)).status, 200);
});

test("statistics count by route, method and status, and what is under way", async () => {
  const statistics = new Statistics();
  await using registry = new TestRegistry({ observers: [statistics] });
  await registry.pushBlob("app", "hello");
  await registry.pushBlob("app", "world!");
  await registry.send("GET", "/v2/app/tags/list");
  await registry.send("BREW", "/v2/");
  const counts = statistics.counts.map(({ route, method, status, count, bytesIn, buckets }) => {
    assert.equal(
      buckets.reduce((sum, one) => sum + one, 0),
      count,
    );
    return [route, method, status, count, bytesIn];
  });
  assert.deepEqual(counts, [
    ["uploads", "POST", 201, 2, 11],
    ["tags", "GET", 200, 1, 0],
    ["base", "other", 405, 1, 0],
  ]);
  const location = await registry.begin("app");
  let send: (chunk: Uint8Array) => void = () => {};
  let end = (): void => {};
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      send = (chunk) => controller.enqueue(chunk);
      end = () => controller.close();
    },
  });
  const init = { method: "PATCH", body, duplex: "half" } as RequestInit;
  const patching = registry.registry.fetch(new Request(new URL(location, "http://registry"), init));
  send(Buffer.from("x"));
  await new Promise(setImmediate);
  assert.deepEqual(statistics.underWay, { requests: 1, uploads: 1 });
  end();
  await patching;
  assert.deepEqual(statistics.underWay, { requests: 0, uploads: 0 });
});
