import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { configMap, openTestApi, pod, type TestApi } from "../testing.ts";

const PODS = "/api/v1/namespaces/default/pods";
const MAPS = "/api/v1/namespaces/default/configmaps";

describe("create", () => {
  it("says who, when and which version, and what the rules make of the object", async () => {
    await using api = await openTestApi();
    const { code, body, headers } = await api.call("POST", PODS, { body: pod("web") });
    assert.equal(code, 201);
    assert.equal(headers.get("content-type"), "application/json");
    const { metadata, spec, status } = body;
    assert.equal(metadata["creationTimestamp"], "2026-01-02T03:04:05Z");
    assert.match(metadata.uid ?? "", /^[0-9a-f-]{36}$/);
    assert.equal(metadata.resourceVersion, String(api.server.storage.revision));
    assert.equal(metadata["generation"], 1);
    assert.equal(metadata["namespace"], "default");
    assert.equal(spec?.["serviceAccountName"], "default");
    assert.deepEqual(status, { phase: "Pending", qosClass: "BestEffort" });
    assert.deepEqual((await api.call("GET", `${PODS}/web`)).body, body);
  });

  it("makes a name from generateName, another one when that is taken", async () => {
    let calls = 0;
    // Ten letters alike make the same name twice; then others come.
    await using api = await openTestApi({ random: () => ((calls += 1) <= 10 ? 0 : (calls % 27) / 27) });
    const body = { ...configMap(""), metadata: { generateName: "map-" } };
    const first = await api.call("POST", MAPS, { body });
    const second = await api.call("POST", MAPS, { body });
    assert.equal(first.body.metadata.name, "map-bbbbb");
    assert.equal(second.code, 201);
    assert.match(second.body.metadata.name ?? "", /^map-[b-df-hj-np-tv-xz2456789]{5}$/);
    assert.notEqual(second.body.metadata.name, "map-bbbbb");
    const long = await api.call("POST", MAPS, {
      body: { ...body, metadata: { generateName: "x".repeat(80) } },
    });
    assert.equal(long.body.metadata.name?.length, 63);
  });

  it("refuses a name that is taken", async () => {
    await using api = await openTestApi();
    await api.call("POST", MAPS, { body: configMap("a") });
    const { code, body } = await api.call("POST", MAPS, { body: configMap("a") });
    assert.equal(code, 409);
    assert.equal(body.message, 'configmaps "a" already exists');
    assert.equal(body.reason, "AlreadyExists");
  });

  it("keeps nothing of a dry run, which sees the same refusals", async () => {
    await using api = await openTestApi();
    const before = api.server.storage.revision;
    const { code, body } = await api.call("POST", `${PODS}?dryRun=All`, { body: pod("web") });
    assert.equal(code, 201);
    assert.equal(body.metadata.resourceVersion, undefined);
    assert.equal(api.server.storage.revision, before);
    assert.equal((await api.call("POST", `${PODS}?dryRun=Some`, { body: pod("web") })).code, 422);
    await api.call("POST", PODS, { body: pod("web") });
    assert.equal((await api.call("POST", `${PODS}?dryRun=All`, { body: pod("web") })).code, 409);
  });

  it("gives a new namespace its account, and makes nothing where there is no namespace", async () => {
    await using api = await openTestApi();
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } };
    const { body } = await api.call("POST", "/api/v1/namespaces", { body: namespace });
    assert.deepEqual(body.spec, { finalizers: ["kubernetes"] });
    assert.equal((await api.call("GET", "/api/v1/namespaces/shop/serviceaccounts/default")).code, 200);
    const missing = await api.call("POST", "/api/v1/namespaces/none/configmaps", { body: configMap("a") });
    assert.equal(missing.code, 404);
    assert.equal(missing.body.message, 'namespaces "none" not found');
  });
});

