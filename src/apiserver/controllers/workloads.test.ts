import assert from "node:assert/strict";
import { test } from "node:test";
import { formatTime, type JsonObject, type KubernetesObject } from "../../kubernetes/index.ts";
import { isDeleting, listOf, member, nameOf, specOf, statusOf, textOf } from "./objects.ts";
import { type Cluster, openCluster, templateOf, workload } from "./testing.ts";

async function podNames(cluster: Cluster): Promise<readonly string[]> {
  return (await cluster.list("pods")).map((pod) => nameOf(pod)).toSorted();
}

function setImage(cluster: Cluster, resource: string, image: string): Promise<KubernetesObject> {
  const body = { spec: { template: { spec: { containers: [{ name: "c", image }] } } } };
  return cluster.of(resource).patch("web", { type: "strategic", body });
}

async function images(cluster: Cluster): Promise<readonly unknown[]> {
  const pods = (await cluster.list("pods")).filter((pod) => !isDeleting(pod));
  return pods
    .toSorted((one, other) => (nameOf(one) < nameOf(other) ? -1 : 1))
    .map((pod) => listOf(specOf(pod), "containers")[0]?.["image"]);
}

test("a StatefulSet makes its Pods one after another, each when the one before is ready", async () => {
  await using cluster = await openCluster();
  cluster.becomesReady = (pod) => nameOf(pod) !== "web-1";
  const sets = cluster.of("statefulsets");
  await sets.create(workload("apps/v1", "StatefulSet", "web", { replicas: 3, serviceName: "web" }));
  await cluster.until("the second is there", async () => (await podNames(cluster)).includes("web-1"));
  await cluster.until(
    "the first is ready",
    async () => statusOf(await sets.get("web"))["readyReplicas"] === 1,
  );
  assert.deepEqual(await podNames(cluster), ["web-0", "web-1"]);
  const pod = await cluster.of("pods").get("web-1");
  assert.equal(pod.metadata.labels?.["statefulset.kubernetes.io/pod-name"], "web-1");
  assert.equal(pod.metadata.labels["apps.kubernetes.io/pod-index"], "1");
  assert.deepEqual([specOf(pod)["hostname"], specOf(pod)["subdomain"]], ["web-1", "web"]);
  cluster.becomesReady = () => true;
  await cluster
    .of("pods")
    .patch("web-1", { type: "merge", body: { metadata: { labels: { touched: "yes" } } } });
  await cluster.until("all are ready", async () => statusOf(await sets.get("web"))["readyReplicas"] === 3);
  const status = statusOf(await sets.get("web"));
  assert.equal(status["currentRevision"], status["updateRevision"]);
  assert.equal(status["observedGeneration"], 1);
  const events = await cluster.events();
  assert.ok(events.includes("SuccessfulCreate: create Pod web-0 in StatefulSet web successful"));
});

test("a StatefulSet updates from the top down to its partition, and shrinks from the top", async () => {
  await using cluster = await openCluster();
  const sets = cluster.of("statefulsets");
  const updateStrategy = { type: "RollingUpdate", rollingUpdate: { partition: 1 } };
  const spec = { replicas: 3, serviceName: "web", updateStrategy, podManagementPolicy: "Parallel" };
  await sets.create(workload("apps/v1", "StatefulSet", "web", spec));
  await cluster.until("all are ready", async () => statusOf(await sets.get("web"))["readyReplicas"] === 3);
  await setImage(cluster, "statefulsets", "app:v2");
  await cluster.until("two are new", async () => String(await images(cluster)) === "app:v1,app:v2,app:v2");
  // Its status comes after its Pods: one that tells of three may still be that of the old ones.
  await cluster.until("they are ready", async () => {
    const { readyReplicas, updatedReplicas } = statusOf(await sets.get("web"));
    return readyReplicas === 3 && updatedReplicas === 2;
  });
  await cluster.rest();
  assert.equal(String(await images(cluster)), "app:v1,app:v2,app:v2", "the partition holds");
  await sets.patch("web", { type: "merge", body: { spec: { replicas: 1 } } });
  await cluster.until("one is left", async () => String(await podNames(cluster)) === "web-0");
});

