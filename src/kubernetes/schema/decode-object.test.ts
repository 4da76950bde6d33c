import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";

import fc from "fast-check";

import type { KubernetesObject } from "../objects/object.ts";
import { API_RESOURCES } from "../objects/resources.ts";
import { StatusError } from "../objects/status.ts";
import { decodeObject, type DecodedObject, type FieldValidation } from "./decode-object.ts";
import { type DecodeTarget, DELETE_OPTIONS, findTarget } from "./targets.ts";

interface Recorded<T> {
  readonly cases: readonly T[];
}

interface RecordedBody {
  readonly name: string;
  readonly path: string;
  readonly contentType: string;
  readonly text: string;
  readonly code: number;
  readonly message: string;
  readonly warning: string;
}

function recorded<T>(file: string): readonly T[] {
  const url = new URL(`../../../test/kubernetes/${file}`, import.meta.url);
  return (JSON.parse(readFileSync(url, "utf8")) as Recorded<T>).cases;
}

function target(kind: string, group: string = ""): DecodeTarget {
  const found = findTarget({ group, version: "v1", kind });
  assert.ok(found);
  return found;
}

function decode(body: unknown, options: Partial<Parameters<typeof decodeObject>[1]> = {}): DecodedObject {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return decodeObject(Buffer.from(text), {
    contentType: "application/json",
    resource: target("Pod"),
    fieldValidation: "Warn",
    ...options,
  });
}

function refusal(body: unknown, options: Partial<Parameters<typeof decodeObject>[1]> = {}): string {
  try {
    decode(body, options);
  } catch (error) {
    assert.ok(error instanceof StatusError, String(error));
    return error.message;
  }
  return "no refusal";
}

const pod = (spec: object): object => ({ apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec });

describe("decodeObject() with recorded requests", () => {
  for (const one of recorded<RecordedBody>("bodies.json")) {
    it(one.name, () => {
      const url = new URL(one.path, "http://x");
      const plural = url.pathname.split("/").at(-1);
      const resource = API_RESOURCES.find(({ resource: name }) => name === plural) as DecodeTarget;
      const fieldValidation = (url.searchParams.get("fieldValidation") ?? "Warn") as FieldValidation;
      const options = { contentType: one.contentType, resource, fieldValidation };
      if (one.code >= 400) {
        assert.equal(refusal(one.text, options), one.message);
      } else {
        const expected = one.warning === "" ? [] : [JSON.parse(one.warning.replace("299 - ", ""))];
        assert.deepEqual(decode(one.text, options).warnings, expected);
      }
    });
  }

  it("leaves every object that the API server wrote as it is", () => {
    for (const object of recorded<KubernetesObject>("objects.json")) {
      const [group = "", version] = object.apiVersion.includes("/")
        ? object.apiVersion.split("/")
        : ["", object.apiVersion];
      assert.equal(version, "v1");
      const options = { resource: target(object.kind, group), fieldValidation: "Strict" } as const;
      assert.deepEqual(decode(object, options).object, object);
    }
  });
});

