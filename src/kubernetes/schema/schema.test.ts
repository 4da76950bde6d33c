import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { API_RESOURCES } from "../objects/resources.ts";
import { convertToSchema } from "./convert.ts";
import { factsOf } from "./go-facts.ts";
import { openApiSchemas } from "./openapi.ts";
import { fieldAt, findSchema, type Schema } from "./schema.ts";
import { findTarget } from "./targets.ts";

const POD = "io.k8s.api.core.v1.Pod";

function schema(name: string): Schema {
  const found = findSchema(name);
  assert.ok(found);
  return found;
}

describe("findSchema()", () => {
  it("knows every kind that is served, and every kind of its subresources", () => {
    for (const resource of API_RESOURCES) {
      assert.equal(findSchema(resource.schema)?.kind, "struct", resource.schema);
      for (const { kind } of resource.subresources) {
        if (kind !== undefined) assert.ok(findSchema(findTarget(kind)?.schema ?? ""), kind.kind);
      }
    }
  });

  it("says how lists are merged", () => {
    const containers = fieldAt(schema(POD), ["spec", "containers"]);
    assert.deepEqual(containers?.patchStrategies, ["merge"]);
    assert.equal(containers?.mergeKey, "name");
    assert.equal(containers?.listType, "map");
    assert.deepEqual(containers?.listMapKeys, ["name"]);
    const volumes = fieldAt(schema(POD), ["spec", "volumes"]);
    assert.deepEqual(volumes?.patchStrategies, ["merge", "retainKeys"]);
    const ports = fieldAt(schema(POD), ["spec", "containers", "ports"]);
    assert.deepEqual(ports?.listMapKeys, ["containerPort", "protocol"]);
    assert.equal(fieldAt(schema(POD), ["spec", "nodeSelector"])?.mapType, "atomic");
    assert.equal(fieldAt(schema(POD), ["metadata", "labels", "app"]), undefined);
  });

  it("calls types as Go does", () => {
    const goType = (...path: string[]): string | undefined => fieldAt(schema(POD), path)?.schema.goType;
    assert.equal(goType("spec", "containers"), "[]v1.Container");
    assert.equal(goType("spec", "containers", "imagePullPolicy"), "v1.PullPolicy");
    assert.equal(goType("spec", "containers", "securityContext", "capabilities", "add"), "[]v1.Capability");
    assert.equal(goType("spec", "overhead"), "v1.ResourceList");
    assert.equal(goType("status", "conditions", "status"), "v1.ConditionStatus");
  });

  it("has no facts of fields or structs that aren't there", () => {
    const byShortName = new Map<string, Set<string>>();
    for (const [name, { properties = {} }] of Object.entries(openApiSchemas())) {
      const short = name.slice(name.lastIndexOf(".") + 1);
      // The two groups' events share their name.
      byShortName.set(short, new Set([...(byShortName.get(short) ?? []), ...Object.keys(properties)]));
    }
    for (const [name, fields] of byShortName) {
      const { pointers, always, valueTimes, textTypes } = factsOf(name);
      const times = name.endsWith("Condition") ? [] : [...valueTimes];
      const named = [...textTypes.keys()].filter(
        (field) => !name.endsWith("Condition") || field !== "status",
      );
      const said = [...pointers, ...always, ...times, ...named];
      assert.deepEqual(
        said.filter((field) => !fields.has(field)),
        [],
        name,
      );
    }
  });
});

describe("convertToSchema()", () => {
  it("drops what the type doesn't know, and says so", () => {
    const account = {
      imagePullSecrets: [{ name: "regcred", $patch: "delete" }],
      metadata: { name: "default" },
    };
    const { object, strictErrors } = convertToSchema(account, "io.k8s.api.core.v1.ServiceAccount");
    assert.deepEqual(object, { imagePullSecrets: [{ name: "regcred" }], metadata: { name: "default" } });
    assert.deepEqual(strictErrors, ['unknown field "imagePullSecrets[0].$patch"']);
  });

  it("leaves the object it was given as it was", () => {
    const pod = {
      metadata: { labels: {} },
      spec: { containers: [{ name: "c", env: [], image: undefined }] },
    };
    const before = structuredClone(pod);
    convertToSchema(pod, POD);
    assert.deepEqual(pod, before);
  });

  const wrong: readonly (readonly [spec: object, json: string, tree: string])[] = [
    [
      { nodeName: 1 },
      "json: cannot unmarshal number into Go struct field PodSpec.spec.nodeName of type string",
      "cannot convert int64 to string",
    ],
    [
      { nodeName: true },
      "json: cannot unmarshal bool into Go struct field PodSpec.spec.nodeName of type string",
      "unrecognized type: string",
    ],
    [
      { priority: 1.5 },
      "json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.priority of type int32",
      "cannot convert float64 to int32",
    ],
    [
      { priority: "1" },
      "json: cannot unmarshal string into Go struct field PodSpec.spec.priority of type int32",
      "unrecognized type: int32",
    ],
    [
      { containers: "c" },
      "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type []v1.Container",
      "cannot restore slice from string",
    ],
    [
      { containers: ["c"] },
      "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type v1.Container",
      "cannot restore struct from: string",
    ],
    [
      { nodeSelector: [] },
      "json: cannot unmarshal array into Go struct field PodSpec.spec.nodeSelector of type map[string]string",
      "cannot restore map from slice",
    ],
  ];
  for (const [spec, json, tree] of wrong) {
    it(`refuses ${JSON.stringify(spec)}`, () => {
      const pod = { spec } as Parameters<typeof convertToSchema>[0];
      assert.throws(() => convertToSchema(pod, POD), { message: json });
      assert.throws(() => convertToSchema(pod, POD, "tree"), { message: tree });
    });
  }
});
