import assert from "node:assert/strict";
import { describe, test } from "node:test";

import type { JsonObject, KubernetesObject } from "../objects/object.ts";
import { applyDefaults } from "./apply-defaults.ts";

const CONTAINER = {
  name: "c",
  image: "app",
  resources: {},
  terminationMessagePath: "/dev/termination-log",
  terminationMessagePolicy: "File",
  imagePullPolicy: "Always",
};

const TEMPLATE_SPEC = {
  containers: [CONTAINER],
  restartPolicy: "Always",
  terminationGracePeriodSeconds: 30,
  dnsPolicy: "ClusterFirst",
  securityContext: {},
  schedulerName: "default-scheduler",
};

test("applyDefaults() completes a Pod, and changes nothing the second time", () => {
  const pod = applyDefaults(object("v1", "Pod", { spec: { containers: [{ name: "c", image: "app" }] } }));
  assert.deepEqual(pod["spec"], { ...TEMPLATE_SPEC, enableServiceLinks: true });
  assert.deepEqual(applyDefaults(pod), pod);
});

test("applyDefaults() leaves its input alone and keeps what is given, right or wrong", () => {
  const container = { name: "c", image: "app", imagePullPolicy: "Bogus" };
  const given = object("v1", "Pod", { spec: { restartPolicy: "Often", containers: [container] } });
  const spec = applyDefaults(given)["spec"] as JsonObject;
  assert.equal(spec["restartPolicy"], "Often");
  assert.equal((spec["containers"] as JsonObject[])[0]?.["imagePullPolicy"], "Bogus");
  assert.deepEqual(given["spec"], { restartPolicy: "Often", containers: [container] });
});

test("a Pod requests what it is limited to, a template doesn't", () => {
  const resources = { limits: { cpu: "500m", memory: "1Gi" }, requests: { cpu: "100m" } };
  const spec = { containers: [{ name: "c", image: "app", resources }] };
  const of = (it: KubernetesObject, ...path: readonly string[]): JsonObject => {
    let at: JsonObject = it;
    for (const name of [...path, "spec"]) at = at[name] as JsonObject;
    return (at["containers"] as JsonObject[])[0]?.["resources"] as JsonObject;
  };
  const pod = applyDefaults(object("v1", "Pod", { spec }));
  assert.deepEqual(of(pod), {
    limits: { cpu: "500m", memory: "1Gi" },
    requests: { cpu: "100m", memory: "1Gi" },
  });
  const template = applyDefaults(object("v1", "PodTemplate", { template: { spec } }));
  assert.deepEqual(of(template, "template")["requests"], { cpu: "100m" });
});

test("volumes of each kind are completed", () => {
  const volumes = [
    { name: "a" },
    { name: "b", secret: { secretName: "s" } },
    { name: "c", configMap: { name: "m", defaultMode: 256 } },
    { name: "d", image: { reference: "data" } },
    { name: "e", hostPath: { path: "/x" } },
    { name: "f", projected: { sources: [{ serviceAccountToken: { path: "token" } }] } },
    { name: "g", downwardAPI: { items: [{ path: "p", fieldRef: { fieldPath: "metadata.name" } }] } },
  ];
  const pod = applyDefaults(object("v1", "Pod", { spec: { containers: [], volumes } }));
  assert.deepEqual((pod["spec"] as JsonObject)["volumes"], [
    { name: "a", emptyDir: {} },
    { name: "b", secret: { secretName: "s", defaultMode: 420 } },
    { name: "c", configMap: { name: "m", defaultMode: 256 } },
    { name: "d", image: { reference: "data", pullPolicy: "Always" } },
    { name: "e", hostPath: { path: "/x", type: "" } },
    {
      name: "f",
      projected: {
        sources: [{ serviceAccountToken: { path: "token", expirationSeconds: 3600 } }],
        defaultMode: 420,
      },
    },
    {
      name: "g",
      downwardAPI: {
        items: [{ path: "p", fieldRef: { apiVersion: "v1", fieldPath: "metadata.name" } }],
        defaultMode: 420,
      },
    },
  ]);
});

describe("the kinds that make Pods", () => {
  const template = {
    metadata: { labels: { app: "t" } },
    spec: { containers: [{ name: "c", image: "app" }] },
  };
  const full = { metadata: { labels: { app: "t" } }, spec: TEMPLATE_SPEC };

  test("a StatefulSet", () => {
    const set = applyDefaults(object("apps/v1", "StatefulSet", { spec: { template, replicas: 0 } }));
    assert.deepEqual(set["spec"], {
      replicas: 0,
      template: full,
      podManagementPolicy: "OrderedReady",
      updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition: 0 } },
      revisionHistoryLimit: 10,
      persistentVolumeClaimRetentionPolicy: { whenDeleted: "Retain", whenScaled: "Retain" },
    });
    assert.deepEqual(set["status"], { replicas: 0, availableReplicas: 0 });
  });

  test("a DaemonSet", () => {
    const set = applyDefaults(object("apps/v1", "DaemonSet", { spec: { template } }));
    assert.deepEqual(set.metadata.annotations, { "deprecated.daemonset.template.generation": "0" });
    assert.deepEqual((set["spec"] as JsonObject)["updateStrategy"], {
      type: "RollingUpdate",
      rollingUpdate: { maxUnavailable: 1, maxSurge: 0 },
    });
  });

  test("a Job gets its Pods' labels, and runs once", () => {
    const job = applyDefaults(object("batch/v1", "Job", { spec: { template } }));
    assert.deepEqual(job.metadata.labels, { app: "t" });
    assert.deepEqual(job["spec"], {
      parallelism: 1,
      completions: 1,
      backoffLimit: 6,
      manualSelector: false,
      suspend: false,
      completionMode: "NonIndexed",
      podReplacementPolicy: "TerminatingOrFailed",
      template: full,
    });
  });

  test("a ReplicationController selects its Pods' labels where it selects nothing", () => {
    const controller = applyDefaults(object("v1", "ReplicationController", { spec: { template } }));
    assert.deepEqual((controller["spec"] as JsonObject)["selector"], { app: "t" });
  });
});

test("a Secret is Opaque, and its texts replace its data", () => {
  const secret = applyDefaults(
    object("v1", "Secret", { data: { a: "YQ==", b: "Yg==" }, stringData: { a: "ä" } }),
  );
  assert.deepEqual(secret, {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "x" },
    type: "Opaque",
    data: { a: "w6Q=", b: "Yg==" },
  });
});

test("a Namespace bears its own name as a label", () => {
  const labels = applyDefaults(object("v1", "Namespace", {})).metadata.labels;
  assert.deepEqual(labels, { "kubernetes.io/metadata.name": "x" });
});

function object(apiVersion: string, kind: string, rest: JsonObject): KubernetesObject {
  return { apiVersion, kind, metadata: { name: "x" }, ...rest } as KubernetesObject;
}
