/**
 * Writes the tables of Kubernetes' types that `src/kubernetes/generated` holds:
 *
 *     node scripts/generate-kubernetes.ts OPENAPI.json PROTOBUF.json
 *
 * The first file has `source` and `schemas` (name to OpenAPI v3 schema, as `/openapi/v3` serves them), the second
 * `source` and `messages` (name to `[number, JSON name, type]`). What neither has and dray serves is added here.
 */
import { readFileSync, writeFileSync } from "node:fs";

interface OpenApiFile {
  readonly source: readonly string[];
  readonly schemas: Readonly<Record<string, unknown>>;
}

type Field = readonly [number: number, name: string, type: string];

interface ProtobufFile {
  readonly source: readonly string[];
  readonly messages: Readonly<Record<string, readonly Field[]>>;
}

const APPS = "io.k8s.api.apps.v1";
const CORE = "io.k8s.api.core.v1";
const AUTHENTICATION = "io.k8s.api.authentication.v1";
const META = "io.k8s.apimachinery.pkg.apis.meta.v1";

const TEXT = { type: "string" };
const INT32 = { type: "integer", format: "int32" };
const COUNT = { type: "integer", format: "int32" };

const MORE_SCHEMAS: Readonly<Record<string, unknown>> = {
  [`${APPS}.ControllerRevision`]: {
    ...kind("apps", "ControllerRevision", {
      data: pointer("io.k8s.apimachinery.pkg.runtime.RawExtension"),
      metadata: embedded(`${META}.ObjectMeta`),
      revision: { type: "integer", format: "int64", default: 0 },
    }),
    required: ["revision"],
  },
  [`${APPS}.ControllerRevisionList`]: list("apps", "ControllerRevision", APPS),
  [`${CORE}.ReplicationController`]: kind("", "ReplicationController", {
    metadata: embedded(`${META}.ObjectMeta`),
    spec: embedded(`${CORE}.ReplicationControllerSpec`),
    status: embedded(`${CORE}.ReplicationControllerStatus`),
  }),
  [`${CORE}.ReplicationControllerList`]: list("", "ReplicationController", CORE),
  [`${CORE}.ReplicationControllerSpec`]: struct({
    minReadySeconds: { ...INT32, default: 0 },
    replicas: { ...INT32, default: 1 },
    selector: {
      type: "object",
      additionalProperties: { ...TEXT, default: "" },
      "x-kubernetes-map-type": "atomic",
    },
    template: pointer(`${CORE}.PodTemplateSpec`),
  }),
  [`${CORE}.ReplicationControllerStatus`]: struct(
    {
      availableReplicas: COUNT,
      conditions: {
        type: "array",
        items: { $ref: reference(`${CORE}.ReplicationControllerCondition`) },
        "x-kubernetes-list-map-keys": ["type"],
        "x-kubernetes-list-type": "map",
        "x-kubernetes-patch-merge-key": "type",
        "x-kubernetes-patch-strategy": "merge",
      },
      fullyLabeledReplicas: COUNT,
      observedGeneration: { type: "integer", format: "int64" },
      readyReplicas: COUNT,
      replicas: { ...COUNT, default: 0 },
    },
    ["replicas"],
  ),
  [`${CORE}.ReplicationControllerCondition`]: struct(
    {
      lastTransitionTime: pointer(`${META}.Time`),
      message: TEXT,
      reason: TEXT,
      status: { ...TEXT, default: "" },
      type: { ...TEXT, default: "" },
    },
    ["type", "status"],
  ),
  [`${AUTHENTICATION}.SelfSubjectReview`]: kind("authentication.k8s.io", "SelfSubjectReview", {
    metadata: embedded(`${META}.ObjectMeta`),
    status: embedded(`${AUTHENTICATION}.SelfSubjectReviewStatus`),
  }),
  [`${AUTHENTICATION}.SelfSubjectReviewStatus`]: struct({ userInfo: embedded(`${AUTHENTICATION}.UserInfo`) }),
  [`${AUTHENTICATION}.UserInfo`]: struct({
    extra: { type: "object", additionalProperties: { type: "array", items: TEXT } },
    groups: { type: "array", items: TEXT, "x-kubernetes-list-type": "atomic" },
    uid: TEXT,
    username: TEXT,
  }),
};

const PROTO_META = "k8s.io.apimachinery.pkg.apis.meta.v1";

