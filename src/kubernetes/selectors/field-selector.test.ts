import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import type { KubernetesObject } from "../objects/object.ts";
import { StatusError } from "../objects/status.ts";
import { matchesFields, parseFieldSelector, requiredValue } from "./field-selector.ts";

const pod: KubernetesObject = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", namespace: "shop" },
  spec: { nodeName: "lab1", restartPolicy: "Always", serviceAccountName: "default", schedulerName: "s" },
  status: { phase: "Running", podIPs: [{ ip: "10.0.0.1" }] },
};

const event: KubernetesObject = {
  apiVersion: "v1",
  kind: "Event",
  metadata: { name: "e", namespace: "shop" },
  involvedObject: { kind: "Pod", name: "web", namespace: "shop", uid: "u", apiVersion: "v1", fieldPath: "f" },
  reason: "Failed",
  source: { component: "kubelet" },
  reportingComponent: "reporter",
  type: "Warning",
};

function matches(object: KubernetesObject, selector: string): boolean {
  return matchesFields(parseFieldSelector(selector, object), object);
}

function refusal(selector: string, of: { kind: string; apiVersion: string } = pod): string | undefined {
  try {
    parseFieldSelector(selector, of);
  } catch (error) {
    assert.ok(error instanceof StatusError);
    assert.equal(error.status.code, 400);
    return error.status.message;
  }
  assert.fail("parsed");
}

test("matchesFields() knows the fields of each kind", () => {
  const cases: [object: KubernetesObject, selector: string, expected: boolean][] = [
    [pod, "", true],
    [pod, "metadata.name=web", true],
    [pod, "metadata.name==web,metadata.namespace=shop", true],
    [pod, "metadata.name!=web", false],
    [pod, "spec.nodeName=lab1,status.phase!=Pending", true],
    [pod, "spec.host=lab1", true],
    [pod, "spec.nodeName=", false],
    [pod, "status.nominatedNodeName=", true],
    [pod, "spec.hostNetwork=false", true],
    [pod, "status.podIP=10.0.0.1", true],
    [pod, "spec.restartPolicy=Never", false],
    [pod, "spec.serviceAccountName=default", true],
    [event, "involvedObject.name=web,involvedObject.namespace=shop,involvedObject.uid=u", true],
    [event, "involvedObject.kind=Pod,involvedObject.apiVersion=v1,involvedObject.fieldPath=f", true],
    [event, "reason=Failed,type=Warning,source=kubelet,reportingComponent=reporter", true],
    [event, "type!=Warning", false],
    [
      {
        apiVersion: "events.k8s.io/v1",
        kind: "Event",
        metadata: { name: "e" },
        regarding: { name: "web" },
        reportingController: "reporter",
      },
      "regarding.name=web,reportingController=reporter",
      true,
    ],
    [{ apiVersion: "v1", kind: "Secret", metadata: {}, type: "Opaque" }, "type=Opaque", true],
    [
      { apiVersion: "v1", kind: "Namespace", metadata: {}, status: { phase: "Active" } },
      "status.phase=Active",
      true,
    ],
    [{ apiVersion: "v1", kind: "Node", metadata: {}, spec: {} }, "spec.unschedulable=false", true],
    [
      { apiVersion: "v1", kind: "Node", metadata: {}, spec: { unschedulable: true } },
      "spec.unschedulable=true",
      true,
    ],
    [
      { apiVersion: "batch/v1", kind: "Job", metadata: {}, status: { succeeded: 2 } },
      "status.successful=2",
      true,
    ],
    [{ apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "d" } }, "metadata.name=d", true],
  ];
  for (const [object, selector, expected] of cases) {
    assert.equal(matches(object, selector), expected, selector);
  }
});

test("parseFieldSelector() refuses fields that the kind can't be selected by", () => {
  assert.equal(refusal("spec.nosuch=x"), "field label not supported: spec.nosuch");
  assert.equal(refusal("__proto__=x"), "field label not supported: __proto__");
  assert.equal(refusal("regarding.name=x", event), "field label not supported: regarding.name");
  assert.equal(
    refusal("spec.x=y", { kind: "ConfigMap", apiVersion: "v1" }),
    '"spec.x" is not a known field selector: only "metadata.name", "metadata.namespace"',
  );
  assert.equal(
    refusal("x=y", { kind: "Job", apiVersion: "batch/v1" }),
    'field label "x" not supported for batchv1.Job',
  );
});

test("parseFieldSelector() refuses what it can't read", () => {
  const cases: Record<string, string> = {
    nonsense: "invalid selector: 'nonsense'; can't understand 'nonsense'",
    "metadata.name=a,b": "invalid selector: 'metadata.name=a,b'; can't understand 'b'",
    "metadata.name=a=b": "invalid field selector: unescaped character in value: 61",
    "metadata.name=a\\b": "invalid field selector: invalid escape sequence: \\b",
    "metadata.name=a\\": "invalid field selector: invalid escape sequence: \\",
  };
  for (const [selector, message] of Object.entries(cases)) assert.equal(refusal(selector), message);
});

test("parseFieldSelector() reads values back that were escaped", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."a,=\\!é ".split("")) }), (value) => {
      const escaped = value.replaceAll(/[\\,=]/g, "\\$&");
      const selector = parseFieldSelector(`spec.nodeName=n,metadata.name=${escaped}`, pod);
      assert.equal(requiredValue(selector, "metadata.name"), value);
      assert.equal(requiredValue(selector, "spec.nodeName"), "n");
    }),
  );
});
