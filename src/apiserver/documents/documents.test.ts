import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";

import { API_RESOURCES, type JsonObject, type OpenApiSchema, StatusError } from "../../kubernetes/index.ts";
import { answerDocument } from "./answer-document.ts";
import { DESCRIPTIONS } from "./descriptions.ts";
import { findDocument } from "./find-document.ts";
import { encodeOpenApiV2 } from "./openapi-v2-protobuf.ts";

const OPTIONS = { accept: "application/json", serverAddress: "10.0.0.10:6443" };
const AGGREGATED =
  "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList,application/json";

function read(path: string, accept: string = OPTIONS.accept): JsonObject {
  const document = findDocument(path, { ...OPTIONS, accept });
  assert.ok(document, path);
  return JSON.parse(String(document.body)) as JsonObject;
}

/** Of a document that is there, in JSON. */
function textOf(path: string, accept: string | undefined = OPTIONS.accept): string {
  return String(findDocument(path, { ...OPTIONS, accept })?.body ?? "");
}

interface RecordedDocument {
  readonly path: string;
  readonly accept: string;
  readonly contentType: string;
  readonly body: JsonObject;
}

const recordings = (
  JSON.parse(readFileSync(new URL("../../../test/kubernetes/discovery.json", import.meta.url), "utf8")) as {
    readonly cases: readonly RecordedDocument[];
  }
).cases;

describe("discovery", () => {
  for (const { path, accept, contentType, body } of recordings) {
    it(`is what was recorded of what is served: ${path} as ${accept.slice(0, 40)}`, () => {
      assert.equal(findDocument(path, { ...OPTIONS, accept })?.contentType, contentType);
      assert.deepEqual(read(path, accept), ofOurs(body));
    });
  }

  it("has a document for each group", () => {
    assert.deepEqual(read("/apis/apps"), {
      kind: "APIGroup",
      apiVersion: "v1",
      name: "apps",
      versions: [{ groupVersion: "apps/v1", version: "v1" }],
      preferredVersion: { groupVersion: "apps/v1", version: "v1" },
    });
    assert.deepEqual(read("/apis/apps/"), read("/apis/apps"));
    assert.equal(findDocument("/apis/nosuch.example.com/v1", OPTIONS), undefined);
  });

  it("comes in the form that is liked best, of those that there are", () => {
    const kind = (accept: string | undefined): unknown =>
      (JSON.parse(textOf("/apis", accept)) as JsonObject).kind;
    assert.equal(kind(AGGREGATED), "APIGroupDiscoveryList");
    assert.equal(kind(undefined), "APIGroupList");
    assert.equal(kind("*/*"), "APIGroupList");
    assert.equal(kind(`application/json,${AGGREGATED}`), "APIGroupList");
    assert.equal(
      kind("application/json;g=apidiscovery.k8s.io;v=v3;as=APIGroupDiscoveryList,*/*;q=0.1"),
      "APIGroupList",
    );
    assert.equal(
      read("/api", "application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList").apiVersion,
      "apidiscovery.k8s.io/v2beta1",
    );
    assert.throws(
      () => kind("text/csv"),
      (error) => error instanceof StatusError && error.code === "NotAcceptable",
    );
  });
});