const MORE_MESSAGES: Readonly<Record<string, readonly Field[]>> = {
  "k8s.io.api.apps.v1.ControllerRevision": [
    [1, "metadata", `${PROTO_META}.ObjectMeta`],
    [2, "data", "k8s.io.apimachinery.pkg.runtime.RawExtension"],
    [3, "revision", "int64"],
  ],
  "k8s.io.apimachinery.pkg.runtime.RawExtension": [[1, "raw", "bytes"]],
  "k8s.io.api.core.v1.ReplicationController": object("core", "ReplicationController"),
  "k8s.io.api.core.v1.ReplicationControllerSpec": [
    [1, "replicas", "int32"],
    [2, "selector", "map<string,string>"],
    [3, "template", "k8s.io.api.core.v1.PodTemplateSpec"],
    [4, "minReadySeconds", "int32"],
  ],
  "k8s.io.api.core.v1.ReplicationControllerStatus": [
    [1, "replicas", "int32"],
    [2, "fullyLabeledReplicas", "int32"],
    [3, "observedGeneration", "int64"],
    [4, "readyReplicas", "int32"],
    [5, "availableReplicas", "int32"],
    [6, "conditions", "k8s.io.api.core.v1.ReplicationControllerCondition[]"],
  ],
  "k8s.io.api.core.v1.ReplicationControllerCondition": [
    [1, "type", "string"],
    [2, "status", "string"],
    [3, "lastTransitionTime", `${PROTO_META}.Time`],
    [4, "reason", "string"],
    [5, "message", "string"],
  ],
  "k8s.io.api.core.v1.PodTemplate": [
    [1, "metadata", `${PROTO_META}.ObjectMeta`],
    [2, "template", "k8s.io.api.core.v1.PodTemplateSpec"],
  ],
  "k8s.io.api.autoscaling.v1.Scale": object("autoscaling", "Scale"),
  "k8s.io.api.autoscaling.v1.ScaleSpec": [[1, "replicas", "int32"]],
  "k8s.io.api.autoscaling.v1.ScaleStatus": [
    [1, "replicas", "int32"],
    [2, "selector", "string"],
  ],
  "k8s.io.api.policy.v1.Eviction": [
    [1, "metadata", `${PROTO_META}.ObjectMeta`],
    [2, "deleteOptions", `${PROTO_META}.DeleteOptions`],
  ],
};

const [openApiPath, protobufPath] = process.argv.slice(2);
if (openApiPath === undefined || protobufPath === undefined) {
  throw new Error("Usage: node scripts/generate-kubernetes.ts OPENAPI.json PROTOBUF.json");
}

const openApi = read<OpenApiFile>(openApiPath);
const protobuf = read<ProtobufFile>(protobufPath);
write("openapi-table", "OPENAPI_TABLE", {
  source: openApi.source,
  members: { ...openApi.schemas, ...missing(MORE_SCHEMAS, openApi.schemas) },
});
write("protobuf-table", "PROTOBUF_TABLE", {
  source: protobuf.source,
  members: { ...protobuf.messages, ...missing(MORE_MESSAGES, protobuf.messages) },
});

interface Table {
  readonly source: readonly string[];
  readonly members: Readonly<Record<string, unknown>>;
}

/** One text, parsed when it's first needed: a string costs a start next to nothing, an object literal much. */
function write(file: string, name: string, table: Table): void {
  const lines = Object.entries(table.members)
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([member, value]) => `${JSON.stringify(member)}:${JSON.stringify(value)}`);
  const json = `{\n${lines.join(",\n")}\n}`;
  if (/[`\\]|\$\{/.test(json)) throw new Error(`${file} holds what a template can't`);
  const text = [
    "// Made by scripts/generate-kubernetes.ts; never edited.",
    ...table.source.map((source) => `// Source: ${source}`),
    `export const ${name}: string = \`${json}\`;`,
    "",
  ].join("\n");
  writeFileSync(new URL(`../src/kubernetes/generated/${file}.ts`, import.meta.url), text);
}

function read<T>(path: string): T {
  return JSON.parse(readFileSync(path, "utf8")) as T;
}

/** What a newer table has itself needs nothing of ours. */
function missing<T>(more: Readonly<Record<string, T>>, known: object): Readonly<Record<string, T>> {
  return Object.fromEntries(Object.entries(more).filter(([name]) => !Object.hasOwn(known, name)));
}

function reference(name: string): string {
  return `#/components/schemas/${name}`;
}

function pointer(name: string): object {
  return { allOf: [{ $ref: reference(name) }] };
}

function embedded(name: string): object {
  return { default: {}, ...pointer(name) };
}

function struct(properties: object, required: readonly string[] = []): object {
  return { type: "object", ...(required.length > 0 && { required }), properties };
}

function kind(group: string, name: string, properties: object): object {
  const typed = { apiVersion: TEXT, kind: TEXT, ...properties };
  return { ...struct(typed), "x-kubernetes-group-version-kind": [{ group, kind: name, version: "v1" }] };
}

function list(group: string, item: string, folder: string): object {
  const items = { type: "array", items: { $ref: reference(`${folder}.${item}`) } };
  return {
    ...kind(group, `${item}List`, { items, metadata: embedded(`${META}.ListMeta`) }),
    required: ["items"],
  };
}

function object(folder: string, name: string): readonly Field[] {
  return [
    [1, "metadata", `${PROTO_META}.ObjectMeta`],
    [2, "spec", `k8s.io.api.${folder}.v1.${name}Spec`],
    [3, "status", `k8s.io.api.${folder}.v1.${name}Status`],
  ];
}
