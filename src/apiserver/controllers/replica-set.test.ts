import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubernetesObject } from "../../kubernetes/index.ts";
import { isDeleting, nameOf, specOf, statusOf } from "./objects.ts";
import { isEnding } from "./pod-control.ts";
import { openCluster, workload } from "./testing.ts";

test("a ReplicaSet makes its Pods, a scheduler binds them, and both say so", async () => {
  await using cluster = await openCluster();
  const sets = cluster.of("replicasets");
  await sets.create(workload("apps/v1", "ReplicaSet", "web", { replicas: 3 }));
  await cluster.until("three Pods are available", async () => {
    return statusOf(await sets.get("web"))["availableReplicas"] === 3;
  });
  const pods = await cluster.list("pods");
  assert.equal(pods.length, 3);
  const owner = await sets.get("web");
  for (const pod of pods) {
    assert.match(nameOf(pod), /^web-[bcdfghjklmnpqrstvwxz2456789]{5}$/v);
    assert.equal(pod.metadata.generateName, "web-");
    assert.equal(specOf(pod)["nodeName"], "n1");
    assert.deepEqual(pod.metadata.ownerReferences, [
      {
        apiVersion: "apps/v1",
        kind: "ReplicaSet",
        name: "web",
        uid: owner.metadata.uid,
        controller: true,
        blockOwnerDeletion: true,
      },
    ]);
  }
  const [first] = pods;
  assert.ok(first);
  await cluster.until("all is told", async () => (await cluster.events()).length >= 6);
  const events = await cluster.events();
  assert.ok(events.includes(`SuccessfulCreate: Created pod: ${nameOf(first)}`));
  assert.ok(events.includes(`Scheduled: Successfully assigned default/${nameOf(first)} to n1`));
  assert.deepEqual(statusOf(owner), {
    replicas: 3,
    fullyLabeledReplicas: 3,
    readyReplicas: 3,
    availableReplicas: 3,
    observedGeneration: 1,
    terminatingReplicas: 0,
  });
  assert.deepEqual(cluster.errors, []);
});

test("a ReplicaSet that shrinks lets go of what is missed least: what isn't ready first", async () => {
  await using cluster = await openCluster();
  let unready = "";
  cluster.becomesReady = (pod) =>
    unready === "" || unready === nameOf(pod) ? (unready = nameOf(pod)) === "" : true;
  const sets = cluster.of("replicasets");
  await sets.create(workload("apps/v1", "ReplicaSet", "web", { replicas: 3 }));
  await cluster.until("two are ready", async () => statusOf(await sets.get("web"))["readyReplicas"] === 2);
  await sets.patch("web", { type: "merge", body: { spec: { replicas: 2 } } });
  await cluster.until("two are left", async () => (await cluster.list("pods")).length === 2);
  assert.ok((await cluster.list("pods")).every((pod) => nameOf(pod) !== unready));
});

test("Pods of nobody that fit are adopted, and those that no longer fit are let go and replaced", async () => {
  await using cluster = await openCluster();
  const orphan: KubernetesObject = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "orphan", namespace: "default", labels: { app: "web" } },
    spec: { containers: [{ name: "c", image: "app:v1" }] },
  };
  await cluster.of("pods").create(orphan);
  const sets = cluster.of("replicasets");
  await sets.create(workload("apps/v1", "ReplicaSet", "web", { replicas: 2 }));
  await cluster.until("two are ready", async () => statusOf(await sets.get("web"))["readyReplicas"] === 2);
  assert.equal((await cluster.list("pods")).length, 2);
  const adopted = await cluster.of("pods").get("orphan");
  assert.equal(adopted.metadata.ownerReferences?.[0]?.name, "web");
  await cluster
    .of("pods")
    .patch("orphan", { type: "merge", body: { metadata: { labels: { app: "other" } } } });
  await cluster.until("another takes its place", async () => (await cluster.list("pods")).length === 3);
  await cluster.until("it is let go", async () => {
    return (await cluster.of("pods").get("orphan")).metadata.ownerReferences === undefined;
  });
});

test("controllers that stop and start at any time make nothing twice", async () => {
  await using cluster = await openCluster();
  const sets = cluster.of("replicasets");
  await sets.create(workload("apps/v1", "ReplicaSet", "web", { replicas: 20 }));
  await cluster.until("some are there", async () => (await cluster.list("pods")).length > 4);
  await cluster.stopControllers();
  const before = (await cluster.list("pods")).length;
  assert.ok(before >= 5 && before <= 20);
  await cluster.startControllers();
  await cluster.until("all are ready", async () => statusOf(await sets.get("web"))["readyReplicas"] === 20);
  const pods = await cluster.list("pods");
  assert.equal(pods.filter((pod) => !isDeleting(pod)).length, 20);
  assert.ok(
    !(await cluster.events()).some((event) => event.startsWith("SuccessfulDelete")),
    "none was too many",
  );
});

