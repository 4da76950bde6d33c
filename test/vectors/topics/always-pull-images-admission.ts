import {
  type AdmissionDecision,
  type AdmissionOperation,
  type AdmissionRequest,
  alwaysPullImages,
} from "../../../src/admission/index.ts";
import type { JsonObject, KubernetesObject } from "../../../src/kubernetes/index.ts";
import { byOperation, type Topic, type Vector } from "../topic.ts";

interface Lists {
  readonly initContainers?: readonly JsonObject[];
  readonly containers?: readonly JsonObject[];
  readonly ephemeralContainers?: readonly JsonObject[];
  readonly imageVolumes?: readonly JsonObject[];
}

interface Expectation {
  readonly error?: string;
  readonly unchanged?: boolean;
  readonly allContainerPolicies?: string;
}

export const topic: Topic = byOperation({
  admit: (vector) => {
    const request = requestOf(vector);
    const decision = alwaysPullImages.admit?.(request, {}) as AdmissionDecision;
    const expect = vector["expect"] as Expectation;
    const object = decision.allowed ? decision.object : undefined;
    return {
      actual: {
        error: decision.allowed ? "" : decision.status.message,
        ...("unchanged" in expect && { unchanged: object === request.object }),
        ...("allContainerPolicies" in expect && { policies: [...new Set(policiesOf(object))] }),
        ...("pod" in expect && { pod: object && reduce(object) }),
      },
      expected: {
        error: expect.error,
        ...("unchanged" in expect && { unchanged: expect.unchanged }),
        ...("allContainerPolicies" in expect && { policies: [expect.allContainerPolicies] }),
        ...("pod" in expect && { pod: expect.pod }),
      },
    };
  },
  validate: (vector) => {
    const decision = alwaysPullImages.validate?.(requestOf(vector), {}) as AdmissionDecision;
    return {
      actual: decision.allowed ? "" : decision.status.message,
      expected: (vector["expect"] as Expectation).error,
    };
  },
  handles: (vector) => {
    const expected = vector["expect"] as Readonly<Record<string, boolean>>;
    return { actual: handledOf(Object.keys(expected)), expected };
  },
});

/** An operation is handled when a Pod that breaks the rule is changed by it. */
function handledOf(operations: readonly string[]): Record<string, boolean> {
  const pod = { containers: [{ name: "c", image: "i", imagePullPolicy: "Never" }] };
  const request = { resource: "pods", subresource: "", kind: "Pod", name: "p", namespace: "n" };
  return Object.fromEntries(
    operations.map((operation) => {
      const asked = requestOf({ id: operation, request: { ...request, operation }, pod });
      const decision = alwaysPullImages.admit?.(asked, {}) as AdmissionDecision;
      return [operation, decision.allowed && decision.object !== asked.object];
    }),
  );
}

function requestOf(vector: Vector): AdmissionRequest {
  const request = vector["request"] as Readonly<Record<string, string>>;
  const { resource = "", subresource = "", name = "", namespace = "", kind = "" } = request;
  const core = { group: "", version: "v1" };
  const objectKind = typeof vector["objectKind"] === "string" ? vector["objectKind"] : kind;
  const podKind = objectKind === "Foo" ? "Pod" : objectKind;
  const old = vector["oldPod"] as Lists | undefined;
  return {
    operation: request["operation"] as AdmissionOperation,
    resource: { ...core, resource },
    kind: { ...core, kind },
    subresource,
    name,
    namespace,
    object: toObject(vector["pod"] as Lists | undefined, podKind),
    ...(old !== undefined && { oldObject: toObject(old, "Pod") }),
    dryRun: false,
    user: { name: "", groups: [] },
  };
}

function toObject({ imageVolumes, ...lists }: Lists = {}, kind: string): KubernetesObject {
  const volumes = imageVolumes?.map(({ name, pullPolicy }) => ({ name, image: { pullPolicy } }));
  return {
    apiVersion: "v1",
    kind,
    metadata: {},
    spec: { ...lists, ...(volumes !== undefined && { volumes }) },
  };
}

function reduce(object: KubernetesObject): Lists {
  const { volumes, ...lists } = object["spec"] as Lists & { readonly volumes?: readonly JsonObject[] };
  if (volumes === undefined) return lists;
  const imageVolumes = volumes.map(({ name, image }) => ({
    name,
    pullPolicy: (image as JsonObject)["pullPolicy"],
  }));
  return { ...lists, imageVolumes };
}

function policiesOf(object: KubernetesObject | undefined): readonly unknown[] {
  const lists = (object?.["spec"] ?? {}) as Lists & { readonly volumes?: readonly JsonObject[] };
  const { initContainers = [], containers = [], ephemeralContainers = [] } = lists;
  return [...initContainers, ...containers, ...ephemeralContainers].map((one) => one["imagePullPolicy"]);
}
