import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { parse } from "yaml";

import { StatusError } from "../../kubernetes/index.ts";
import { configMap, openTestApi, pod } from "../testing.ts";
import { negotiate } from "./accept.ts";
import { climbs, parseRoute } from "./route.ts";

const MAPS = "/api/v1/namespaces/default/configmaps";
const PODS = "/api/v1/namespaces/default/pods";
const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io";

describe("negotiate()", () => {
  const SHAPES: readonly (readonly [accept: string | undefined, shape: string])[] = [
    [undefined, "Object json"],
    ["", "Object json"],
    ["*/*", "Object json"],
    ["application/json, */*", "Object json"],
    ["application/json;charset=utf-8", "Object json"],
    ["application/json;stream=watch", "Object json"],
    ["application/vnd.kubernetes.protobuf,application/json", "Object json"],
    ["application/yaml", "Object yaml"],
    ["application/yaml;q=0.5, application/json", "Object json"],
    [`${TABLE},application/json`, "Table json"],
    ["application/json;as=Table;v=v9;g=meta.k8s.io,application/json", "Object json"],
    ["application/json;g=meta.k8s.io;v=v1;as=PartialObjectMetadata", "PartialObjectMetadata json"],
    ['application/json;as="PartialObjectMetadataList";v="v1";g="meta.k8s.io"', "PartialObjectMetadata json"],
  ];

  it("takes the first wish that can be met", () => {
    for (const [accept, expected] of SHAPES) {
      const { as, encoding } = negotiate(accept);
      assert.equal(`${as} ${encoding}`, expected, accept);
    }
  });

  it("refuses when none can", () => {
    for (const accept of [
      "text/html",
      "application/json;as=Chart;g=meta.k8s.io;v=v1",
      "application/json;q=0",
    ]) {
      assert.throws(
        () => negotiate(accept),
        (error) => error instanceof StatusError && error.code === "NotAcceptable",
        accept,
      );
    }
  });
});

describe("parseRoute()", () => {
  const ROUTES: readonly (readonly [path: string, route: string])[] = [
    ["/api/v1/pods", "pods  "],
    ["/api/v1/namespaces", "namespaces  "],
    ["/api/v1/namespaces/shop", "namespaces  shop"],
    ["/api/v1/namespaces/shop/status", "namespaces  shop status"],
    ["/api/v1/namespaces/shop/finalize", "namespaces  shop finalize"],
    ["/api/v1/namespaces/shop/pods", "pods shop "],
    ["/api/v1/namespaces/shop/pods/", "pods shop "],
    ["/api/v1/namespaces/shop/pods/web/log", "pods shop web log"],
    ["/api/v1/namespaces/shop/pods/a%2Db", "pods shop a-b"],
    ["/apis/apps/v1/namespaces/shop/deployments/d/scale", "deployments shop d scale"],
    ["/api/v1/watch/pods", "watch pods  "],
    ["/api/v1/watch/namespaces", "watch namespaces  "],
    ["/api/v1/watch/namespaces/shop", "watch namespaces  shop"],
    ["/api/v1/watch/namespaces/shop/pods", "watch pods shop "],
    ["/apis/apps/v1/watch/namespaces/shop/deployments/d", "watch deployments shop d"],
    ["/api/v1/watch/namespaces/shop/status", "unknown"],
    ["/api/v1/watch/namespaces/shop/pods/web/status", "unknown"],
    ["/apis/authorization.k8s.io/v1/watch/selfsubjectaccessreviews", "unknown"],
    ["/api/v1/watch/nosuch", "unknown"],
    ["/api/v1/watch", "unknown"],
    ["/api/v1/pods/web", "unknown"],
    ["/api/v1/namespaces/shop/pods/web/log/more", "unknown"],
    ["/api/v1/namespaces/shop/nodes", "unknown"],
    ["/api/v2/pods", "path"],
    ["/apis/apps/v1", "path"],
    ["/apis/apps/v2/deployments", "unknown"],
    ["/healthz", "path"],
    ["/", "path"],
  ];

  it("knows what a path names", () => {
    for (const [path, expected] of ROUTES) {
      const route = parseRoute(path);
      const text =
        route.kind === "resource"
          ? [
              ...(route.watch ? ["watch"] : []),
              route.resource.resource,
              route.namespace,
              route.name,
              ...(route.subresource ? [route.subresource.name] : []),
            ].join(" ")
          : route.kind === "path"
            ? "path"
            : "unknown";
      assert.equal(text, expected, path);
    }
  });

  it("tells paths apart that lead elsewhere", () => {
    const bad = ["/a/../b", "/a/%2e%2e/b", "/a/.%2E/b", "/./a", "/a/..", "/a\\b", "/..?x=y"];
    const good = ["/a/b", "/a/...", "/a/..b", "/a?b=../c", "/a.b/c", "/"];
    assert.deepEqual(
      bad.filter((path) => !climbs(path)),
      [],
    );
    assert.deepEqual(
      good.filter((path) => climbs(path)),
      [],
    );
  });
});

