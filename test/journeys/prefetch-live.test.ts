/** Images of a cluster's workloads, with `dray up` as the cluster. */
import assert from "node:assert/strict";
import { test } from "node:test";

import type { KubernetesObject } from "../../src/kubernetes/index.ts";
import { dray, serve } from "./prefetch-world.ts";
import { setUp } from "./up-cluster.ts";

test("a Deployment's image comes with the Secret of its ServiceAccount", { timeout: 300_000 }, async (t) => {
  const { registry, image, folder, up } = await setUp(t);
  const cluster = await up();
  const { socket } = await serve(t, folder, "--plain-http");
  const auths = { [registry]: { username: "me", password: "me-pw" } };
  const secret: KubernetesObject = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "regcred", namespace: "default" },
    type: "kubernetes.io/dockerconfigjson",
    data: { ".dockerconfigjson": Buffer.from(JSON.stringify({ auths })).toString("base64") },
  };
  await cluster.resource("secrets").create(secret);
  await cluster.resource("serviceaccounts").create({
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: "robot", namespace: "default" },
    imagePullSecrets: [{ name: "regcred" }],
  });
  const matchLabels = { app: "web" };
  await cluster.resource("deployments", "apps").create({
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: { name: "web", namespace: "default" },
    spec: {
      replicas: 0,
      selector: { matchLabels },
      template: {
        metadata: { labels: matchLabels },
        spec: { serviceAccountName: "robot", containers: [{ name: "web", image }] },
      },
    },
  });
  const node = ["--socket", socket, "--kubelet-root", "/nonexistent", "--plain-http", "--keep-free", "0"];
  const came = await dray(folder, ["prefetch", "deployment/web", ...node]);
  assert.equal(came.code, 0, came.err);
  assert.match(came.out, /me\/app:1 {2}pulled /);
  const all = await dray(folder, ["prefetch", "deployments", "-A", ...node, "--json"]);
  assert.match(all.out, /"workload":"Deployment default\/web"/);
  const missing = await dray(folder, ["prefetch", "deploy/other", ...node]);
  assert.equal(missing.code, 1);
  assert.match(missing.err, /deployments\.apps "other" not found/);
});