describe("decodeObject()", () => {
  it("writes maps by the bytes of their names, as Go does", () => {
    const labels = { z: "1", "\u{1f600}": "2", a: "3", "\uff5e": "4" };
    const { object } = decode({ apiVersion: "v1", kind: "Pod", metadata: { name: "p", labels } });
    assert.deepEqual(Object.keys(object.metadata.labels ?? {}), ["a", "z", "\uff5e", "\u{1f600}"]);
  });

  it("takes what a body doesn't say of its kind from the path", () => {
    const { object, warnings } = decode({ metadata: { name: "p" } });
    assert.deepEqual(object, {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "p" },
      spec: {},
      status: {},
    });
    assert.deepEqual(warnings, []);
  });

  it("drops nulls and zeros that Go's types don't tell from their absence, and keeps the others", () => {
    const spec = {
      hostNetwork: false,
      nodeName: "",
      nodeSelector: {},
      tolerations: null,
      priority: 0,
      automountServiceAccountToken: false,
      securityContext: { runAsUser: 0, fsGroup: null },
      containers: [
        { name: "c", tty: false, env: [], command: null, restartPolicy: "", ports: [{ containerPort: 0 }] },
      ],
    };
    assert.deepEqual(decode(pod(spec)).object.spec, {
      priority: 0,
      automountServiceAccountToken: false,
      securityContext: { runAsUser: 0 },
      containers: [{ name: "c", restartPolicy: "", resources: {}, ports: [{ containerPort: 0 }] }],
    });
  });

  it("writes amounts, times and bytes in their canonical form", () => {
    const resources = { limits: { cpu: "1000m", memory: 1048576 }, requests: { cpu: 0.5 } };
    const decoded = decode(pod({ containers: [{ name: "c", resources }] }));
    assert.deepEqual(decoded.object.spec, {
      containers: [
        { name: "c", resources: { limits: { cpu: "1", memory: "1048576" }, requests: { cpu: "500m" } } },
      ],
    });
    const secret = decode(
      { data: { a: "YQ\n==", b: null }, metadata: { creationTimestamp: "2026-01-02T03:04:05.6+01:00" } },
      { resource: target("Secret") },
    );
    assert.deepEqual(secret.object, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { creationTimestamp: "2026-01-02T02:04:05Z" },
      data: { a: "YQ==", b: "" },
    });
  });

  it("takes names of fields to the letter, and lets a later duplicate win", () => {
    const text = `{"Kind":"Pod","spec":{"Containers":[],"nodeName":"a","nodeName":"b","securityContext":{"runAsUser":1},"securityContext":{"fsGroup":2}}}`;
    const { object, warnings } = decode(text);
    assert.deepEqual(object.spec, { nodeName: "b", securityContext: { runAsUser: 1, fsGroup: 2 } });
    assert.deepEqual(warnings, [
      'unknown field "Kind"',
      'unknown field "spec.Containers"',
      'duplicate field "spec.nodeName"',
      'duplicate field "spec.securityContext"',
    ]);
    assert.deepEqual(decode(text, { fieldValidation: "Ignore" }).warnings, []);
    assert.equal(
      refusal(text, { fieldValidation: "Strict" }),
      `Pod in version "v1" cannot be handled as a Pod: strict decoding error: ${warnings.join(", ")}`,
    );
  });

  it("reports a hundred strict errors at most", () => {
    const spec = Object.fromEntries(Array.from({ length: 150 }, (_, index) => [`x${index}`, 1]));
    assert.equal(decode(pod(spec)).warnings.length, 100);
  });

  it("keeps members called as JavaScript's own", () => {
    const text = `{"data":{"__proto__":"a","constructor":"b"},"metadata":{},"toString":1}`;
    const { object, warnings } = decode(text, { resource: target("ConfigMap") });
    assert.equal(JSON.stringify(object.data), `{"__proto__":"a","constructor":"b"}`);
    assert.deepEqual(warnings, ['unknown field "toString"']);
  });

  const wrong: readonly (readonly [body: unknown, message: string])[] = [
    [
      pod({ restartPolicy: true }),
      "json: cannot unmarshal bool into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy",
    ],
    [
      pod({ containers: {} }),
      "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container",
    ],
    [pod([]), "json: cannot unmarshal array into Go struct field Pod.spec of type v1.PodSpec"],
    [
      pod({ priority: 1.5 }),
      "json: cannot unmarshal number 1.5 into Go struct field PodSpec.spec.priority of type int32",
    ],
    [
      pod({ priority: 2147483648 }),
      "json: cannot unmarshal number 2147483648 into Go struct field PodSpec.spec.priority of type int32",
    ],
    [
      pod({ priority: "1" }),
      "json: cannot unmarshal string into Go struct field PodSpec.spec.priority of type int32",
    ],
    [
      pod({ hostNetwork: "yes" }),
      "json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool",
    ],
    [
      pod({ nodeSelector: { a: 1 } }),
      "json: cannot unmarshal number into Go struct field PodSpec.spec.nodeSelector of type string",
    ],
    [
      pod({ containers: [{ resources: { limits: [] } }] }),
      "json: cannot unmarshal array into Go struct field ResourceRequirements.spec.containers.resources.limits of type v1.ResourceList",
    ],
    [
      pod({ containers: [{ resources: { limits: { cpu: "x" } } }] }),
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ],
    [
      pod({ containers: [{ livenessProbe: { httpGet: { port: true } } }] }),
      "json: cannot unmarshal bool into Go struct field HTTPGetAction.spec.containers.livenessProbe.httpGet.port of type int32",
    ],
    [
      { metadata: { creationTimestamp: 5 } },
      "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.creationTimestamp of type string",
    ],
    [
      { metadata: { creationTimestamp: "now" } },
      `parsing time "now" as "2006-01-02T15:04:05Z07:00": cannot parse "now" as "2006"`,
    ],
    [
      { metadata: { uid: 5 } },
      "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.uid of type types.UID",
    ],
    [
      { apiVersion: "apps/v1", kind: "Deployment" },
      "converting (v1.Deployment) to (core.Pod): unknown conversion",
    ],
    [{ apiVersion: "v1", kind: "Service" }, "converting (v1.Service) to (core.Pod): unknown conversion"],
    [
      { apiVersion: "v1", kind: "Nonsense" },
      `no kind "Nonsense" is registered for version "v1" in scheme "pkg/api/legacyscheme/scheme.go:30"`,
    ],
    [{ apiVersion: "v1", kind: "PodList" }, "converting (v1.PodList) to (core.Pod): unknown conversion"],
    [{ apiVersion: "apps/", kind: "Pod" }, "Object 'apiVersion' is missing in '…'"],
    [
      { apiVersion: "v2", kind: "Pod" },
      `no kind "Pod" is registered for version "v2" in scheme "pkg/api/legacyscheme/scheme.go:30"`,
    ],
  ];
  for (const [body, message] of wrong) {
    it(`says of a wrong body: ${message}`, () => {
      assert.equal(refusal(body).replace(/^.* cannot be handled as a Pod: /, ""), message);
    });
  }

  it("refuses what says nothing of its kind that can be read", () => {
    const prefix = "the object provided is unrecognized (must be of type Pod): ";
    assert.equal(
      refusal(`{"apiVersion":"a/b/c","kind":"Pod","x":"a long body"}`),
      `${prefix}unexpected GroupVersion string: a/b/c ({"apiVersion":"a/b/c","kind":" ...)`,
    );
    assert.match(refusal("[]"), /cannot unmarshal array into Go value of type struct .* \(5b5d\)$/);
    assert.equal(
      refusal("nope"),
      `${prefix}couldn't get version/kind; json parse error: invalid character 'o' in literal null (expecting 'u') (6e6f7065)`,
    );
  });

  it("refuses an event of the other group", () => {
    const body = { apiVersion: "events.k8s.io/v1", kind: "Event" };
    assert.equal(
      refusal(body, { resource: target("Event") }),
      "the API version in the data (events.k8s.io/v1) does not match the expected API version (v1)",
    );
  });

  it("reads YAML, and says where its keys stand twice", () => {
    const yaml = "kind: Pod\nspec:\n  nodeName: a\n  nodeName: b\n  nope: 1\n";
    const { object, warnings } = decode(yaml, { contentType: "application/yaml; charset=utf-8" });
    assert.deepEqual(object.spec, { nodeName: "b" });
    assert.deepEqual(warnings, [
      'yaml: unmarshal errors:\n  line 4: key "nodeName" already set in map',
      'unknown field "spec.nope"',
    ]);
  });

  it("takes JSON where no type is given, and reads the options of a deletion", () => {
    const body = {
      kind: "DeleteOptions",
      apiVersion: "apps/v1",
      gracePeriodSeconds: 0,
      propagationPolicy: "Orphan",
    };
    const { object } = decode(body, { contentType: undefined, resource: DELETE_OPTIONS });
    assert.deepEqual(object, body);
  });

  it("refuses bodies that are too large, and deep ones, without a crash", () => {
    assert.equal(refusal("{}  ", { maxBytes: 3 }), "Request entity too large: limit is 3");
    assert.match(refusal("[".repeat(200_000)), /exceeded max depth/);
  });

  it("never does more than refuse, whatever stands where", () => {
    const names = [
      "metadata",
      "spec",
      "status",
      "labels",
      "containers",
      "image",
      "resources",
      "limits",
      "name",
    ];
    const any = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 5 },
        fc.constantFrom(null, true, 0, -1.5, "", "1Gi", "x", 1e300),
        fc.array(tie("value"), { maxLength: 3 }),
        fc.dictionary(fc.oneof(fc.constantFrom(...names), fc.string()), tie("value"), { maxKeys: 4 }),
      ),
    })).value;
    fc.assert(
      fc.property(any, fc.constantFrom("application/json", "application/yaml"), (value, contentType) => {
        refusal(JSON.stringify(value), { contentType, fieldValidation: "Strict" });
      }),
      { numRuns: 500 },
    );
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        refusal(Buffer.from(bytes).toString("latin1"), { contentType: "application/yaml" });
      }),
      { numRuns: 300 },
    );
  });

  it("is not slowed down by duplicates or long numbers", () => {
    const labels = Array.from({ length: 20_000 }, (_, index) => `"l${index}":"v"`).join(",");
    const again = `"labels":{},`.repeat(20_000);
    const before = process.cpuUsage();
    decode(`{"metadata":{"labels":{${labels}},${again}"name":"p"}}`);
    refusal(`{"spec":{"priority":${"9".repeat(1_000_000)}}}`);
    refusal(`{"spec":{"overhead":{"cpu":${"9".repeat(1_000_000)}}}}`);
    // What it costs, not how long it takes: the processors may have others to serve.
    const { user, system } = process.cpuUsage(before);
    assert.ok(user + system < 2_000_000, `${user + system} µs`);
  });
});