describe("answers", () => {
  it("answers in YAML that it, and any reader of YAML, takes for the same", async () => {
    await using api = await openTestApi();
    const texts = [
      "yes",
      "on",
      "n",
      "012",
      "0o17",
      "1_000",
      "2026-01-01",
      "~",
      "1:30",
      "1e3",
      ".inf",
      "",
      "x\n",
    ];
    const data = Object.fromEntries(texts.map((text, at) => [`k${at}`, text]));
    const body = { ...configMap("a"), data: { ...data, no: "1", y: "2" } };
    await api.call("POST", MAPS, { body });
    const { text } = await api.call("GET", `${MAPS}/a`, { accept: "application/yaml" });
    assert.deepEqual((parse(text) as { data: unknown }).data, body.data);
    assert.deepEqual((parse(text, { version: "1.1" }) as { data: unknown }).data, body.data);
    const back = await api.call("PUT", `${MAPS}/a`, { body: text, type: "application/yaml" });
    assert.deepEqual([back.code, back.body["data"]], [200, body.data]);
  });

  it("are indented for people", async () => {
    await using api = await openTestApi();
    await api.call("POST", MAPS, { body: configMap("a") });
    const plain = await api.call("GET", `${MAPS}/a`);
    assert.equal(plain.text.trim().split("\n").length, 1);
    const headers = { "user-agent": "curl/8.0" };
    for (const pretty of [
      await api.call("GET", `${MAPS}/a?pretty=true`),
      await api.call("GET", `${MAPS}/a`, { headers }),
    ]) {
      assert.match(pretty.text, /^\{\n {2}"kind": "ConfigMap",\n {2}"apiVersion": "v1",\n/);
      assert.deepEqual(pretty.body, plain.body);
    }
    const refused = await api.call("GET", `${MAPS}/none?pretty=true`);
    assert.match(refused.text, /^\{\n {2}"kind": "Status"/);
  });

  it("carry warnings, each once, quoted as a header needs it", async () => {
    await using api = await openTestApi();
    const body = {
      ...pod("web"),
      spec: { containers: [{ name: "c", image: "a" }], imagePullSecrets: [{ name: "" }] },
    };
    const { headers, code } = await api.call("POST", `${PODS}?dryRun=All`, { body });
    assert.equal(code, 201);
    assert.equal(headers.get("warning"), '299 - "spec.imagePullSecrets[0].name: invalid empty name \\"\\""');
    const unknown = await api.call("POST", `${MAPS}?dryRun=All`, {
      body: { ...configMap("a"), "dä\nta": {} },
    });
    assert.equal(unknown.code, 201);
    const warning = Buffer.from(unknown.headers.get("warning") ?? "", "latin1").toString("utf8");
    assert.match(warning, /^299 - "unknown field \\"dä.*ta\\""$/);
  });

  it("tell kinds that Kubernetes has and dray doesn't from those nobody has", async () => {
    await using api = await openTestApi();
    const nobody = await api.call("GET", "/api/v1/namespaces/default/nosuchs");
    assert.deepEqual(
      [nobody.code, nobody.body.message],
      [404, "the server could not find the requested resource"],
    );
    assert.deepEqual(nobody.body.details, {});
    for (const [path, name] of [
      ["/api/v1/namespaces/default/services", "services"],
      ["/apis/networking.k8s.io/v1/ingresses", "ingresses.networking.k8s.io"],
      ["/apis/rbac.authorization.k8s.io/v1", "rbac.authorization.k8s.io"],
      ["/apis/policy/v1/poddisruptionbudgets", "poddisruptionbudgets.policy"],
    ] as const) {
      const { code, body } = await api.call("GET", path);
      assert.equal(code, 404, path);
      assert.equal(
        body.message,
        "the server could not find the requested resource: " +
          `dray keeps only kinds that have to do with images, and not ${name}`,
      );
    }
    const { body: exec } = await api.call("POST", "/api/v1/namespaces/default/pods/web/exec");
    assert.match(String(exec.message), /: dray brings images to nodes and runs no containers$/);
    const page = await api.call("GET", "/apis/nosuch.example.com/v1");
    assert.deepEqual([page.code, page.text], [404, "404 page not found\n"]);
    assert.equal(page.headers.get("content-type"), "text/plain; charset=utf-8");
  });

  it("say how the server is, and what it did", async () => {
    await using api = await openTestApi();
    assert.equal((await api.call("GET", "/readyz")).text, "ok");
    const verbose = await api.call("GET", "/livez?verbose");
    assert.equal(verbose.text, "[+]ping ok\n[+]shutdown ok\nlivez check passed\n");
    assert.equal((await api.call("GET", "/readyz/ping")).text, "ok");
    assert.equal((await api.call("GET", "/readyz/nosuch")).code, 404);
    await api.call("POST", MAPS, { body: configMap("a") });
    await api.call("POST", MAPS, { body: configMap("a") });
    const { text } = await api.call("GET", "/metrics");
    const labels =
      'component="apiserver",dry_run="",group="",resource="configmaps",scope="namespace",subresource="",verb="POST",version="v1"';
    assert.ok(text.includes(`apiserver_request_total{code="201",${labels}} 1\n`));
    assert.ok(text.includes(`apiserver_request_total{code="409",${labels}} 1\n`));
    assert.match(text, /^apiserver_request_duration_seconds_bucket\{.*verb="POST".*le="\+Inf"\} 2$/m);
    assert.match(text, /^apiserver_storage_objects\{resource="configmaps"\} 1$/m);
  });

  it("include the documents that clients look around with", async () => {
    await using api = await openTestApi();
    assert.equal((await api.call("GET", "/api")).body.kind, "APIVersions");
    assert.equal((await api.call("GET", "/apis/apps/v1")).body.kind, "APIResourceList");
    assert.equal((await api.call("GET", "/version")).body["gitVersion"], "v1.36.2");
    const root = await api.call("GET", "/");
    assert.ok((root.body["paths"] as unknown as readonly string[]).includes("/apis/apps/v1"));
  });
});

describe("a deletion's options", () => {
  it("come in protobuf, too", async () => {
    await using api = await openTestApi();
    await api.call("POST", PODS, { body: pod("web", { spec: { nodeName: "n" } }) });
    const text = (field: number, value: string): readonly number[] => {
      const bytes = [...Buffer.from(value)];
      return [(field << 3) | 2, bytes.length, ...bytes];
    };
    const meta = [...text(1, "v1"), ...text(2, "DeleteOptions")];
    // gracePeriodSeconds: 3
    const raw = [0x08, 0x03];
    const body = new Uint8Array([
      ...Buffer.from("k8s\0"),
      0x0a,
      meta.length,
      ...meta,
      0x12,
      raw.length,
      ...raw,
    ]);
    const type = "application/vnd.kubernetes.protobuf";
    const { code, body: answer } = await api.call("DELETE", `${PODS}/web`, { body, type });
    assert.deepEqual([code, answer.metadata["deletionGracePeriodSeconds"]], [200, 3]);
  });
});
