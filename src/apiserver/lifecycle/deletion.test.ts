import assert from "node:assert/strict";
import { describe, it } from "node:test";

import type { JsonObject } from "../../kubernetes/index.ts";
import { configMap, openTestApi, pod, type TestApi } from "../testing.ts";

const MAPS = "/api/v1/namespaces/default/configmaps";
const PODS = "/api/v1/namespaces/default/pods";
const MERGE = "application/merge-patch+json";

describe("delete", () => {
  it("answers with a Status, or with what there was for some kinds", async () => {
    await using api = await openTestApi();
    const { body } = await api.call("POST", MAPS, { body: configMap("a") });
    const { code, body: status } = await api.call("DELETE", `${MAPS}/a`);
    assert.equal(code, 200);
    assert.deepEqual(status, {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Success",
      details: { name: "a", kind: "configmaps", uid: body.metadata.uid },
    });
    assert.equal((await api.call("DELETE", `${MAPS}/a`)).code, 404);
    await api.call("POST", PODS, { body: pod("web") });
    const deleted = await api.call("DELETE", `${PODS}/web`);
    assert.deepEqual([deleted.body.kind, deleted.body.metadata["deletionGracePeriodSeconds"]], ["Pod", 0]);
    assert.equal((await api.call("GET", `${PODS}/web`)).code, 404);
  });

  it("gives a Pod on a node its grace, shortens that on request, and never lengthens it", async () => {
    await using api = await openTestApi();
    await api.call("POST", PODS, { body: pod("web", { spec: { nodeName: "n" } }) });
    const first = await api.call("DELETE", `${PODS}/web`);
    assert.equal(first.body.metadata["deletionTimestamp"], "2026-01-02T03:04:35Z");
    assert.equal(first.body.metadata["deletionGracePeriodSeconds"], 30);
    assert.equal(first.body.metadata["generation"], 2);
    const longer = await api.call("DELETE", `${PODS}/web?gracePeriodSeconds=60`);
    assert.equal(longer.body.metadata.resourceVersion, first.body.metadata.resourceVersion);
    const shorter = await api.call("DELETE", `${PODS}/web`, { body: { gracePeriodSeconds: 5 } });
    assert.equal(shorter.body.metadata["deletionTimestamp"], "2026-01-02T03:04:10Z");
    await api.call("DELETE", `${PODS}/web`, { body: { gracePeriodSeconds: 0 } });
    assert.equal((await api.call("GET", `${PODS}/web`)).code, 404);
  });

  it("gives a grace of thousands of years for as long as time can be told", async () => {
    await using api = await openTestApi();
    await api.call("POST", PODS, { body: pod("web", { spec: { nodeName: "n" } }) });
    const gracePeriodSeconds = Number.MAX_SAFE_INTEGER;
    const { body } = await api.call("DELETE", `${PODS}/web`, { body: { gracePeriodSeconds } });
    assert.equal(body.metadata["deletionTimestamp"], "9999-12-31T23:59:59Z");
    assert.equal(body.metadata["deletionGracePeriodSeconds"], gracePeriodSeconds);
    const shorter = await api.call("DELETE", `${PODS}/web`, { body: { gracePeriodSeconds: 5 } });
    assert.equal(shorter.body.metadata["deletionGracePeriodSeconds"], 5);
    assert.deepEqual(api.failures, []);
  });

  it("needs no grace for a Pod whose containers have ended", async () => {
    await using api = await openTestApi();
    const { body } = await api.call("POST", PODS, { body: pod("web", { spec: { nodeName: "n" } }) });
    await api.call("PUT", `${PODS}/web/status`, { body: { ...body, status: { phase: "Succeeded" } } });
    await api.call("DELETE", `${PODS}/web`);
    assert.equal((await api.call("GET", `${PODS}/web`)).code, 404);
  });

  it("waits for finalizers, and goes with the last one", async () => {
    await using api = await openTestApi();
    await api.call("POST", MAPS, { body: configMap("a", { finalizers: ["example.com/keep"] }) });
    const { body } = await api.call("DELETE", `${MAPS}/a`);
    assert.equal(body.kind, "ConfigMap");
    assert.equal(body.metadata["deletionTimestamp"], "2026-01-02T03:04:05Z");
    const done = { metadata: { finalizers: null } };
    assert.equal((await api.call("PATCH", `${MAPS}/a`, { body: done, type: MERGE })).code, 200);
    assert.equal((await api.call("GET", `${MAPS}/a`)).code, 404);
  });

  it("holds to preconditions and dry runs", async () => {
    await using api = await openTestApi();
    const { body } = await api.call("POST", MAPS, { body: configMap("a") });
    const { uid: mine = "", resourceVersion = "" } = body.metadata;
    for (const [preconditions, why] of [
      [
        { uid: "x" },
        `the UID in the precondition (x) does not match the UID in record (${mine}). The object might have been deleted and then recreated`,
      ],
      [
        { resourceVersion: "1" },
        `the ResourceVersion in the precondition (1) does not match the ResourceVersion in record (${resourceVersion}). The object might have been modified`,
      ],
    ] as const) {
      const refused = await api.call("DELETE", `${MAPS}/a`, { body: { preconditions } });
      const message = `Operation cannot be fulfilled on ConfigMap "a": ${why}`;
      assert.deepEqual([refused.code, refused.body.message], [409, message]);
    }
    assert.equal((await api.call("DELETE", `${MAPS}/a?dryRun=All`)).code, 200);
    assert.equal((await api.call("DELETE", `${MAPS}/a`, { body: { dryRun: ["All"] } })).code, 200);
    assert.equal((await api.call("GET", `${MAPS}/a`)).code, 200);
    const { uid } = body.metadata;
    assert.equal((await api.call("DELETE", `${MAPS}/a`, { body: { preconditions: { uid } } })).code, 200);
  });

  it("deletes all of a selection", async () => {
    await using api = await openTestApi();
    for (const name of ["a", "b", "c"]) {
      await api.call("POST", MAPS, { body: configMap(name, { labels: { go: String(name !== "b") } }) });
    }
    const { code, body } = await api.call("DELETE", `${MAPS}?labelSelector=go%3Dtrue`);
    assert.deepEqual([code, body.kind, body.items?.length], [200, "ConfigMapList", 2]);
    assert.deepEqual(
      (await api.call("GET", MAPS)).body.items?.map((one) => one.metadata.name),
      ["b"],
    );
    assert.equal((await api.call("DELETE", "/api/v1/configmaps")).code, 405);
    assert.equal((await api.call("DELETE", "/api/v1/namespaces")).code, 405);
  });

  it("evicts a Pod as it deletes one", async () => {
    await using api = await openTestApi();
    await api.call("POST", PODS, { body: pod("web") });
    const body = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: "web" } };
    const { code, body: status } = await api.call("POST", `${PODS}/web/eviction`, { body });
    assert.deepEqual([code, status["status"]], [201, "Success"]);
    assert.equal((await api.call("GET", `${PODS}/web`)).code, 404);
  });
});

