/** `dray up` as a cluster of one: objects come over the API, and what becomes of them shows there. */
import assert from "node:assert/strict";
import { readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import { type JsonObject, type KubernetesObject, StatusError } from "../../src/kubernetes/index.ts";
import { setUp } from "./up-cluster.ts";

function pod(name: string, image: string, more: JsonObject = {}): KubernetesObject {
  const spec = { containers: [{ name: "c", image }], ...more };
  return { apiVersion: "v1", kind: "Pod", metadata: { name, namespace: "default" }, spec };
}

function pullSecret(name: string, registry: string, password: string): KubernetesObject {
  const document = JSON.stringify({ auths: { [registry]: { username: "me", password } } });
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace: "default" },
    type: "kubernetes.io/dockerconfigjson",
    data: { ".dockerconfigjson": Buffer.from(document).toString("base64") },
  };
}

function waitingFor(object: KubernetesObject): string | undefined {
  const { containerStatuses = [] } = (object["status"] ?? {}) as {
    readonly containerStatuses?: readonly {
      readonly state: { readonly waiting?: { readonly reason?: string } };
    }[];
  };
  return containerStatuses[0]?.state.waiting?.reason;
}

const isRunning = (object: KubernetesObject): boolean =>
  ((object["status"] ?? {}) as JsonObject)["phase"] === "Running";

const named =
  (name: string, holds: (object: KubernetesObject) => boolean) =>
  (object: KubernetesObject): boolean =>
    object.metadata.name === name && holds(object);

const PATIENCE = { timeout: 240_000 };

test(
  "a private image comes with its Secret; a wrong one shows why, and mending it mends the Pod",
  PATIENCE,
  async (t) => {
    const { registry, image, up } = await setUp(t);
    const cluster = await up();
    assert.equal((await stat(cluster.kubeconfig)).mode & 0o777, 0o600);
    const [pods, secrets] = [cluster.resource("pods"), cluster.resource("secrets")];
    await secrets.create(pullSecret("good", registry, "me-pw"));
    await secrets.create(pullSecret("bad", registry, "wrong"));
    await pods.create(pod("web", image, { imagePullSecrets: [{ name: "good" }] }));
    await pods.create(pod("denied", `${image}`, { imagePullSecrets: [{ name: "bad" }] }));
    await cluster.until(pods, named("web", isRunning));
    const failing = await cluster.until(
      pods,
      named("denied", (one) => /^(?:ErrImagePull|ImagePullBackOff)$/.test(waitingFor(one) ?? "")),
    );
    const events = cluster.resource("events");
    // Others of the same reason come beside it, one of them with the second look, in no order that a list shows.
    const failed = await cluster.until(events, (one) => {
      const about = one["involvedObject"] as JsonObject;
      return (
        about["uid"] === failing.metadata.uid && (one["message"] as string).startsWith("Failed to pull image")
      );
    });
    assert.equal(failed["reason"], "Failed");
    await secrets.patch("bad", {
      type: "merge",
      body: { data: pullSecret("x", registry, "me-pw")["data"] as JsonObject },
    });
    await cluster.until(pods, named("denied", isRunning));
  },
);

test(
  "a Deployment's Pods take their account's pull secrets, and a file's Pods stand beside them",
  PATIENCE,
  async (t) => {
    const { registry, image, folder, up } = await setUp(t);
    const cluster = await up("--node-name", "lab1");
    const accounts = cluster.resource("serviceaccounts");
    await cluster.resource("secrets").create(pullSecret("good", registry, "me-pw"));
    await accounts.patch("default", { type: "strategic", body: { imagePullSecrets: [{ name: "good" }] } });
    const labels = { app: "dep" };
    const template = { metadata: { labels }, spec: { containers: [{ name: "c", image }] } };
    const deployments = cluster.resource("deployments", "apps");
    await deployments.create({
      apiVersion: "apps/v1",
      kind: "Deployment",
      metadata: { name: "dep" },
      spec: { replicas: 2, selector: { matchLabels: labels }, template },
    });
    const ready = await cluster.until(
      deployments,
      (one) => ((one["status"] ?? {}) as JsonObject)["readyReplicas"] === 2,
    );
    assert.equal(ready.metadata.name, "dep");
    const spec = `{containers: [{name: c, image: '${image}', imagePullPolicy: Never}]}`;
    await writeFile(
      join(folder, "pods", "static.yaml"),
      `{apiVersion: v1, kind: Pod, metadata: {name: static}, spec: ${spec}}`,
    );
    const pods = cluster.resource("pods");
    const mirror = await cluster.until(
      pods,
      named("static-lab1", (one) => waitingFor(one) !== undefined),
    );
    // The image is here, and nobody showed that this Pod may have it.
    await cluster.until(
      pods,
      named("static-lab1", (one) => waitingFor(one) === "ErrImageNeverPull"),
    );
    assert.equal(mirror.metadata.ownerReferences?.[0]?.kind, "Node");
  },
);

test("what was made before is there after a restart, and the node takes it up again", PATIENCE, async (t) => {
  const { registry, image, up } = await setUp(t);
  const first = await up();
  await first.resource("secrets").create(pullSecret("good", registry, "me-pw"));
  await first.resource("pods").create(pod("web", image, { imagePullSecrets: [{ name: "good" }] }));
  await first.until(first.resource("pods"), named("web", isRunning));
  const token = await readFile(first.kubeconfig, "utf8").then((text) => /token: (\S+)/.exec(text)?.[1]);
  assert.equal(await first.stop(), 0);
  const second = await up();
  const again = await second.resource("pods").get("web", { namespace: "default" });
  assert.equal(isRunning(again), true);
  assert.equal((await readFile(second.kubeconfig, "utf8")).includes(token ?? "-"), true);
  await second.resource("pods").delete("web", { namespace: "default" });
  await second.resource("pods").create(pod("other", image, { imagePullSecrets: [{ name: "good" }] }));
  await second.until(second.resource("pods"), named("other", isRunning));
});
test(
  "admission holds Pods to rules, and pins tags to what the registry says they are",
  PATIENCE,
  async (t) => {
    const { registry, image, up } = await setUp(t);
    const cluster = await up("--pin", "--allow", `${registry}/me/*`);
    await cluster.resource("secrets").create(pullSecret("good", registry, "me-pw"));
    const pods = cluster.resource("pods");
    await assert.rejects(pods.create(pod("foreign", "nginx:1")), (error: unknown) => {
      assert.ok(error instanceof StatusError);
      assert.equal(error.code, "Forbidden");
      assert.match(error.message, /nginx/);
      return true;
    });
    const made = await pods.create(pod("web", image, { imagePullSecrets: [{ name: "good" }] }));
    const [container] = (made["spec"] as JsonObject)["containers"] as readonly JsonObject[];
    assert.match(container?.["image"] as string, /\/me\/app:1@sha256:[0-9a-f]{64}$/);
    await cluster.until(pods, named("web", isRunning));
  },
);
