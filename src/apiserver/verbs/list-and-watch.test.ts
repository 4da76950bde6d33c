import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

import { configMap, openTestApi, pod, type TestApi, TestWatch } from "../testing.ts";

const MAPS = "/api/v1/namespaces/default/configmaps";
const PODS = "/api/v1/namespaces/default/pods";
const INITIAL =
  "watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true";
const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";
const PARTIAL = "application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io";

describe("list", () => {
  it("leaves the kind to the list, and says which version it is of", async () => {
    await using api = await withMaps("a", "b");
    const { body } = await api.call("GET", MAPS);
    assert.equal(body.kind, "ConfigMapList");
    assert.equal(body.metadata.resourceVersion, String(api.server.storage.revision));
    assert.deepEqual(
      body.items?.map((one) => [one.kind, one.metadata.name, one["data"]]),
      [
        [undefined, "a", { a: "b" }],
        [undefined, "b", { a: "b" }],
      ],
    );
    assert.equal((await api.call("GET", "/api/v1/configmaps")).body.items?.length, 2);
    const empty = await api.call("GET", "/api/v1/namespaces/none/configmaps");
    assert.deepEqual([empty.code, empty.body.items], [200, []]);
  });

  it("goes on in pages of one state while others write", async () => {
    await using api = await withMaps("a", "b", "c", "d", "e");
    const first = await api.call("GET", `${MAPS}?limit=2`);
    assert.equal(first.body.metadata["remainingItemCount"], 3);
    await api.call("DELETE", `${MAPS}/c`);
    await api.call("POST", MAPS, { body: configMap("c2") });
    const token = first.body.metadata.continue;
    const second = await api.call("GET", `${MAPS}?limit=2&continue=${token}`);
    assert.deepEqual(names(second.body), ["c", "d"]);
    assert.equal(second.body.metadata.resourceVersion, first.body.metadata.resourceVersion);
    const third = await api.call("GET", `${MAPS}?limit=2&continue=${second.body.metadata.continue}`);
    assert.deepEqual(names(third.body), ["e"]);
    assert.equal(third.body.metadata.continue, undefined);
  });

  it("tells a reader who is too late how to go on", async () => {
    await using api = await openTestApi({ history: 10 });
    for (const name of ["a", "b", "c"]) await api.call("POST", MAPS, { body: configMap(name) });
    const first = await api.call("GET", `${MAPS}?limit=1`);
    for (let at = 0; at < 40; at += 1) {
      await api.call("PATCH", `${MAPS}/c`, {
        body: { data: { a: `${at}` } },
        type: "application/merge-patch+json",
      });
    }
    const late = await api.call("GET", `${MAPS}?limit=1&continue=${first.body.metadata.continue}`);
    assert.equal(late.code, 410);
    assert.equal(late.body.reason, "Expired");
    const rest = await api.call("GET", `${MAPS}?continue=${late.body.metadata.continue}`);
    assert.deepEqual(names(rest.body), ["b", "c"]);
    const { resourceVersion } = first.body.metadata;
    const exact = await api.call(
      "GET",
      `${MAPS}?resourceVersion=${resourceVersion}&resourceVersionMatch=Exact`,
    );
    assert.deepEqual([exact.code, exact.body.reason], [410, "Expired"]);
    const newer = await api.call("GET", `${MAPS}?resourceVersion=${resourceVersion}`);
    assert.deepEqual(names(newer.body), ["a", "b", "c"]);
  });

  it("refuses versions and tokens that make no sense", async () => {
    await using api = await withMaps("a");
    for (const [query, code] of [
      ["resourceVersion=x", 400],
      ["resourceVersion=18446744073709551616", 400],
      ["continue=x", 400],
      ["continue=e30", 400],
      ["limit=x", 400],
      ["resourceVersionMatch=Exact", 422],
      ["resourceVersion=1&resourceVersionMatch=Foo", 422],
      ["sendInitialEvents=true", 422],
      ["watch=true&sendInitialEvents=true", 422],
      ["labelSelector=%21%21", 400],
      ["fieldSelector=spec.nosuch%3Dx", 400],
    ] as const) {
      const answer = await api.call("GET", `${MAPS}?${query}`);
      assert.equal(answer.code, code, query);
      assert.equal(answer.body.kind, "Status", query);
    }
  });

  it("waits a while for a version that lies ahead", async () => {
    await using api = await withMaps("a");
    const ahead = api.server.storage.revision + 1;
    for (const path of [MAPS, `${MAPS}/a`]) {
      const late = await until(api, api.call("GET", `${path}?resourceVersion=${ahead + 5}`));
      const message = `Timeout: Too large resource version: ${ahead + 5}, current: ${ahead - 1}`;
      assert.deepEqual([late.code, late.body.reason, late.body.message], [504, "Timeout", message]);
      assert.deepEqual(late.body.details, {
        causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
        retryAfterSeconds: 1,
      });
      assert.equal(late.headers.get("retry-after"), "1");
    }
    const coming = api.call("GET", `${MAPS}?resourceVersion=${ahead}`);
    await api.call("POST", MAPS, { body: configMap("b") });
    assert.deepEqual(names((await coming).body), ["a", "b"]);
    const gone = new AbortController();
    const left = api.call("GET", `${MAPS}?resourceVersion=${ahead + 5}`, { signal: gone.signal });
    gone.abort();
    assert.notEqual((await left).code, 200);
    assert.deepEqual(api.failures, []);
  });

  it("selects by labels and fields, and pages through what it selected", async () => {
    await using api = await openTestApi();
    for (const [name, tier] of [
      ["a", "x"],
      ["b", "y"],
      ["c", "x"],
      ["d", "x"],
    ] as const) {
      await api.call("POST", MAPS, { body: configMap(name, { labels: { tier } }) });
    }
    const first = await api.call("GET", `${MAPS}?labelSelector=tier%3Dx&limit=2`);
    assert.deepEqual(names(first.body), ["a", "c"]);
    assert.equal(first.body.metadata["remainingItemCount"], undefined);
    const token = first.body.metadata.continue;
    const second = await api.call("GET", `${MAPS}?labelSelector=tier%3Dx&limit=2&continue=${token}`);
    assert.deepEqual([names(second.body), second.body.metadata.continue], [["d"], undefined]);
    assert.deepEqual(names((await api.call("GET", `${MAPS}?fieldSelector=metadata.name%3Db`)).body), ["b"]);
  });

  it("shows itself as a table, as metadata alone, or as YAML", async () => {
    await using api = await openTestApi();
    await api.call("POST", PODS, { body: pod("web") });
    const table = await api.call("GET", PODS, { accept: TABLE });
    assert.equal(table.body.kind, "Table");
    const [row] = table.body["rows"] as unknown as { cells: unknown[]; object: { kind: string } }[];
    assert.deepEqual([row?.cells[0], row?.object.kind], ["web", "PartialObjectMetadata"]);
    assert.equal((await api.call("GET", `${PODS}/web`, { accept: TABLE })).body.kind, "Table");
    const partial = await api.call("GET", PODS, { accept: PARTIAL });
    assert.equal(partial.body.kind, "PartialObjectMetadataList");
    assert.deepEqual(
      [partial.body.items?.[0]?.kind, partial.body.items?.[0]?.spec],
      ["PartialObjectMetadata", undefined],
    );
    const yaml = await api.call("GET", `${PODS}/web`, { accept: "application/yaml" });
    assert.match(yaml.text, /^kind: Pod\napiVersion: v1\nmetadata:\n {2}name: web\n/);
    const none = await api.call("GET", PODS, { accept: "text/html" });
    assert.deepEqual([none.code, none.body.reason], [406, "NotAcceptable"]);
    const both = await api.call("GET", PODS, {
      accept: "application/vnd.kubernetes.protobuf,application/json",
    });
    assert.equal(both.code, 200);
  });
});

