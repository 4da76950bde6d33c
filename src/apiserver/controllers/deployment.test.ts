import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import { REVISION, replicasOf, revisionOf } from "./deployment-replica-sets.ts";
import { isDeleting, listOf, member, nameOf, specOf, statusOf, textOf } from "./objects.ts";
import { type Cluster, openCluster, templateOf, workload } from "./testing.ts";

function conditions(deployment: KubernetesObject): Record<string, string> {
  const list = listOf(statusOf(deployment), "conditions");
  return Object.fromEntries(
    list.map((one) => [textOf(one, "type") ?? "", `${textOf(one, "status")} ${textOf(one, "reason")}`]),
  );
}

/** As `kubectl rollout status` decides it. */
function isRolledOut(deployment: KubernetesObject): boolean {
  const status = statusOf(deployment);
  const wanted = replicasOf(deployment);
  return (
    status["observedGeneration"] === deployment.metadata.generation &&
    (status["updatedReplicas"] ?? 0) === wanted &&
    (status["replicas"] ?? 0) === wanted &&
    (status["availableReplicas"] ?? 0) === wanted &&
    conditions(deployment)["Progressing"] === "True NewReplicaSetAvailable"
  );
}

async function rolledOut(cluster: Cluster, name: string): Promise<KubernetesObject> {
  await cluster.until(`${name} is rolled out`, async () =>
    isRolledOut(await cluster.of("deployments").get(name)),
  );
  return await cluster.of("deployments").get(name);
}

function setImage(cluster: Cluster, image: string): Promise<KubernetesObject> {
  const body = { spec: { template: { spec: { containers: [{ name: "c", image }] } } } };
  return cluster.of("deployments").patch("web", { type: "strategic", body });
}

function podImage(pod: KubernetesObject): unknown {
  return listOf(specOf(pod), "containers")[0]?.["image"];
}

function imageOf(set: KubernetesObject): unknown {
  return listOf(member(member(specOf(set), "template"), "spec"), "containers")[0]?.["image"];
}

test("a Deployment rolls out, rolls on to another image, and back, each a revision", async () => {
  await using cluster = await openCluster();
  await cluster.of("deployments").create(workload("apps/v1", "Deployment", "web", { replicas: 3 }));
  const first = await rolledOut(cluster, "web");
  assert.equal(first.metadata.annotations?.[REVISION], "1");
  assert.equal(first.metadata.generation, 1, "a revision is no change of what is asked for");
  assert.deepEqual(conditions(first), {
    Available: "True MinimumReplicasAvailable",
    Progressing: "True NewReplicaSetAvailable",
  });
  const [set] = await cluster.list("replicasets");
  assert.ok(set);
  const hash = set.metadata.labels?.["pod-template-hash"] ?? "";
  assert.match(hash, /^[bcdfghjklmnpqrstvwxz2456789]{5,10}$/v);
  assert.equal(nameOf(set), `web-${hash}`);
  assert.equal(member(member(specOf(set), "selector"), "matchLabels")["pod-template-hash"], hash);
  assert.equal(set.metadata.annotations?.["deployment.kubernetes.io/desired-replicas"], "3");
  assert.equal(set.metadata.annotations["deployment.kubernetes.io/max-replicas"], "4");
  assert.ok((await cluster.list("pods")).every((pod) => pod.metadata.labels?.["pod-template-hash"] === hash));

  await setImage(cluster, "app:v2");
  const second = await rolledOut(cluster, "web");
  assert.equal(second.metadata.annotations?.[REVISION], "2");
  const sets = (await cluster.list("replicasets")).map((one) => [
    imageOf(one),
    replicasOf(one),
    revisionOf(one),
  ]);
  assert.deepEqual(new Set(sets.map(String)), new Set(["app:v1,0,1", "app:v2,3,2"]));

  await setImage(cluster, "app:v1");
  const third = await rolledOut(cluster, "web");
  assert.equal(third.metadata.annotations?.[REVISION], "3");
  const again = (await cluster.list("replicasets")).find((one) => imageOf(one) === "app:v1");
  assert.equal(nameOf(again as KubernetesObject), nameOf(set), "the same ReplicaSet grows again");
  assert.equal(again?.metadata.annotations?.["deployment.kubernetes.io/revision-history"], "1");
  await cluster.until("all is told", async () =>
    (await cluster.events()).some((event) => event.endsWith("from 1 to 0")),
  );
  const events = await cluster.events();
  assert.ok(events.includes(`ScalingReplicaSet: Scaled up replica set ${nameOf(set)} from 0 to 3`));
  assert.deepEqual(cluster.errors, []);
});

