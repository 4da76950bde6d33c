import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { configMap, openTestApi, type TestApi, TestWatch } from "./testing.ts";

const MAPS = "/api/v1/namespaces/default/configmaps";
const COUNT = 200;

describe("a server that is restarted", () => {
  it("loses nothing for twenty watchers, and tells them nothing twice", async () => {
    await using api = await openTestApi();
    const watchers = Array.from({ length: 20 }, () => new Follower(api));
    const following = Promise.all(watchers.map((one) => one.follow()));
    await create(api, 0, 70);
    await api.restart();
    // Made before everybody is back.
    await create(api, 70, 130);
    await api.restart();
    await create(api, 130, COUNT);
    const { body } = await api.call("GET", `${MAPS}?limit=75`);
    assert.equal(body.items?.length, 75);
    await api.restart();
    const rest = await api.call("GET", `${MAPS}?limit=500&continue=${body.metadata.continue}`);
    assert.equal(rest.body.items?.length, COUNT - 75);
    await api.call("DELETE", MAPS);
    await following;
    const expected = Array.from({ length: COUNT }, (_, at) => `m${at}`);
    for (const { added, deleted, revisions } of watchers) {
      assert.deepEqual(added, expected);
      assert.deepEqual(deleted.toSorted(), expected.toSorted());
      assert.ok(revisions.every((one, at) => at === 0 || one > (revisions[at - 1] ?? 0)));
    }
    assert.deepEqual(api.failures, []);
  });

  it("answers nobody after it closed, and is alone with its folder while it is open", async () => {
    const api = await openTestApi();
    const { server, folder } = api;
    const { openApiServer } = await import("./server.ts");
    await assert.rejects(openApiServer({ folder }), { code: "BUSY" });
    await server.close();
    const answer = await server.transport()(new Request(`https://api.test${MAPS}`));
    assert.equal(answer.status, 503);
    assert.equal(answer.headers.get("retry-after"), "1");
    await api[Symbol.asyncDispose]();
  });

  it("closes when its signal says so", async () => {
    const abort = new AbortController();
    const api = await openTestApi({ signal: abort.signal });
    const watch = new TestWatch(await api.send("GET", `${MAPS}?watch=1`));
    abort.abort();
    assert.equal(await watch.next(), undefined);
    await api[Symbol.asyncDispose]();
  });
});

async function create(api: TestApi, from: number, to: number): Promise<void> {
  for (let at = from; at < to; at += 1) {
    const { code } = await api.call("POST", MAPS, { body: configMap(`m${at}`) });
    assert.equal(code, 201);
  }
}

/** A client that watches, comes back when the watch ends, and writes down what it was told. */
class Follower {
  readonly added: string[] = [];
  readonly deleted: string[] = [];
  readonly revisions: number[] = [];
  readonly #api: TestApi;
  #last = "1";

  constructor(api: TestApi) {
    this.#api = api;
  }

  async follow(): Promise<void> {
    while (this.deleted.length < COUNT) {
      const query = `watch=1&allowWatchBookmarks=true&resourceVersion=${this.#last}`;
      const response = await this.#api.send("GET", `${MAPS}?${query}`);
      // The old server is closing and the new one isn't there yet.
      if (response.status === 503) {
        await new Promise((resolve) => setImmediate(resolve));
        continue;
      }
      await this.#read(new TestWatch(response));
    }
  }

  async #read(watch: TestWatch): Promise<void> {
    while (this.deleted.length < COUNT) {
      const event = await watch.next();
      if (event === undefined) return;
      const { name = "", resourceVersion = "" } = event.object.metadata;
      this.#last = resourceVersion;
      if (event.type === "BOOKMARK") continue;
      this.revisions.push(Number(resourceVersion));
      if (event.type === "ADDED") this.added.push(name);
      else if (event.type === "DELETED") this.deleted.push(name);
      else assert.fail(`unexpected event ${event.type}`);
    }
    await watch.cancel();
  }
}
