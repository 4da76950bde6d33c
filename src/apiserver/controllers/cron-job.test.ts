import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import { isDeleting, listOf, nameOf, statusOf } from "./objects.ts";
import { type Cluster, openCluster, templateOf } from "./testing.ts";

const MINUTE = 60_000;

function cronJob(spec: JsonObject): KubernetesObject {
  const template = templateOf("work", "app:v1", { restartPolicy: "Never" });
  const jobTemplate = { metadata: { labels: { made: "by-cron" } }, spec: { template } };
  return {
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: { name: "tick", namespace: "default" },
    spec: { schedule: "* * * * *", jobTemplate, ...spec },
  };
}

async function jobNames(cluster: Cluster): Promise<readonly string[]> {
  const jobs = (await cluster.list("jobs")).filter((job) => !isDeleting(job));
  return jobs.map((job) => nameOf(job)).toSorted();
}

async function finish(cluster: Cluster, phase: string): Promise<void> {
  const unfinished = async (): Promise<readonly KubernetesObject[]> =>
    (await cluster.list("pods")).filter((pod) => statusOf(pod)["phase"] === "Running");
  await cluster.until("a Pod runs", async () => (await unfinished()).length > 0);
  for (const pod of await unfinished()) await cluster.say(pod, { phase });
}

test("a CronJob makes a Job for each minute that is due, named after it, and none for a time it has served", async () => {
  await using cluster = await openCluster({ clock: true });
  await cluster.of("cronjobs").create(cronJob({}));
  await cluster.advance(MINUTE);
  await cluster.until("the first Job is there", async () => (await jobNames(cluster)).length === 1);
  const [first = ""] = await jobNames(cluster);
  const minute = Math.floor(cluster.now() / MINUTE);
  assert.equal(first, `tick-${minute}`);
  const job = await cluster.of("jobs").get(first);
  assert.equal(job.metadata.labels?.["made"], "by-cron");
  const at = new Date(minute * MINUTE).toISOString().replace(".000Z", "Z");
  assert.equal(job.metadata.annotations?.["batch.kubernetes.io/cronjob-scheduled-timestamp"], at);
  assert.equal(job.metadata.ownerReferences?.[0]?.kind, "CronJob");
  const status = async (): Promise<JsonObject> => statusOf(await cluster.of("cronjobs").get("tick"));
  await cluster.until("it is told", async () => (await status())["lastScheduleTime"] === at);
  assert.deepEqual(
    listOf(await status(), "active").map(({ name }) => name),
    [first],
  );
  await cluster.stopControllers();
  await cluster.startControllers();
  await finish(cluster, "Succeeded");
  await cluster.until("the end is told", async () => "lastSuccessfulTime" in (await status()));
  assert.deepEqual(await jobNames(cluster), [first]);
  await cluster.advance(MINUTE);
  await cluster.until("the second is there", async () =>
    (await jobNames(cluster)).includes(`tick-${minute + 1}`),
  );
});

test("a CronJob that forbids company waits, one that replaces ends what runs, one that is suspended does nothing", async () => {
  await using cluster = await openCluster({ clock: true });
  const crons = cluster.of("cronjobs");
  await crons.create(cronJob({ concurrencyPolicy: "Forbid" }));
  await cluster.advance(MINUTE);
  await cluster.until("the first Job is there", async () => (await jobNames(cluster)).length === 1);
  const first = await jobNames(cluster);
  await cluster.advance(MINUTE);
  await cluster.until("it says why it waits", async () =>
    (await cluster.events()).some((event) => event.startsWith("JobAlreadyActive")),
  );
  assert.deepEqual(await jobNames(cluster), first);
  await crons.patch("tick", { type: "merge", body: { spec: { concurrencyPolicy: "Replace" } } });
  await cluster.until("another takes its place", async () => {
    const names = await jobNames(cluster);
    return names.length === 1 && names[0] !== first[0];
  });
  await crons.patch("tick", { type: "merge", body: { spec: { suspend: true } } });
  const before = await jobNames(cluster);
  await cluster.advance(5 * MINUTE);
  assert.deepEqual(await jobNames(cluster), before);
});

test("finished Jobs are kept as far as the history goes, and a time missed for too long is let go", async () => {
  await using cluster = await openCluster({ clock: true });
  await cluster
    .of("cronjobs")
    .create(cronJob({ successfulJobsHistoryLimit: 1, startingDeadlineSeconds: 100 }));
  for (let count = 0; count < 3; count++) {
    await cluster.advance(MINUTE);
    await cluster.until("a new Job is there", async () =>
      (await jobNames(cluster)).includes(`tick-${Math.floor(cluster.now() / MINUTE)}`),
    );
    await finish(cluster, "Succeeded");
    await cluster.until("it is counted", async () => {
      return (await cluster.list("jobs")).every((job) =>
        listOf(statusOf(job), "conditions").some(({ type }) => type === "Complete"),
      );
    });
  }
  await cluster.until("one is left", async () => (await jobNames(cluster)).length === 1);
  await cluster.stopControllers();
  await cluster.advance(60 * MINUTE);
  await cluster.startControllers();
  await cluster.until("only the last missed one is made", async () => {
    return (await jobNames(cluster)).includes(`tick-${Math.floor(cluster.now() / MINUTE)}`);
  });
  assert.ok((await jobNames(cluster)).length <= 2);
});