test("a rolling update never has fewer available nor more in all than its strategy allows", async () => {
  await using cluster = await openCluster();
  const strategy = { type: "RollingUpdate", rollingUpdate: { maxSurge: 2, maxUnavailable: 1 } };
  await cluster.of("deployments").create(workload("apps/v1", "Deployment", "web", { replicas: 6, strategy }));
  await rolledOut(cluster, "web");
  const stop = new AbortController();
  const bounds: [available: number, wanted: number][] = [];
  const looking = (async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const pods = (await cluster.list("pods")).filter((pod) => !isDeleting(pod));
      const ready = pods.filter((pod) =>
        listOf(statusOf(pod), "conditions").some(({ type, status }) => type === "Ready" && status === "True"),
      );
      // What ReplicaSets are told, not the Pods they have: one is told to grow while another still shrinks.
      const wanted = (await cluster.list("replicasets")).map((set) => replicasOf(set));
      bounds.push([ready.length, wanted.reduce((sum, size) => sum + size, 0)]);
      await nextTurn();
    }
  })();
  await setImage(cluster, "app:v2");
  await rolledOut(cluster, "web");
  stop.abort();
  await looking;
  assert.ok(Math.min(...bounds.map(([ready]) => ready)) >= 5, "one may be missing");
  assert.equal(Math.max(...bounds.map(([, wanted]) => wanted)), 8, "two may be too many");
});

test("a rollout that doesn't work stands still with the old Pods running, and goes on when it is mended", async () => {
  await using cluster = await openCluster();
  await cluster.of("deployments").create(workload("apps/v1", "Deployment", "web", { replicas: 2 }));
  await rolledOut(cluster, "web");
  cluster.becomesReady = (pod) => podImage(pod) !== "app:broken";
  await setImage(cluster, "app:broken");
  const stuck = async (): Promise<KubernetesObject> => await cluster.of("deployments").get("web");
  await cluster.until("one new Pod tries", async () => statusOf(await stuck())["updatedReplicas"] === 1);
  const { replicas, availableReplicas, unavailableReplicas } = statusOf(await stuck());
  assert.deepEqual([replicas, availableReplicas, unavailableReplicas], [3, 2, 1]);
  assert.equal(conditions(await stuck())["Available"], "True MinimumReplicasAvailable");
  assert.match(
    conditions(await stuck())["Progressing"] ?? "",
    /^True (?:ReplicaSetUpdated|NewReplicaSetCreated)$/v,
  );
  await setImage(cluster, "app:v3");
  const mended = await rolledOut(cluster, "web");
  assert.equal(mended.metadata.annotations?.[REVISION], "3");
});

test("Recreate waits until the last old Pod is gone", async () => {
  await using cluster = await openCluster();
  const strategy = { type: "Recreate" };
  await cluster.of("deployments").create(workload("apps/v1", "Deployment", "web", { replicas: 2, strategy }));
  await rolledOut(cluster, "web");
  const seen = new Set<string>();
  const stop = new AbortController();
  const looking = (async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const images = (await cluster.list("pods")).map((pod) => podImage(pod));
      seen.add([...new Set(images)].join("+"));
      await nextTurn();
    }
  })();
  await setImage(cluster, "app:v2");
  await rolledOut(cluster, "web");
  stop.abort();
  await looking;
  assert.ok(![...seen].some((images) => images.includes("+")), [...seen].join(" "));
});