describe("OpenAPI documents", () => {
  interface Document {
    readonly paths: Readonly<Record<string, Readonly<Record<string, OperationDocument>>>>;
    readonly components: { readonly schemas: Readonly<Record<string, OpenApiSchema>> };
  }
  interface OperationDocument {
    readonly operationId: string;
    readonly parameters: readonly { readonly name: string }[];
    readonly "x-kubernetes-action": string;
    readonly "x-kubernetes-group-version-kind": { readonly kind: string };
  }
  const core = read("/openapi/v3/api/v1") as unknown as Document;

  it("are named in an index, under addresses that hold their hashes", () => {
    const { paths } = read("/openapi/v3") as unknown as {
      readonly paths: Readonly<Record<string, { readonly serverRelativeURL: string }>>;
    };
    assert.equal(Object.keys(paths).length, new Set(API_RESOURCES.map(({ group }) => group)).size);
    for (const [path, { serverRelativeURL }] of Object.entries(paths)) {
      const url = new URL(serverRelativeURL, "http://x");
      assert.equal(url.pathname, `/openapi/v3/${path}`);
      const etag = findDocument(url.pathname, OPTIONS)?.etag;
      assert.equal(`"${url.searchParams.get("hash")}"`, etag);
    }
  });

  it("have a patch with fieldValidation and dryRun for every kind that can be patched, which kubectl looks for", () => {
    for (const resource of API_RESOURCES.filter(({ verbs }) => verbs.includes("patch"))) {
      const root = resource.group === "" ? "api/v1" : `apis/${resource.group}/v1`;
      const { paths } = read(`/openapi/v3/${root}`) as unknown as Document;
      const patch = Object.values(paths)
        .map((item) => item.patch)
        .find((one) => one?.["x-kubernetes-group-version-kind"].kind === resource.kind);
      const names = patch?.parameters.map(({ name }) => name) ?? [];
      assert.ok(names.includes("fieldValidation") && names.includes("dryRun"), resource.resource);
    }
  });

  it("tell kubectl explain which kind a path holds", () => {
    for (const path of ["/api/v1/namespaces/{namespace}/pods", "/api/v1/pods", "/api/v1/nodes"]) {
      assert.equal(core.paths[path]?.get?.["x-kubernetes-action"], "list");
    }
    const pod = core.components.schemas["io.k8s.api.core.v1.Pod"];
    assert.deepEqual(pod?.["x-kubernetes-group-version-kind"], [{ group: "", kind: "Pod", version: "v1" }]);
    const { imagePullPolicy } = core.components.schemas["io.k8s.api.core.v1.Container"]?.properties ?? {};
    assert.match(imagePullPolicy?.description ?? "", /default is Always for the tag latest/);
    assert.deepEqual(imagePullPolicy?.enum, ["Always", "IfNotPresent", "Never"]);
  });

  it("hold every schema that they point at, and name no operation twice", () => {
    for (const path of Object.keys((read("/openapi/v3") as { readonly paths: object }).paths)) {
      const text = textOf(`/openapi/v3/${path}`);
      const { components, paths } = JSON.parse(text) as Document;
      const wanted = new Set(
        [...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)].map(([, name]) => name ?? ""),
      );
      assert.deepEqual(
        [...wanted].filter((name) => !(name in components.schemas)),
        [],
      );
      const ids = Object.values(paths).flatMap((item) =>
        Object.values(item).flatMap(({ operationId }) => operationId ?? []),
      );
      assert.equal(new Set(ids).size, ids.length);
    }
  });

  it("are there in the older version's protobuf, which is all that kubectl asks of it", () => {
    const asked = "application/com.github.proto-openapi.spec.v2@v1.0+protobuf";
    const document = findDocument("/openapi/v2", { ...OPTIONS, accept: asked });
    assert.equal(document?.contentType, asked.replace("@", "."));
    const bytes = Buffer.from(document.body as Uint8Array);
    assert.equal(bytes.subarray(0, 5).toString("latin1"), "\n\x032.0");
    // A path's name, and within it the patch's extensions; a definition's name and what it says.
    const { paths, definitions } = JSON.parse(textOf("/openapi/v2")) as JsonObject;
    for (const name of [...Object.keys(paths as object), ...Object.keys(definitions as object)]) {
      assert.ok(bytes.includes(`\n${String.fromCharCode(name.length)}${name}`), name);
    }
    const kind = '{"group":"","version":"v1","kind":"Pod"}';
    assert.ok(bytes.includes(`\x12${String.fromCharCode(kind.length)}${kind}`));
    assert.throws(
      () => encodeOpenApiV2({ swagger: "2.0", securityDefinitions: {} }),
      /Cannot encode Document\.securityDefinitions as protobuf/,
    );
  });

  it("are there in the older version, too, with nothing that it doesn't know", () => {
    const text = textOf("/openapi/v2");
    const { definitions, swagger } = JSON.parse(text) as {
      readonly definitions: object;
      readonly swagger: string;
    };
    assert.equal(swagger, "2.0");
    assert.doesNotMatch(text, /"(?:allOf|oneOf|anyOf|requestBody)"|#\/components\//);
    const wanted = new Set([...text.matchAll(/"#\/definitions\/([^"]+)"/g)].map(([, name]) => name ?? ""));
    assert.deepEqual(
      [...wanted].filter((name) => !(name in definitions)),
      [],
    );
    assert.throws(
      () => read("/openapi/v3/api/v1", "application/com.github.proto-openapi.spec.v3.v1.0+protobuf"),
      (error) => error instanceof StatusError && error.status.code === 406,
    );
  });

  it("are described only where they have something to describe", () => {
    const all = read("/openapi/v2").definitions as Readonly<Record<string, OpenApiSchema>>;
    for (const [name, texts] of Object.entries(DESCRIPTIONS)) {
      const fields = typeof texts === "string" ? [] : Object.keys(texts).filter((field) => field !== "");
      assert.ok(all[name], name);
      for (const field of fields) assert.ok(all[name].properties?.[field], `${name}.${field}`);
    }
  });
});

describe("answerDocument()", () => {
  const ask = (path: string, headers: Readonly<Record<string, string>> = {}): Response => {
    const response = answerDocument(new Request(`https://x${path}`, { headers }), OPTIONS);
    assert.ok(response);
    return response;
  };

  it("lets documents under their hash be kept for ever, and answers 304 to who has them", async () => {
    const index = (await ask("/openapi/v3").json()) as {
      readonly paths: Readonly<Record<string, { readonly serverRelativeURL: string }>>;
    };
    const url = index.paths["api/v1"]?.serverRelativeURL ?? "";
    const first = ask(`${url}&timeout=32s`);
    assert.equal(first.headers.get("cache-control"), "public, immutable");
    const etag = first.headers.get("etag") ?? "";
    const second = ask(url, { "if-none-match": etag });
    assert.equal(second.status, 304);
    assert.equal(second.headers.get("etag"), etag);
    assert.equal(await second.text(), "");
    assert.equal(ask(url, { "if-none-match": '"other"' }).status, 200);
  });

  it("sends who comes with an old hash to the new one", () => {
    const moved = ask("/openapi/v3/api/v1?hash=OLD");
    assert.equal(moved.status, 301);
    assert.match(moved.headers.get("location") ?? "", /^\/openapi\/v3\/api\/v1\?hash=[0-9A-F]{128}$/);
    assert.equal(ask("/openapi/v3/api/v1").headers.get("cache-control"), "no-cache, private");
  });

  it("lets all of discovery be kept under its hash, which depends on the Accept header", () => {
    const whole = ask("/api", { accept: AGGREGATED });
    assert.equal(whole.headers.get("cache-control"), "public");
    assert.equal(whole.headers.get("vary"), "Accept");
    assert.match(whole.headers.get("etag") ?? "", /^"[0-9A-F]{128}"$/);
    assert.equal(ask("/api", { accept: "application/json" }).headers.get("etag"), null);
  });

  it("answers nothing but GET and HEAD, and no other path", () => {
    assert.equal(answerDocument(new Request("https://x/api", { method: "POST" }), OPTIONS), undefined);
    for (const path of ["/", "/apis/apps/v2", "/openapi/v3/api/v2", "/openapi/v4", "/api/v1/pods"]) {
      assert.equal(answerDocument(new Request(`https://x${path}`), OPTIONS), undefined, path);
    }
    const head = answerDocument(new Request("https://x/version", { method: "HEAD" }), OPTIONS);
    assert.equal(head?.status, 200);
    assert.equal(head.body, null);
  });
});

/** What a recorded document says of the resources that are served here. */
function ofOurs(body: JsonObject): JsonObject {
  const served = (group: unknown, resource: string, subresource?: string): boolean =>
    API_RESOURCES.some(
      (one) =>
        one.group === group &&
        one.resource === resource &&
        (subresource === undefined || one.subresources.some(({ name }) => name === subresource)),
    );
  const group = (name: unknown): boolean => API_RESOURCES.some((one) => one.group === name);
  if (body.kind === "APIGroupList") {
    return { ...body, groups: (body.groups as readonly JsonObject[]).filter(({ name }) => group(name)) };
  }
  if (body.kind === "APIResourceList") {
    const [, name = ""] = /^(?:(.*)\/)?v1$/.exec(body.groupVersion as string) ?? [];
    const resources = (body.resources as readonly (JsonObject & { readonly name: string })[]).filter(
      (one) => {
        const [resource = "", subresource] = one.name.split("/");
        return served(name, resource, subresource);
      },
    );
    return { ...body, resources };
  }
  if (body.kind !== "APIGroupDiscoveryList") return body;
  const items = (body.items as unknown as readonly Item[]).filter(({ metadata }) =>
    group(metadata.name ?? ""),
  );
  return { ...body, items: items.map(itemOfOurs) };

  function itemOfOurs(item: Item): JsonObject {
    const versions = item.versions.map((version) => ({
      ...version,
      resources: version.resources
        .filter(({ resource }) => served(item.metadata.name ?? "", resource))
        .map(({ subresources = [], ...one }) => {
          const ours = subresources.filter(({ subresource }) =>
            served(item.metadata.name ?? "", one.resource, subresource),
          );
          return { ...one, ...(ours.length > 0 && { subresources: ours }) };
        }),
    }));
    return { ...item, versions } as unknown as JsonObject;
  }
}

interface Item {
  readonly metadata: { readonly name?: string };
  readonly versions: readonly {
    readonly resources: readonly {
      readonly resource: string;
      readonly subresources?: readonly { readonly subresource: string }[];
    }[];
  }[];
}