test("a refusal of Pods is told in the ReplicaSet's conditions and as an event", async () => {
  await using cluster = await openCluster();
  const sets = cluster.of("replicasets");
  const template = {
    metadata: { labels: { app: "web" } },
    spec: { serviceAccountName: "nobody", containers: [{ name: "c", image: "a" }] },
  };
  await sets.create(workload("apps/v1", "ReplicaSet", "web", { replicas: 1, template }));
  await cluster.until("it says so", async () => "conditions" in statusOf(await sets.get("web")));
  const [condition] = statusOf(await sets.get("web"))["conditions"] as readonly {
    type: string;
    reason: string;
    message: string;
  }[];
  assert.equal(condition?.type, "ReplicaFailure");
  assert.equal(condition?.reason, "FailedCreate");
  assert.match(condition?.message ?? "", /serviceaccount "nobody" not found/v);
  await cluster.until("an event says so", async () =>
    (await cluster.events()).some((event) => event.startsWith("FailedCreate: Error creating: ")),
  );
});

test("a ReplicationController keeps its Pods, too; with no node they wait, and say why", async () => {
  await using cluster = await openCluster({ nodes: [] });
  const controllers = cluster.of("replicationcontrollers");
  const spec = { replicas: 1, selector: { app: "web" } };
  await controllers.create(workload("v1", "ReplicationController", "web", spec));
  await cluster.until("it has a Pod", async () => statusOf(await controllers.get("web"))["replicas"] === 1);
  await cluster.until("that can't be placed", async () => {
    return (await cluster.events()).includes("FailedScheduling: no nodes available to schedule pods");
  });
  await cluster.of("nodes").create({ apiVersion: "v1", kind: "Node", metadata: { name: "late" } });
  await cluster.until(
    "it is ready",
    async () => statusOf(await controllers.get("web"))["readyReplicas"] === 1,
  );
});

test("in a namespace that ends, nothing is made any more, and nobody complains", async () => {
  await using cluster = await openCluster();
  const namespaces = cluster.client.resource({
    group: "",
    version: "v1",
    resource: "namespaces",
    namespaced: false,
  });
  await namespaces.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "brief" } });
  const set = workload("apps/v1", "ReplicaSet", "web", { replicas: 3 });
  const inside = { ...set, metadata: { ...set.metadata, namespace: "brief" } };
  const pods = cluster.of("pods");
  await cluster.of("replicasets").create(inside);
  await cluster.until(
    "its Pods are there",
    async () => (await pods.listAll({ namespace: "brief" })).items.length === 3,
  );
  await namespaces.delete("brief");
  await cluster.until("it is gone", async () => (await namespaces.find("brief")) === undefined);
  assert.deepEqual((await pods.listAll({ namespace: "brief" })).items, []);
  assert.deepEqual(
    cluster.errors.filter((error) => !isEnding(error)),
    [],
  );
});

test("what a controller has just done counts, though its own view of the Pods comes late", async () => {
  await using cluster = await openCluster();
  const sets = cluster.of("replicasets");
  const observed = async (): Promise<boolean> => {
    const set = await sets.get("web");
    return statusOf(set)["observedGeneration"] === set.metadata.generation;
  };
  // Each change of the set has it looked at once more.
  const nudge = async (count: number): Promise<void> => {
    for (let index = 0; index < count; index++) {
      const body = { metadata: { annotations: { nudge: String(index) } } };
      await sets.patch("web", { type: "merge", body });
      await cluster.rest();
    }
  };
  cluster.holdPods();
  await sets.create(workload("apps/v1", "ReplicaSet", "web", { replicas: 3 }));
  await cluster.until("its Pods are there", async () => (await cluster.list("pods")).length >= 3);
  await nudge(5);
  assert.equal((await cluster.list("pods")).length, 3);
  cluster.releasePods();
  await cluster.until("all are ready", async () => statusOf(await sets.get("web"))["readyReplicas"] === 3);
  cluster.holdPods();
  await sets.patch("web", { type: "merge", body: { spec: { replicas: 2 } } });
  await cluster.until("one is gone", async () => (await cluster.list("pods")).length === 2);
  await nudge(5);
  assert.equal((await cluster.list("pods")).length, 2);
  cluster.releasePods();
  await cluster.until("it has settled", observed);
  // Events that aren't written when the controllers stop are lost.
  await cluster.rest();
  assert.equal((await cluster.list("pods")).length, 2);
  await cluster.stopControllers();
  const deletions = (await cluster.list("events")).filter((event) => event["reason"] === "SuccessfulDelete");
  assert.deepEqual(
    deletions.map((event) => event["count"]),
    [1],
    "told once",
  );
});
