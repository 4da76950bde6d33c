import assert from "node:assert/strict";
import { describe, test } from "node:test";

import type { JsonObject } from "../objects/object.ts";
import { validateCreate } from "./validate.ts";
import { prepareForCreate } from "./prepare.ts";
import { CONTAINER, complete, makePod, makeWorkload } from "./testing.ts";

describe("prepareForCreate()", () => {
  test("a Pod waits, and how firmly its resources are promised is written down", () => {
    const of = (resources: JsonObject): unknown => {
      const pod = prepareForCreate(makePod({ containers: [{ ...CONTAINER, resources }] }));
      assert.equal(pod.metadata.generation, 1);
      return pod["status"];
    };
    const both = { cpu: "1", memory: "1Gi" };
    assert.deepEqual(of({}), { phase: "Pending", qosClass: "BestEffort" });
    assert.deepEqual(of({ requests: both }), { phase: "Pending", qosClass: "Burstable" });
    assert.deepEqual(of({ limits: both }), { phase: "Pending", qosClass: "Guaranteed" });
    assert.deepEqual(of({ limits: both, requests: { cpu: "500m" } }), {
      phase: "Pending",
      qosClass: "Burstable",
    });
    assert.deepEqual(of({ requests: { cpu: "0" } }), { phase: "Pending", qosClass: "BestEffort" });
  });

  test("a Job selects its Pods by its own uid", () => {
    const job = makeWorkload("batch/v1", "Job", {}, { restartPolicy: "Never" });
    const { selector: _, manualSelector: __, ...spec } = job["spec"] as JsonObject;
    const prepared = prepareForCreate({ ...job, spec, metadata: { ...job.metadata, uid: "u" } });
    const labels = {
      app: "t",
      "batch.kubernetes.io/controller-uid": "u",
      "batch.kubernetes.io/job-name": "w",
      "controller-uid": "u",
      "job-name": "w",
    };
    const { selector, template } = prepared["spec"] as JsonObject;
    assert.deepEqual(selector, { matchLabels: { "batch.kubernetes.io/controller-uid": "u" } });
    assert.deepEqual((template as JsonObject)["metadata"], { labels });
    assert.deepEqual(prepared.metadata.labels, labels);
    assert.deepEqual(validateCreate(prepared), []);
  });

  test("what somebody chose for a Job's selector stays, and is refused", () => {
    const { spec, ...job } = makeWorkload("batch/v1", "Job", {}, { restartPolicy: "Never" });
    const template = (spec as JsonObject)["template"] as JsonObject;
    const chosen = {
      ...template,
      metadata: { labels: { app: "t", "batch.kubernetes.io/job-name": "z", "job-name": "x" } },
    };
    const prepared = prepareForCreate({
      ...job,
      metadata: { ...job.metadata, uid: "u", labels: { own: "y" } },
      spec: { ...(spec as JsonObject), manualSelector: false, template: chosen },
    });
    const labels =
      '{"app":"t","batch.kubernetes.io/controller-uid":"u","batch.kubernetes.io/job-name":"z","controller-uid":"u","job-name":"x"}';
    const selector = '{"matchLabels":{"app":"t","batch.kubernetes.io/controller-uid":"u"}}';
    assert.deepEqual(
      validateCreate(prepared).map(({ message }) => message),
      [
        `spec.template.metadata.labels[job-name]: Invalid value: ${labels}: must be 'w'`,
        `spec.template.metadata.labels[batch.kubernetes.io/job-name]: Invalid value: ${labels}: must be 'w'`,
        `spec.selector: Invalid value: ${selector}: \`selector\` not auto-generated`,
      ],
    );
    assert.deepEqual(prepared.metadata.labels, { own: "y" });
  });

  test("a Namespace is active and waits for its content when it goes; a DaemonSet counts its templates", () => {
    const namespace = complete({ apiVersion: "v1", kind: "Namespace", metadata: { name: "n" } });
    const prepared = prepareForCreate(namespace);
    assert.deepEqual(prepared["spec"], { finalizers: ["kubernetes"] });
    assert.deepEqual(prepared["status"], { phase: "Active" });
    const set = prepareForCreate(makeWorkload("apps/v1", "DaemonSet"));
    assert.equal(set.metadata.annotations?.["deprecated.daemonset.template.generation"], "1");
  });

  test("what a client says about the status is forgotten", () => {
    const set = makeWorkload("apps/v1", "ReplicaSet");
    assert.deepEqual(prepareForCreate({ ...set, status: { replicas: 7 } })["status"], { replicas: 0 });
  });
});