test("a DaemonSet has one Pod on every Node that it selects, as Nodes come and go", async () => {
  await using cluster = await openCluster({ nodes: ["n1", "n2", "other"] });
  const sets = cluster.of("daemonsets");
  await cluster
    .of("nodes")
    .patch("other", { type: "merge", body: { metadata: { labels: { skip: "yes" } } } });
  for (const name of ["n1", "n2"]) {
    await cluster.of("nodes").patch(name, { type: "merge", body: { metadata: { labels: { disk: "ssd" } } } });
  }
  const template = templateOf("web", "app:v1", { nodeSelector: { disk: "ssd" } });
  await sets.create(workload("apps/v1", "DaemonSet", "web", { template }));
  const nodes = async (): Promise<string> =>
    (await cluster.list("pods"))
      .map((pod) => textOf(specOf(pod), "nodeName") ?? "")
      .toSorted()
      .join(" ");
  await cluster.until("both are ready", async () => statusOf(await sets.get("web"))["numberReady"] === 2);
  assert.equal(await nodes(), "n1 n2");
  const node = { apiVersion: "v1", kind: "Node", metadata: { name: "n3", labels: { disk: "ssd" } } };
  await cluster.of("nodes").create(node);
  await cluster.until("the third has one", async () => (await nodes()) === "n1 n2 n3");
  await cluster.of("nodes").patch("n1", { type: "merge", body: { metadata: { labels: { disk: null } } } });
  await cluster.until("the first is left", async () => (await nodes()) === "n2 n3");
  await setImage(cluster, "daemonsets", "app:v2");
  await cluster.until("both are new", async () => String(await images(cluster)) === "app:v2,app:v2");
  await cluster.until("it says so", async () => {
    const status = statusOf(await sets.get("web"));
    return ["desiredNumberScheduled", "updatedNumberScheduled", "numberAvailable"].every(
      (count) => status[count] === 2,
    );
  });
});

function job(spec: JsonObject): KubernetesObject {
  const template = templateOf("work", "app:v1", { restartPolicy: "Never" });
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name: "work", namespace: "default" },
    spec: { template, ...spec },
  };
}

/** Ends Pods of the Job as the node would. */
async function end(cluster: Cluster, phase: string, count: number): Promise<void> {
  await cluster.until(`${count} run`, async () => (await running(cluster)).length >= count);
  const finishedAt = formatTime(cluster.now());
  for (const pod of (await running(cluster)).slice(0, count)) {
    const state = { terminated: { exitCode: phase === "Failed" ? 1 : 0, startedAt: finishedAt, finishedAt } };
    const status = { name: "c", image: "app:v1", imageID: "", ready: false, restartCount: 0, state };
    await cluster.say(await cluster.of("pods").get(nameOf(pod)), { phase, containerStatuses: [status] });
  }
}

async function running(cluster: Cluster): Promise<readonly KubernetesObject[]> {
  return (await cluster.list("pods")).filter(
    (pod) => statusOf(pod)["phase"] === "Running" && !isDeleting(pod),
  );
}

function conditions(object: KubernetesObject): readonly string[] {
  return listOf(statusOf(object), "conditions").map(
    (one) => `${textOf(one, "type")} ${textOf(one, "reason")}`,
  );
}

test("a Job runs so many at a time until so many have ended well", async () => {
  await using cluster = await openCluster();
  const jobs = cluster.of("jobs");
  await jobs.create(job({ completions: 3, parallelism: 2 }));
  await cluster.until("two run", async () => statusOf(await jobs.get("work"))["ready"] === 2);
  assert.equal((await cluster.list("pods")).length, 2);
  const [pod] = await cluster.list("pods");
  assert.equal(pod?.metadata.labels?.["batch.kubernetes.io/job-name"], "work");
  await end(cluster, "Succeeded", 2);
  await end(cluster, "Succeeded", 1);
  await cluster.until("it is complete", async () =>
    conditions(await jobs.get("work")).includes("Complete CompletionsReached"),
  );
  const status = statusOf(await jobs.get("work"));
  assert.deepEqual([status["succeeded"], status["active"], status["ready"]], [3, undefined, 0]);
  assert.ok("completionTime" in status && "startTime" in status);
  assert.equal((await cluster.list("pods")).length, 3);
});

test("a Job fails when more Pods have failed than it allows; a suspended one has none", async () => {
  await using cluster = await openCluster({ clock: true });
  const jobs = cluster.of("jobs");
  await jobs.create(job({ backoffLimit: 1, suspend: true }));
  await cluster.until("it says that it is suspended", async () =>
    conditions(await jobs.get("work")).includes("Suspended JobSuspended"),
  );
  assert.equal((await cluster.list("pods")).length, 0);
  await jobs.patch("work", { type: "merge", body: { spec: { suspend: false } } });
  await end(cluster, "Failed", 1);
  await cluster.until("the failure is counted", async () => statusOf(await jobs.get("work"))["failed"] === 1);
  await cluster.advance(9000);
  assert.equal((await running(cluster)).length, 0, "the next waits for ten seconds");
  await cluster.advance(1000);
  await end(cluster, "Failed", 1);
  await cluster.until("it has failed", async () =>
    conditions(await jobs.get("work")).includes("Failed BackoffLimitExceeded"),
  );
  assert.equal(statusOf(await jobs.get("work"))["failed"], 2);
});