describe("update", () => {
  it("replaces an object of the version that is named, and refuses an older one", async () => {
    await using api = await openTestApi();
    const { body: first } = await api.call("POST", MAPS, { body: configMap("a") });
    const second = await api.call("PUT", `${MAPS}/a`, { body: { ...first, data: { a: "c" } } });
    assert.equal(second.code, 200);
    assert.notEqual(second.body.metadata.resourceVersion, first.metadata.resourceVersion);
    const { code, body } = await api.call("PUT", `${MAPS}/a`, { body: { ...first, data: { a: "d" } } });
    assert.equal(code, 409);
    assert.equal(
      body.message,
      'Operation cannot be fulfilled on configmaps "a": the object has been modified; ' +
        "please apply your changes to the latest version and try again",
    );
    const blind = await api.call("PUT", `${MAPS}/a`, { body: configMap("a", { labels: { x: "y" } }) });
    assert.equal(blind.code, 200);
    assert.equal(blind.body.metadata.uid, first.metadata.uid);
    assert.equal(blind.body.metadata["creationTimestamp"], first.metadata["creationTimestamp"]);
  });

  it("stores nothing when nothing changes", async () => {
    await using api = await openTestApi();
    const { body } = await api.call("POST", MAPS, { body: configMap("a") });
    api.clock.advance(5_000);
    const same = await api.call("PUT", `${MAPS}/a`, { body: configMap("a") });
    assert.equal(same.body.metadata.resourceVersion, body.metadata.resourceVersion);
    assert.equal(String(api.server.storage.revision), body.metadata.resourceVersion);
  });

  it("refuses another name, another namespace and another uid", async () => {
    await using api = await openTestApi();
    await api.call("POST", MAPS, { body: configMap("a") });
    const name = await api.call("PUT", `${MAPS}/a`, { body: configMap("b") });
    assert.equal(name.code, 400);
    assert.equal(name.body.message, "the name of the object (b) does not match the name on the URL (a)");
    const namespace = await api.call("PUT", `${MAPS}/a`, { body: configMap("a", { namespace: "other" }) });
    assert.equal(namespace.code, 400);
    const uid = await api.call("PUT", `${MAPS}/a`, { body: configMap("a", { uid: "x" }) });
    assert.equal(uid.code, 409);
    assert.match(
      uid.body.message ?? "",
      /: StorageError: invalid object, Code: 4, Key: \/registry\/configmaps\/default\/a, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: x, UID in object meta: [^ ]+$/,
    );
    const patch = { body: { metadata: { uid: "x" } }, type: "application/merge-patch+json" };
    const patched = await api.call("PATCH", `${MAPS}/a`, patch);
    assert.deepEqual(
      [patched.code, patched.body.message],
      [422, 'ConfigMap "a" is invalid: metadata.uid: Invalid value: "x": field is immutable'],
    );
    assert.equal((await api.call("PUT", `${MAPS}/none`, { body: configMap("none") })).code, 404);
  });

  it("makes leases and events that aren't there, and wants to know which lease it replaces", async () => {
    await using api = await openTestApi();
    const path = "/apis/coordination.k8s.io/v1/namespaces/default/leases/l";
    const lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "l" } };
    const made = await api.call("PUT", path, { body: lease });
    assert.equal(made.body.metadata.name, "l");
    const again = await api.call("PUT", path, { body: lease });
    assert.equal(again.code, 422);
    assert.match(again.body.message ?? "", /metadata.resourceVersion: Invalid value: 0x0: must be specified/);
    const next = { ...made.body, spec: { holderIdentity: "me" } };
    assert.equal((await api.call("PUT", path, { body: next })).code, 200);
  });

  it("changes through status nothing but the status, and through the object all but that", async () => {
    await using api = await openTestApi();
    const { body } = await api.call("POST", PODS, { body: pod("web") });
    const changed = {
      ...body,
      metadata: { ...body.metadata, resourceVersion: "" },
      status: { phase: "Running" },
    };
    const whole = await api.call("PUT", `${PODS}/web`, { body: changed });
    assert.equal((whole.body.status as { phase?: string })?.phase, "Pending");
    const status = await api.call("PUT", `${PODS}/web/status`, { body: changed });
    assert.equal((status.body.status as { phase?: string })?.phase, "Running");
    assert.deepEqual(status.body.spec, body.spec);
  });
});

