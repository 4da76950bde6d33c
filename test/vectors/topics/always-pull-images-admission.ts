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

/** What a vector expects of the object, by the member that says it; undefined for members that nobody knows. */
const LOOKS: Readonly<Record<string, (object: KubernetesObject) => unknown>> = {
  allContainerPolicies: (object) => only(policiesOf(object, CONTAINER_LISTS)),
  allVolumePolicies: (object) => only(volumePoliciesOf(object)),
  allImageVolumePolicies: (object) => only(volumePoliciesOf(object)),
  allPolicies: (object) => only([...policiesOf(object, CONTAINER_LISTS), ...volumePoliciesOf(object)]),
  pod: (object) => reduce(object),
};

const CONTAINER_LISTS = ["initContainers", "containers", "ephemeralContainers"] as const;

export const topic: Topic = byOperation({
  admit: (vector) => {
    const request = requestOf(vector);
    const decision = alwaysPullImages.admit?.(request, {}) as AdmissionDecision;
    const { error, unchanged, ...expected } = vector["expect"] as Readonly<Record<string, unknown>>;
    if (!Object.keys(expected).every((name) => Object.hasOwn(LOOKS, name))) return undefined;
    const object = decision.allowed ? decision.object : undefined;
    const looks = Object.keys(expected).map((name) => [name, object && LOOKS[name]?.(object)]);
    return {
      actual: {
        error: decision.allowed ? "" : decision.status.message,
        ...(unchanged !== undefined && { unchanged: object === request.object }),
        ...(Object.fromEntries(looks) as Record<string, unknown>),
      },
      expected: { error, ...(unchanged !== undefined && { unchanged }), ...expected },
    };
  },
  validate: (vector) => {
    const decision = alwaysPullImages.validate?.(requestOf(vector), {}) as AdmissionDecision;
    return {
      actual: decision.allowed ? "" : decision.status.message,
      expected: (vector["expect"] as Readonly<Record<string, unknown>>)["error"],
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

function policiesOf(object: KubernetesObject, lists: readonly (keyof Lists)[]): readonly unknown[] {
  const spec = object["spec"] as Lists;
  return lists.flatMap((list) => (spec[list] ?? []).map((one) => one["imagePullPolicy"]));
}

function volumePoliciesOf(object: KubernetesObject): readonly unknown[] {
  return (reduce(object).imageVolumes ?? []).map(({ pullPolicy }) => pullPolicy);
}

/** The one value all have; all of them where they differ. */
function only(values: readonly unknown[]): unknown {
  const different = [...new Set(values)];
  return different.length === 1 ? different[0] : different;
}