test("an indexed Job does each index once, and tells its Pods which", async () => {
  await using cluster = await openCluster();
  const jobs = cluster.of("jobs");
  await jobs.create(job({ completions: 3, parallelism: 3, completionMode: "Indexed" }));
  await cluster.until("three run", async () => (await running(cluster)).length === 3);
  const pods = await running(cluster);
  const indexes = pods.map((pod) => pod.metadata.annotations?.["batch.kubernetes.io/job-completion-index"]);
  assert.deepEqual(new Set(indexes), new Set(["0", "1", "2"]));
  const [container] = listOf(specOf(pods[0] as KubernetesObject), "containers");
  assert.deepEqual(listOf(container ?? {}, "env"), [{ name: "JOB_COMPLETION_INDEX", value: indexes[0] }]);
  await end(cluster, "Succeeded", 3);
  await cluster.until(
    "it is complete",
    async () => statusOf(await jobs.get("work"))["completedIndexes"] === "0-2",
  );
});

test("a finished Job goes when its time is over, and its Pods with it", async () => {
  await using cluster = await openCluster();
  await cluster.of("jobs").create(job({ ttlSecondsAfterFinished: 0 }));
  await end(cluster, "Succeeded", 1);
  await cluster.until("both are gone", async () => {
    return (await cluster.list("jobs")).length === 0 && (await cluster.list("pods")).length === 0;
  });
});

test("a deleted workload takes all that it made along", async () => {
  await using cluster = await openCluster();
  await cluster.of("deployments").create(workload("apps/v1", "Deployment", "web", { replicas: 2 }));
  await cluster.until("it runs", async () => (await running(cluster)).length === 2);
  await cluster.of("deployments").delete("web", { propagationPolicy: "Background" });
  await cluster.until("all is gone", async () => {
    return (await cluster.list("replicasets")).length === 0 && (await cluster.list("pods")).length === 0;
  });
});

for (const [resource, kind, hashLabel] of [
  ["statefulsets", "StatefulSet", "controller.kubernetes.io/hash"],
  ["daemonsets", "DaemonSet", "controller-revision-hash"],
] as const) {
  test(`a ${kind} keeps what it was, newest last, and as much of it as it's told to`, async () => {
    await using cluster = await openCluster();
    const spec = kind === "DaemonSet" ? {} : { replicas: 1, serviceName: "web" };
    await cluster.of(resource).create(workload("apps/v1", kind, "web", { ...spec, revisionHistoryLimit: 1 }));
    const history = async (): Promise<string> => {
      const revisions = await cluster.list("controllerrevisions");
      return revisions
        .map(({ metadata, ...one }) => {
          assert.equal(metadata.name, `web-${metadata.labels?.[hashLabel]}`);
          assert.equal(metadata.labels?.["app"], "web");
          const { template } = (one["data"] as { spec: { template: JsonObject } }).spec;
          assert.equal(template["$patch"], "replace");
          return `${Number(one["revision"])} ${textOf(listOf(member(template, "spec"), "containers")[0] ?? {}, "image")}`;
        })
        .toSorted()
        .join(", ");
    };
    const becomes = async (image: string, told: string): Promise<void> => {
      await setImage(cluster, resource, image);
      await cluster.until(`its Pod runs ${image}`, async () => String(await images(cluster)) === image);
      await cluster.until(`its history is ${told}`, async () => (await history()) === told);
    };
    await becomes("app:v1", "1 app:v1");
    await becomes("app:v2", "1 app:v1, 2 app:v2");
    await becomes("app:v1", "2 app:v2, 3 app:v1");
    await becomes("app:v3", "3 app:v1, 4 app:v3");
    const [revision] = await cluster.list("controllerrevisions");
    assert.ok(revision !== undefined);
    await assert.rejects(
      cluster.of("controllerrevisions").update({ ...revision, data: { spec: {} } }),
      /data: Invalid value: .*: field is immutable/,
    );
    await cluster.of(resource).delete("web");
    await cluster.until("they went with it", async () => (await history()) === "");
  });
}