describe("garbage collection", () => {
  it("deletes in the background what lost its last owner, and what that owned", async () => {
    await using api = await openTestApi();
    await family(api);
    await api.call("DELETE", `${MAPS}/parent`, { body: { propagationPolicy: "Background" } });
    await api.server.idle();
    assert.deepEqual(await namesOf(api), ["stranger"]);
    assert.deepEqual(api.failures, []);
  });

  it("keeps what another owner still has, without the owner that is gone", async () => {
    await using api = await openTestApi();
    const one = await create(api, "one");
    const two = await create(api, "two");
    await create(api, "shared", [one, two]);
    await api.call("DELETE", `${MAPS}/one`);
    await api.server.idle();
    const { body } = await api.call("GET", `${MAPS}/shared`);
    assert.deepEqual(body.metadata["ownerReferences"], [two]);
  });

  it("orphans on request: the owner goes when nobody names it any more", async () => {
    await using api = await openTestApi();
    await family(api);
    const { body } = await api.call("DELETE", `${MAPS}/parent?propagationPolicy=Orphan`);
    assert.deepEqual(body.metadata["finalizers"], ["orphan"]);
    await api.server.idle();
    assert.deepEqual(await namesOf(api), ["child", "grandchild", "stranger"]);
    assert.equal((await api.call("GET", `${MAPS}/child`)).body.metadata["ownerReferences"], undefined);
  });

  it("deletes in the foreground: the owner waits for what blocks it", async () => {
    await using api = await openTestApi();
    const parent = await create(api, "parent");
    await create(api, "child", [{ ...parent, blockOwnerDeletion: true }], ["example.com/keep"]);
    const { code, body } = await api.call("DELETE", `${MAPS}/parent?propagationPolicy=Foreground`);
    assert.equal(code, 202);
    assert.deepEqual(body.metadata["finalizers"], ["foregroundDeletion"]);
    await api.server.idle();
    assert.deepEqual(await namesOf(api), ["child", "parent"]);
    await api.call("PATCH", `${MAPS}/child`, { body: { metadata: { finalizers: null } }, type: MERGE });
    await api.server.idle();
    assert.deepEqual(await namesOf(api), []);
  });

  it("finds what was left behind while the server was down, and what names an owner that never was", async () => {
    await using api = await openTestApi();
    const owner = { apiVersion: "v1", kind: "ConfigMap", name: "never", uid: "never" };
    await create(api, "lost", [owner]);
    await api.restart();
    await api.server.idle();
    assert.deepEqual(await namesOf(api), []);
    const foreign = { apiVersion: "example.com/v1", kind: "Thing", name: "x", uid: "x" };
    await create(api, "foreign", [foreign]);
    await api.server.idle();
    assert.deepEqual(await namesOf(api), ["foreign"]);
  });

  it("leaves a Job's Pods unless told otherwise, and warns of that", async () => {
    await using api = await openTestApi();
    const path = "/apis/batch/v1/namespaces/default/jobs";
    const template = { spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] } };
    await api.call("POST", path, {
      body: { apiVersion: "batch/v1", kind: "Job", metadata: { name: "j" }, spec: { template } },
    });
    const { headers } = await api.call("DELETE", `${path}/j`);
    assert.match(
      headers.get("warning") ?? "",
      /^299 - "child pods are preserved by default when jobs are deleted/,
    );
    await api.server.idle();
    assert.equal((await api.call("GET", `${path}/j`)).code, 404);
  });
});

