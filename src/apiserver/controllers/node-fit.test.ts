import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import { findMisfit } from "./node-fit.ts";

function node(spec: JsonObject, labels: Record<string, string> = {}): KubernetesObject {
  return { apiVersion: "v1", kind: "Node", metadata: { name: "n1", labels }, spec };
}

function affinity(...nodeSelectorTerms: JsonObject[]): JsonObject {
  return {
    affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms } } },
  };
}

test("labels, fields and expressions choose Nodes: one term of several will do, all of a term must hold", () => {
  const labels = { disk: "ssd", size: "8" };
  const need = (key: string, operator: string, ...values: string[]): JsonObject => ({
    key,
    operator,
    values,
  });
  const fits: readonly JsonObject[] = [
    {},
    { nodeSelector: { disk: "ssd" } },
    affinity({ matchExpressions: [need("disk", "In", "ssd", "hdd"), need("gpu", "NotIn", "x")] }),
    affinity({ matchExpressions: [need("size", "Gt", "4"), need("size", "Lt", "9")] }),
    affinity({ matchExpressions: [need("disk", "Exists"), need("gpu", "DoesNotExist")] }),
    affinity({ matchFields: [need("metadata.name", "In", "n1")] }),
    affinity(
      { matchExpressions: [need("gpu", "Exists")] },
      { matchFields: [need("metadata.name", "In", "n1")] },
    ),
  ];
  for (const spec of fits) assert.equal(findMisfit(node({}, labels), spec), undefined, JSON.stringify(spec));
  const misfits: readonly JsonObject[] = [
    { nodeSelector: { disk: "hdd" } },
    { nodeSelector: { disk: "ssd", gpu: "yes" } },
    affinity(),
    affinity({}),
    affinity({ matchExpressions: [need("disk", "In", "ssd"), need("gpu", "Exists")] }),
    affinity({ matchExpressions: [need("disk", "Gt", "4")] }),
    affinity({ matchExpressions: [need("disk", "Odd")] }),
    affinity({ matchFields: [need("metadata.name", "NotIn", "n1")] }),
    affinity({ matchFields: [need("metadata.uid", "NotIn", "n1")] }),
  ];
  for (const spec of misfits) {
    assert.equal(findMisfit(node({}, labels), spec), "node(s) didn't match Pod's node affinity/selector");
  }
});

test("taints keep Pods away that don't tolerate them, and closed Nodes keep all but the tolerant", () => {
  const tainted = node({ taints: [{ key: "gpu", value: "yes", effect: "NoSchedule" }] });
  const cases: readonly (readonly [JsonObject, boolean])[] = [
    [{}, false],
    [{ key: "gpu", operator: "Exists" }, true],
    [{ key: "gpu", value: "yes", effect: "NoSchedule" }, true],
    [{ key: "gpu", value: "no" }, false],
    [{ key: "gpu", operator: "Exists", effect: "NoExecute" }, false],
    [{ operator: "Exists" }, true],
    [{ key: "cpu", operator: "Exists" }, false],
  ];
  for (const [toleration, fits] of cases) {
    const misfit = findMisfit(tainted, { tolerations: [toleration] });
    assert.equal(misfit === undefined, fits, JSON.stringify(toleration));
  }
  assert.equal(findMisfit(tainted, {}), "node(s) had untolerated taint(s)");
  assert.equal(findMisfit(node({ taints: [{ key: "a", effect: "PreferNoSchedule" }] }), {}), undefined);
  const closed = node({ unschedulable: true });
  assert.equal(findMisfit(closed, {}), "node(s) were unschedulable");
  assert.equal(findMisfit(closed, { tolerations: [{ operator: "Exists" }] }), undefined);
});