describe("patch", () => {
  it("applies each of its kinds, and goes on from what others wrote meanwhile", async () => {
    await using api = await openTestApi();
    await api.call("POST", MAPS, { body: configMap("a") });
    const patches = Array.from({ length: 30 }, (_, at) =>
      api.call("PATCH", `${MAPS}/a`, {
        body: { data: { [`k${at}`]: "v" } },
        type: "application/merge-patch+json",
      }),
    );
    assert.deepEqual([...new Set((await Promise.all(patches)).map((one) => one.code))], [200]);
    const { body } = await api.call("GET", `${MAPS}/a`);
    assert.equal(Object.keys(body["data"] as object).length, 31);
    const json = [{ op: "replace", path: "/data/a", value: "c" }];
    const third = await api.call("PATCH", `${MAPS}/a`, { body: json, type: "application/json-patch+json" });
    assert.equal((third.body["data"] as Record<string, string>)["a"], "c");
  });

  it("holds a patch that names a version to it", async () => {
    await using api = await openTestApi();
    const { body } = await api.call("POST", MAPS, { body: configMap("a") });
    const { resourceVersion } = body.metadata;
    const type = "application/merge-patch+json";
    const patch = (value: string): object => ({ metadata: { resourceVersion }, data: { a: value } });
    assert.equal((await api.call("PATCH", `${MAPS}/a`, { body: patch("1"), type })).code, 200);
    assert.equal((await api.call("PATCH", `${MAPS}/a`, { body: patch("2"), type })).code, 409);
  });

  it("creates by server-side apply, changes by it, and tells owners of fields apart", async () => {
    await using api = await openTestApi();
    const type = "application/apply-patch+yaml";
    const text = (value: string): string =>
      `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: ${value}}\n`;
    const nobody = await api.call("PATCH", `${MAPS}/a`, { body: text("b"), type });
    assert.match(nobody.body.message ?? "", /fieldManager: Required value: is required for apply patch/);
    const one = await api.call("PATCH", `${MAPS}/a?fieldManager=one`, { body: text("b"), type });
    assert.equal(one.code, 201);
    const two = await api.call("PATCH", `${MAPS}/a?fieldManager=two`, { body: text("c"), type });
    assert.equal(two.code, 409);
    const forced = await api.call("PATCH", `${MAPS}/a?fieldManager=two&force=true`, {
      body: text("c"),
      type,
    });
    assert.equal(forced.code, 200);
    assert.deepEqual(forced.body["data"], { a: "c" });
  });

  it("applies what names its version, whatever else it leaves out", async () => {
    await using api = await openTestApi();
    const apply = async (body: unknown): ReturnType<typeof api.call> =>
      await api.call("PATCH", `${MAPS}/a?fieldManager=one`, {
        body: JSON.stringify(body),
        type: "application/apply-patch+yaml",
      });
    for (const [body, specified] of [
      [{ data: { a: "b" } }, ""],
      [{ apiVersion: "v2", kind: "ConfigMap" }, "v2"],
      [{ apiVersion: "apps/v1", kind: "ConfigMap" }, "apps/v1"],
    ] as const) {
      const { code, body: status } = await apply(body);
      const message = `Incorrect version specified in apply patch. Specified patch version: ${specified}, expected: v1`;
      assert.deepEqual([code, status["reason"], status.message], [400, "BadRequest", message]);
    }
    assert.equal((await apply(null)).code, 400);
    assert.equal((await apply({ apiVersion: "v1", kind: "ConfigMap", data: { a: "b" } })).code, 201);
    assert.equal((await apply({ apiVersion: "v1", kind: "ConfigMap", metadata: null })).code, 200);
  });

  it("refuses to apply what isn't of its type, however strict it is asked to be", async () => {
    await using api = await openTestApi();
    const title = "failed to create typed patch object (/a; /v1, Kind=ConfigMap): ";
    const map = '{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"a"}';
    const twice =
      'error converting YAML to JSON: yaml: unmarshal errors:\n  line 1: key "a" already set in map';
    for (const [body, code, message] of [
      [
        `${map},"data":{"a":5}}`,
        500,
        `${title}.data.a: expected string, got &value.valueUnstructured{Value:5}`,
      ],
      [`${map},"data":"x"}`, 500, `${title}.data: expected map, got &{x}`],
      [`${map},"dta":{}}`, 500, `${title}.dta: field not declared in schema`],
      [`${map},"data":{"a":"1","a":"2"}}`, 400, `error strict decoding patch: ${twice}`],
      [
        "[]",
        400,
        "error decoding patch: error unmarshaling JSON: while decoding JSON: json: cannot unmarshal array into Go value of type map[string]interface {}",
      ],
      [
        "a: [",
        400,
        "error decoding patch: error converting YAML to JSON: yaml: line 1: did not find expected node content",
      ],
    ] as const) {
      const path = `${MAPS}/a?fieldManager=one&fieldValidation=Strict`;
      const refused = await api.call("PATCH", path, { body, type: "application/apply-patch+yaml" });
      assert.deepEqual([refused.code, refused.body.message], [code, message]);
    }
    const body = `${map},"data":{"a":"1","a":"2"}}`;
    const warned = await api.call("PATCH", `${MAPS}/a?fieldManager=one`, {
      body,
      type: "application/apply-patch+yaml",
    });
    assert.deepEqual([warned.code, warned.body["data"]], [201, { a: "2" }]);
    assert.match(warned.headers.get("warning") ?? "", /key \\"a\\" already set in map/);
  });

  it("refuses an object that comes with a version, but for a trial", async () => {
    await using api = await openTestApi();
    const body = { ...configMap("a"), metadata: { name: "a", resourceVersion: "7" } };
    assert.equal((await api.call("POST", `${MAPS}?dryRun=All`, { body })).code, 201);
    const { code, body: status } = await api.call("POST", MAPS, { body });
    const message = "resourceVersion should not be set on objects to be created";
    assert.deepEqual([code, status["reason"], status.message], [500, undefined, message]);
    assert.equal((await api.call("GET", `${MAPS}/a`)).code, 404);
    const none = { ...configMap("a"), metadata: { name: "a", resourceVersion: "0" } };
    assert.equal((await api.call("POST", MAPS, { body: none })).code, 201);
  });

  it("refuses types it doesn't know, and patches that can't be read", async () => {
    await using api = await openTestApi();
    await api.call("POST", MAPS, { body: configMap("a") });
    assert.equal((await api.call("PATCH", `${MAPS}/a`, { body: {}, type: "application/json" })).code, 415);
    const broken = await api.call("PATCH", `${MAPS}/a`, { body: "{", type: "application/merge-patch+json" });
    assert.equal(broken.code, 400);
    const wrong = await api.call("PATCH", `${MAPS}/a`, {
      body: { data: 7 },
      type: "application/merge-patch+json",
    });
    assert.equal(wrong.code, 422);
  });
});