describe("a namespace's end", () => {
  it("takes everything along, and refuses what is new meanwhile", async () => {
    await using api = await openTestApi();
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } };
    await api.call("POST", "/api/v1/namespaces", { body: namespace });
    const place = "/api/v1/namespaces/shop";
    await api.call("POST", `${place}/configmaps`, { body: configMap("a") });
    await api.call("POST", `${place}/pods`, { body: pod("web", { spec: { nodeName: "n" } }) });
    const { code, body } = await api.call("DELETE", place);
    assert.deepEqual([code, body.kind, body.status], [200, "Namespace", { phase: "Terminating" }]);
    await api.server.idle();
    const waiting = await api.call("GET", place);
    const conditions = (waiting.body.status as unknown as { conditions: JsonObject[] }).conditions;
    const remaining = conditions.find((one) => one["type"] === "NamespaceContentRemaining");
    assert.equal(remaining?.["message"], "Some resources are remaining: pods. has 1 resource instances");
    const refused = await api.call("POST", `${place}/configmaps`, { body: configMap("b") });
    assert.equal(refused.code, 403);
    assert.equal(
      refused.body.message,
      'configmaps "b" is forbidden: unable to create new content in namespace shop because it is being terminated',
    );
    await api.call("DELETE", `${place}/pods/web`, { body: { gracePeriodSeconds: 0 } });
    await api.server.idle();
    assert.equal((await api.call("GET", place)).code, 404);
    assert.deepEqual((await api.call("GET", `${place}/configmaps`)).body.items, []);
    assert.deepEqual(api.failures, []);
  });

  it("goes on after a restart", async () => {
    await using api = await openTestApi();
    await api.call("POST", "/api/v1/namespaces", {
      body: { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } },
    });
    await api.call("POST", "/api/v1/namespaces/shop/configmaps", {
      body: configMap("a", { finalizers: ["x.y/z"] }),
    });
    await api.call("DELETE", "/api/v1/namespaces/shop");
    await api.restart();
    await api.server.idle();
    const done = { metadata: { finalizers: null } };
    await api.call("PATCH", "/api/v1/namespaces/shop/configmaps/a", { body: done, type: MERGE });
    await api.server.idle();
    assert.equal((await api.call("GET", "/api/v1/namespaces/shop")).code, 404);
  });

  it("never comes for those that the system needs", async () => {
    await using api = await openTestApi();
    for (const name of ["default", "kube-system", "kube-public"]) {
      const { code, body } = await api.call("DELETE", `/api/v1/namespaces/${name}`);
      assert.deepEqual(
        [code, body.message],
        [403, `namespaces "${name}" is forbidden: this namespace may not be deleted`],
      );
    }
  });
});