test("scaling, pausing and a history limit do what they say", async () => {
  await using cluster = await openCluster();
  const deployments = cluster.of("deployments");
  await deployments.create(
    workload("apps/v1", "Deployment", "web", { replicas: 1, revisionHistoryLimit: 1 }),
  );
  await rolledOut(cluster, "web");
  await deployments.patch("web", { type: "merge", body: { spec: { replicas: 4 } } });
  await rolledOut(cluster, "web");
  await deployments.patch("web", { type: "merge", body: { spec: { paused: true } } });
  await setImage(cluster, "app:v2");
  await cluster.until("it says that it is paused", async () => {
    const deployment = await deployments.get("web");
    const { observedGeneration } = statusOf(deployment);
    return (
      conditions(deployment)["Progressing"] === "Unknown DeploymentPaused" &&
      observedGeneration === deployment.metadata.generation
    );
  });
  assert.equal((await cluster.list("replicasets")).length, 1);
  await deployments.patch("web", { type: "merge", body: { spec: { replicas: 2 } } });
  await cluster.until("it shrinks all the same", async () => (await cluster.list("pods")).length === 2);
  await deployments.patch("web", { type: "merge", body: { spec: { paused: false } } });
  await rolledOut(cluster, "web");
  for (const image of ["app:v3", "app:v4"]) {
    await setImage(cluster, image);
    await rolledOut(cluster, "web");
  }
  await cluster.until(
    "one old ReplicaSet is left",
    async () => (await cluster.list("replicasets")).length === 2,
  );
  const images = (await cluster.list("replicasets")).map((set) => imageOf(set));
  assert.deepEqual(new Set(images), new Set(["app:v3", "app:v4"]));
});

test("a resize in the middle of a rollout is shared by the ReplicaSets", async () => {
  await using cluster = await openCluster();
  const deployments = cluster.of("deployments");
  await deployments.create(workload("apps/v1", "Deployment", "web", { replicas: 4 }));
  await rolledOut(cluster, "web");
  cluster.becomesReady = (pod) => podImage(pod) !== "app:v2";
  await setImage(cluster, "app:v2");
  const sizes = async (): Promise<string> =>
    (await cluster.list("replicasets"))
      .map((set) => `${String(imageOf(set))}=${replicasOf(set)}`)
      .toSorted()
      .join(" ");
  await cluster.until("the rollout stands", async () => (await sizes()) === "app:v1=3 app:v2=2");
  await deployments.patch("web", { type: "merge", body: { spec: { replicas: 8 } } });
  await cluster.until("both grow", async () => (await sizes()) === "app:v1=6 app:v2=4");
  // The old ones are there no longer than it takes the first of these to become ready.
  const waiting = async (): Promise<readonly KubernetesObject[]> =>
    (await cluster.list("pods")).filter((pod) => podImage(pod) === "app:v2");
  await cluster.until("four wait", async () => (await waiting()).length === 4);
  cluster.becomesReady = () => true;
  for (const pod of await waiting())
    await cluster
      .of("pods")
      .patch(nameOf(pod), { type: "merge", body: { metadata: { labels: { touched: "yes" } } } });
  await rolledOut(cluster, "web");
});

test("a name that another template has taken is counted as a collision and gone around", async () => {
  await using cluster = await openCluster();
  await cluster.of("deployments").create(workload("apps/v1", "Deployment", "web", { replicas: 1 }));
  await rolledOut(cluster, "web");
  const [set] = await cluster.list("replicasets");
  const name = nameOf(set as KubernetesObject);
  await cluster.of("deployments").delete("web", { propagationPolicy: "Background" });
  await cluster.until("it is gone", async () => (await cluster.list("replicasets")).length === 0);
  const other: JsonObject = {
    replicas: 0,
    selector: { matchLabels: { app: "x" } },
    template: templateOf("x"),
  };
  await cluster.of("replicasets").create(workload("apps/v1", "ReplicaSet", name, other));
  await cluster.of("deployments").create(workload("apps/v1", "Deployment", "web", { replicas: 1 }));
  const deployment = await rolledOut(cluster, "web");
  assert.equal(statusOf(deployment)["collisionCount"], 1);
});