describe("subresources", () => {
  it("binds a Pod once", async () => {
    await using api = await openTestApi();
    await api.call("POST", PODS, { body: pod("web") });
    const body = {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name: "web" },
      target: { kind: "Node", name: "n" },
    };
    const elsewhere = { ...body, target: { kind: "Pod" } };
    const refused = await api.call("POST", `${PODS}/web/binding`, { body: elsewhere });
    assert.match(
      refused.body.message ?? "",
      /target\.kind: Unsupported value: "Pod": supported values: "Node", "<empty>", target\.name: Required value/,
    );
    const { code, body: status } = await api.call("POST", `${PODS}/web/binding`, { body });
    assert.deepEqual([code, status["status"]], [201, "Success"]);
    const bound = await api.call("GET", `${PODS}/web`);
    assert.equal(bound.body.spec?.["nodeName"], "n");
    const [condition] = (bound.body.status as unknown as { conditions: { type: string; status: string }[] })
      .conditions;
    assert.deepEqual([condition?.type, condition?.status], ["PodScheduled", "True"]);
    const again = await api.call("POST", `${PODS}/web/binding`, { body });
    assert.equal(again.code, 409);
    assert.match(again.body.message ?? "", /pod web is already assigned to node "n"/);
    assert.equal(
      (await api.call("POST", `${PODS}/none/binding`, { body: { ...body, metadata: {} } })).code,
      404,
    );
  });

  it("scales by reading, writing and patching a Scale", async () => {
    await using api = await openTestApi();
    const path = "/apis/apps/v1/namespaces/default/deployments";
    const template = { metadata: { labels: { a: "b" } }, spec: { containers: [{ name: "c", image: "i" }] } };
    const spec = { replicas: 2, selector: { matchLabels: { a: "b" } }, template };
    const body = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "d" }, spec };
    await api.call("POST", path, { body });
    const scale = await api.call("GET", `${path}/d/scale`);
    assert.equal(scale.body.kind, "Scale");
    assert.deepEqual(
      [scale.body.spec, scale.body.status],
      [{ replicas: 2 }, { replicas: 0, selector: "a=b" }],
    );
    await api.call("PUT", `${path}/d/scale`, { body: { ...scale.body, spec: { replicas: 5 } } });
    const type = "application/merge-patch+json";
    assert.equal((await api.call("GET", `${path}/d`)).body.spec?.["replicas"], 5);
    const patched = await api.call("PATCH", `${path}/d/scale`, { body: { spec: { replicas: 7 } }, type });
    assert.deepEqual(patched.body.spec, { replicas: 7 });
    assert.equal((await api.call("GET", `${path}/d`)).body.metadata["generation"], 3);
    assert.equal((await api.call("PUT", `${path}/d/scale`, { body: scale.body })).code, 409);
  });

  it("says why a container that waits has no logs", async () => {
    await using api = await openTestApi();
    const { body } = await api.call("POST", PODS, { body: pod("web") });
    const waiting = { name: "c", image: "i", imageID: "", ready: false, restartCount: 0 };
    const state = { waiting: { reason: "ImagePullBackOff" } };
    await api.call("PUT", `${PODS}/web/status`, {
      body: { ...body, status: { phase: "Pending", containerStatuses: [{ ...waiting, state }] } },
    });
    const { code, body: status } = await api.call("GET", `${PODS}/web/log`);
    assert.equal(code, 400);
    assert.equal(
      status.message,
      'container "c" in pod "web" is waiting to start: trying and failing to pull image',
    );
    assert.equal((await api.call("GET", `${PODS}/web/log?container=x`)).code, 400);
  });

  it("keeps both groups' events as the same things", async () => {
    await using api = await openTestApi();
    await createEvent(api);
    const other = await api.call("GET", "/apis/events.k8s.io/v1/namespaces/default/events/e");
    assert.equal(other.body["apiVersion"], "events.k8s.io/v1");
    assert.equal(other.body["note"], "told");
    assert.deepEqual(other.body["regarding"], { kind: "Pod", namespace: "default", name: "web" });
    const list = await api.call("GET", "/apis/events.k8s.io/v1/events?fieldSelector=regarding.name%3Dweb");
    assert.equal(list.body.items?.length, 1);
    const patched = await api.call("PATCH", "/apis/events.k8s.io/v1/namespaces/default/events/e", {
      body: { note: "again" },
      type: "application/merge-patch+json",
    });
    assert.equal(patched.code, 200);
    const core = await api.call("GET", "/api/v1/namespaces/default/events/e");
    assert.equal(core.body.message, "again");
  });
});

async function createEvent(api: TestApi): Promise<void> {
  const body = {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: "e" },
    involvedObject: { kind: "Pod", namespace: "default", name: "web" },
    reason: "Because",
    message: "told",
    type: "Normal",
    source: { component: "test" },
    reportingComponent: "",
    reportingInstance: "",
  };
  const { code } = await api.call("POST", "/api/v1/namespaces/default/events", { body });
  assert.equal(code, 201);
}