describe("the default account", () => {
  it("comes back when it is deleted, but not in a namespace that is ending", async () => {
    await using api = await openTestApi();
    const path = "/api/v1/namespaces/default/serviceaccounts/default";
    const first = await api.call("GET", path);
    await api.call("DELETE", path);
    await api.server.idle();
    const second = await api.call("GET", path);
    assert.equal(second.code, 200);
    assert.notEqual(second.body.metadata.uid, first.body.metadata.uid);
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } };
    await api.call("POST", "/api/v1/namespaces", { body: namespace });
    await api.call("DELETE", "/api/v1/namespaces/shop");
    await api.server.idle();
    const left = await api.call("GET", "/api/v1/serviceaccounts?fieldSelector=metadata.namespace%3Dshop");
    assert.deepEqual(left.body.items, []);
    assert.equal((await api.call("GET", "/api/v1/namespaces/shop")).code, 404);
  });
});

describe("events", () => {
  it("go an hour after they were written last", async () => {
    await using api = await openTestApi();
    const path = "/api/v1/namespaces/default/events";
    const involvedObject = { kind: "Pod", namespace: "default", name: "web" };
    const source = { component: "test" };
    for (const name of ["old", "new"]) {
      const body = {
        apiVersion: "v1",
        kind: "Event",
        metadata: { name },
        involvedObject,
        source,
        type: "Normal",
      };
      assert.equal((await api.call("POST", path, { body })).code, 201);
    }
    api.clock.advance(59 * 60_000);
    await api.call("PATCH", `${path}/new`, { body: { count: 2 }, type: MERGE });
    api.clock.advance(2 * 60_000);
    await api.restart();
    await api.server.idle();
    const left = async (): Promise<unknown> =>
      (await api.call("GET", path)).body.items?.map((one) => one.metadata.name);
    assert.deepEqual(await left(), ["new"]);
    api.clock.advance(60 * 60_000);
    await api.restart();
    await api.server.idle();
    assert.deepEqual(await left(), []);
  });
});

async function create(
  api: TestApi,
  name: string,
  ownerReferences: readonly JsonObject[] = [],
  finalizers: readonly string[] = [],
): Promise<JsonObject> {
  const { body, code } = await api.call("POST", MAPS, {
    body: configMap(name, { ownerReferences, finalizers }),
  });
  assert.equal(code, 201);
  return { apiVersion: "v1", kind: "ConfigMap", name, uid: body.metadata.uid ?? "" };
}

async function family(api: TestApi): Promise<void> {
  const parent = await create(api, "parent");
  const child = await create(api, "child", [parent]);
  await create(api, "grandchild", [child]);
  await create(api, "stranger");
}

async function namesOf(api: TestApi): Promise<unknown> {
  return (await api.call("GET", MAPS)).body.items?.map((one) => one.metadata.name);
}