describe("watch", () => {
  it("begins with what is there, marks the end of that, and goes on with every change", async () => {
    await using api = await withMaps("a", "b");
    const watch = new TestWatch(await api.send("GET", `${MAPS}?${INITIAL}`));
    assert.deepEqual(await watch.take(2), ["ADDED a", "ADDED b"]);
    const end = await watch.next();
    assert.equal(end?.type, "BOOKMARK");
    assert.deepEqual(end?.object.metadata["annotations"], { "k8s.io/initial-events-end": "true" });
    assert.equal(end?.object.metadata.resourceVersion, String(api.server.storage.revision));
    await api.call("POST", MAPS, { body: configMap("c") });
    await api.call("POST", PODS, { body: pod("other") });
    await api.call("PUT", `${MAPS}/a`, { body: configMap("a", { labels: { x: "y" } }) });
    await api.call("DELETE", `${MAPS}/b`);
    assert.deepEqual(await watch.take(3), ["ADDED c", "MODIFIED a", "DELETED b"]);
    await watch.cancel();
  });

  it("resumes after a version, and begins now without initial events", async () => {
    await using api = await withMaps("a");
    const { resourceVersion } = (await api.call("GET", MAPS)).body.metadata;
    await api.call("POST", MAPS, { body: configMap("b") });
    await api.call("DELETE", `${MAPS}/a`);
    const resumed = new TestWatch(
      await api.send("GET", `${MAPS}?watch=1&resourceVersion=${resourceVersion}`),
    );
    assert.deepEqual(await resumed.take(2), ["ADDED b", "DELETED a"]);
    const query = "watch=1&sendInitialEvents=false&resourceVersionMatch=NotOlderThan";
    const fresh = new TestWatch(await api.send("GET", `${MAPS}?${query}`));
    await api.call("POST", MAPS, { body: configMap("c") });
    assert.deepEqual(await fresh.take(1), ["ADDED c"]);
    assert.deepEqual(await resumed.take(1), ["ADDED c"]);
    await Promise.all([resumed.cancel(), fresh.cancel()]);
  });

  it("waits in silence for a version that lies ahead", async () => {
    await using api = await withMaps("a");
    const ahead = api.server.storage.revision + 1;
    const query = `watch=1&allowWatchBookmarks=true&resourceVersion=${ahead}`;
    const watch = new TestWatch(await api.send("GET", `${MAPS}?${query}`));
    const first = watch.next();
    await nextTurn();
    api.clock.advance(60_000);
    await api.call("POST", MAPS, { body: configMap("known") });
    await api.call("POST", MAPS, { body: configMap("new") });
    const event = await first;
    assert.deepEqual([event?.type, event?.object.metadata.name], ["ADDED", "new"]);
    await watch.cancel();
  });

  it("begins at a version that lies ahead when that is there, and says so when it doesn't come", async () => {
    await using api = await withMaps("a");
    const ahead = api.server.storage.revision + 1;
    const come = new TestWatch(await api.send("GET", `${MAPS}?${INITIAL}&resourceVersion=${ahead}`));
    const begun = come.take(2);
    await nextTurn();
    await api.call("POST", MAPS, { body: configMap("b") });
    assert.deepEqual(await begun, ["ADDED a", "ADDED b"]);
    const missed = new TestWatch(await api.send("GET", `${MAPS}?${INITIAL}&resourceVersion=${ahead + 5}`));
    const error = await until(api, missed.next());
    assert.deepEqual([error?.type, error?.object["code"], error?.object.reason], ["ERROR", 504, "Timeout"]);
    assert.equal(await missed.next(), undefined);
    await come.cancel();
  });

  it("still stands where there was no parameter for it", async () => {
    await using api = await withMaps("a", "b");
    const every = new TestWatch(await api.send("GET", MAPS.replace("/v1/", "/v1/watch/")));
    assert.deepEqual(await every.take(2), ["ADDED a", "ADDED b"]);
    const across = new TestWatch(await api.send("GET", "/api/v1/watch/configmaps"));
    assert.deepEqual(await across.take(2), ["ADDED a", "ADDED b"]);
    const path = `${MAPS.replace("/v1/", "/v1/watch/")}/b`;
    const one = new TestWatch(await api.send("GET", `${path}?fieldSelector=metadata.name%3Db`));
    assert.deepEqual(await one.take(1), ["ADDED b"]);
    const named = new TestWatch(await api.send("GET", path));
    await api.call("DELETE", `${MAPS}/a`);
    await api.call("DELETE", `${MAPS}/b`);
    assert.deepEqual(await named.take(2), ["ADDED b", "DELETED b"]);
    const other = await api.call("GET", `${path}?fieldSelector=metadata.name%3Da`);
    assert.deepEqual(
      [other.code, other.body.message],
      [400, "fieldSelector metadata.name doesn't match requested name"],
    );
    assert.equal((await api.call("POST", path, { body: configMap("b") })).code, 405);
    await Promise.all([every, across, one, named].map((watch) => watch.cancel()));
  });

  it("says that a version is too old, in an event of its own", async () => {
    await using api = await openTestApi({ history: 5 });
    for (let at = 0; at < 20; at += 1) await api.call("POST", MAPS, { body: configMap(`m${at}`) });
    const watch = new TestWatch(await api.send("GET", `${MAPS}?watch=1&resourceVersion=2`));
    const event = await watch.next();
    assert.equal(event?.type, "ERROR");
    assert.deepEqual([event?.object["code"], event?.object.reason], [410, "Expired"]);
    assert.equal(event?.object.message, `too old resource version: 2 (${api.server.storage.compacted})`);
    assert.equal(await watch.next(), undefined);
  });

  it("adds what enters a selection and deletes what leaves it", async () => {
    await using api = await openTestApi();
    const watch = new TestWatch(await api.send("GET", `${MAPS}?watch=1&labelSelector=in%3Dyes`));
    const labels = (value: string): object => configMap("a", { labels: { in: value } });
    await api.call("POST", MAPS, { body: labels("no") });
    await api.call("PUT", `${MAPS}/a`, { body: labels("yes") });
    await api.call("PUT", `${MAPS}/a`, { body: configMap("a", { labels: { in: "yes", more: "x" } }) });
    await api.call("PUT", `${MAPS}/a`, { body: labels("no") });
    const left = api.server.storage.revision;
    await api.call("PUT", `${MAPS}/a`, { body: labels("yes") });
    await api.call("DELETE", `${MAPS}/a`);
    assert.deepEqual(await watch.take(2), ["ADDED a", "MODIFIED a"]);
    const gone = await watch.next();
    assert.deepEqual([gone?.type, gone?.object.metadata.resourceVersion], ["DELETED", String(left)]);
    assert.deepEqual(gone?.object.metadata["labels"], { in: "yes", more: "x" });
    assert.deepEqual(await watch.take(2), ["ADDED a", "DELETED a"]);
    await watch.cancel();
  });

  it("tells of a Pod's end in the steps that its node takes", async () => {
    await using api = await openTestApi();
    await api.call("POST", PODS, {
      body: pod("web", { spec: { nodeName: "n", terminationGracePeriodSeconds: 7 } }),
    });
    const watch = new TestWatch(await api.send("GET", `${PODS}?watch=1&fieldSelector=spec.nodeName%3Dn`));
    await api.call("DELETE", `${PODS}/web`);
    await api.call("DELETE", `${PODS}/web`, { body: { gracePeriodSeconds: 0 } });
    assert.deepEqual(await watch.take(1), ["ADDED web"]);
    const events = [await watch.next(), await watch.next(), await watch.next()];
    assert.deepEqual(
      events.map((event) => [event?.type, event?.object.metadata["deletionGracePeriodSeconds"]]),
      [
        ["MODIFIED", 7],
        ["MODIFIED", 0],
        ["DELETED", 0],
      ],
    );
    await watch.cancel();
  });

  it("tells the columns of a table once", async () => {
    await using api = await openTestApi();
    await api.call("POST", PODS, { body: pod("a") });
    const watch = new TestWatch(await api.send("GET", `${PODS}?watch=1`, { accept: TABLE }));
    await api.call("POST", PODS, { body: pod("b") });
    const tables = [await watch.next(), await watch.next()];
    assert.deepEqual(
      tables.map((event) => event?.object.kind),
      ["Table", "Table"],
    );
    assert.deepEqual(
      tables.map((event) => event?.object["columnDefinitions"] === null),
      [false, true],
    );
    await watch.cancel();
  });

  it("bookmarks now and then, and ends when the client's time is up", async () => {
    await using api = await openTestApi();
    const watch = new TestWatch(await api.send("GET", `${MAPS}?${INITIAL}&timeoutSeconds=90`));
    assert.equal((await watch.next())?.type, "BOOKMARK");
    await api.call("POST", PODS, { body: pod("other") });
    api.clock.advance(60_000);
    const bookmark = await watch.next();
    assert.equal(bookmark?.type, "BOOKMARK");
    assert.equal(bookmark?.object.metadata.resourceVersion, String(api.server.storage.revision));
    api.clock.advance(30_000);
    assert.equal((await watch.next())?.type, "BOOKMARK");
    assert.equal(await watch.next(), undefined);
  });

  it("ends with the server, after a bookmark to come back with", async () => {
    await using api = await withMaps("a");
    const watch = new TestWatch(await api.send("GET", `${MAPS}?${INITIAL}`));
    assert.deepEqual(await watch.take(2), ["ADDED a", "BOOKMARK"]);
    await api.restart();
    const last = await watch.next();
    assert.equal(last?.type, "BOOKMARK");
    assert.equal(await watch.next(), undefined);
    await api.call("POST", MAPS, { body: configMap("b") });
    const version = String(last?.object.metadata.resourceVersion);
    const resumed = new TestWatch(await api.send("GET", `${MAPS}?watch=1&resourceVersion=${version}`));
    assert.deepEqual(await resumed.take(1), ["ADDED b"]);
    await resumed.cancel();
  });

  it("lets go of everything when its client goes away", async () => {
    await using api = await openTestApi();
    const leave = new AbortController();
    const response = await api.send("GET", `${MAPS}?watch=1`, { signal: leave.signal });
    assert.match(
      (await api.call("GET", "/metrics")).text,
      /^apiserver_longrunning_requests\{verb="WATCH"\} 1$/m,
    );
    leave.abort();
    assert.equal(await new TestWatch(response).next(), undefined);
    assert.match(
      (await api.call("GET", "/metrics")).text,
      /^apiserver_longrunning_requests\{verb="WATCH"\} 0$/m,
    );
  });

  it(
    "hears that its client goes away though its request was long collected",
    { timeout: 60_000 },
    async () => {
      await using api = await openTestApi();
      const leave = new AbortController();
      const response = await api.send("GET", `${MAPS}?watch=1`, { signal: leave.signal });
      const watch = new TestWatch(response);
      await nextTurn();
      collect();
      leave.abort();
      assert.equal(await watch.next(), undefined);
    },
  );
});

function collect(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

async function withMaps(...list: readonly string[]): Promise<TestApi> {
  const api = await openTestApi();
  for (const name of list) await api.call("POST", MAPS, { body: configMap(name) });
  return api;
}

function names(list: {
  readonly items?: readonly { readonly metadata: { readonly name?: string } }[];
}): unknown {
  return list.items?.map((one) => one.metadata.name);
}

/** Lets time go by until there's an answer. */
async function until<Answer>(api: TestApi, answer: Promise<Answer>): Promise<Answer> {
  let there = false;
  const done = answer.finally(() => (there = true));
  while (!there) {
    api.clock.advance(1000);
    await nextTurn();
  }
  return await done;
}
