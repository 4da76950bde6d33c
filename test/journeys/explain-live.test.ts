/** Explaining what a cluster has: with `dray up` as the cluster, found by its data folder. */
import assert from "node:assert/strict";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { run } from "../../src/cli/run.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import { type Explanation, explanationSchema } from "../../src/explain/index.ts";
import type { JsonObject, KubernetesObject } from "../../src/kubernetes/index.ts";
import { findSchemaFaults } from "./json-schema.ts";
import { setUp } from "./up-cluster.ts";

const PASSWORD = "not-what-it-was";

function secret(registry: string): KubernetesObject {
  const document = JSON.stringify({ auths: { [registry]: { username: "me", password: PASSWORD } } });
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "regcred", namespace: "default" },
    type: "kubernetes.io/dockerconfigjson",
    data: { ".dockerconfigjson": Buffer.from(document).toString("base64") },
  };
}

function template(image: string): JsonObject {
  return { imagePullSecrets: [{ name: "regcred" }], containers: [{ name: "web", image }] };
}

/** Every file, but for those in which dray up itself keeps writing. */
async function snapshot(folder: string): Promise<readonly string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const kept = paths
    .filter((path) => !/\.db(-wal|-shm)?$|\/\.?status\.json[^/]*$|\/pulling\//.test(path))
    .toSorted();
  return await Promise.all(kept.map(async (path) => `${path} ${(await stat(path)).mtimeMs}`));
}

function isFailing(object: KubernetesObject): boolean {
  return /"reason":"(ErrImagePull|ImagePullBackOff)"/.test(JSON.stringify(object["status"] ?? {}));
}

test(
  "explain finds dray up, the Pod, its Deployment, its node and what they say",
  { timeout: 300_000 },
  async (t) => {
    const { registry, image, folder, up } = await setUp(t);
    const cluster = await up();
    const explain = async (
      ...words: readonly string[]
    ): Promise<{ readonly exit: number; readonly told: Explanation; readonly text: string }> => {
      const env = { XDG_DATA_HOME: `${folder}/data`, HOME: folder };
      const context = createMemoryContext({ cwd: folder, home: folder, env, now: Date.now });
      const exit = await run(["explain", ...words, "--json"], context);
      assert.deepEqual(findSchemaFaults(explanationSchema, JSON.parse(context.stdout.text)), []);
      const text = context.stdout.text + context.stderr.text;
      return { exit, told: JSON.parse(context.stdout.text) as Explanation, text };
    };
    await cluster.resource("secrets").create(secret(registry));
    const selector = { matchLabels: { app: "web" } };
    await cluster.resource("deployments", "apps").create({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "web", namespace: "default" },
      spec: { selector, template: { metadata: { labels: { app: "web" } }, spec: template(image) } },
    });
    const failing = await cluster.until(cluster.resource("pods"), isFailing);
    const events = cluster.resource("events");
    await cluster.until(events, (event) =>
      JSON.stringify(event["message"]).startsWith(`"Failed to pull image`),
    );

    const before = await snapshot(folder);
    const ofDeployment = await explain("deployment/web");
    assert.equal(ofDeployment.exit, 4, ofDeployment.text);
    const [pod] = ofDeployment.told.pods;
    assert.deepEqual(pod?.subject.owner, { kind: "Deployment", name: "web" });
    assert.equal(pod.subject.name, failing.metadata.name);
    const [found] = pod.images;
    assert.deepEqual(
      found?.causes.map(({ code }) => code),
      ["CREDENTIAL_REFUSED"],
    );
    assert.equal(found.observed?.agrees, true, JSON.stringify(found.observed));
    assert.ok(found.observed?.events.some(({ reason }) => reason === "Failed"));
    assert.ok((found.observed?.backOff?.failures ?? 0) >= 1);
    assert.ok(pod.node.name !== undefined);
    assert.match(found.presence.source ?? "", /dray\.db$/);

    const ofAll = await explain();
    assert.equal(ofAll.told.pods.length, 1);
    const offline = await explain(`pod/${failing.metadata.name ?? ""}`, "--no-network");
    assert.equal(offline.told.exchanges, 0);
    assert.deepEqual(
      offline.told.pods[0]?.images[0]?.causes.map(({ code }) => code),
      ["CREDENTIAL_REFUSED"],
    );

    // The folder that dray up watches bears the name of a kind.
    const inNamespace = await explain("pods", "-n", "default");
    assert.equal(inNamespace.told.pods.length, 1);

    // As dray up itself tells people to.
    const env = { KUBECONFIG: `${folder}/data/dray/kubeconfig`, XDG_DATA_HOME: `${folder}/data` };
    const exported = createMemoryContext({ cwd: folder, home: folder, env, now: Date.now });
    assert.equal(await run(["explain", "deployment/web"], exported), 4);
    assert.match(exported.stdout.text, /on the node: not there/);

    assert.deepEqual(await snapshot(folder), before, "explaining changes no file");
    const pods = await cluster.resource("pods").listAll({ namespace: "" });
    for (const { text } of [ofDeployment, ofAll, offline]) {
      assert.ok(!text.includes(PASSWORD));
      assert.ok(!text.includes(Buffer.from(`me:${PASSWORD}`).toString("base64")));
    }
    assert.equal(pods.items.length, 1);
  },
);
