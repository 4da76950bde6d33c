import assert from "node:assert/strict";
import { test } from "node:test";

import { ConfiguredHosts, fetchTransport } from "../../client/index.ts";
import { explain } from "../../explain/index.ts";
import { forbidden, type KubernetesClient, type KubernetesObject } from "../../kubernetes/index.ts";
import { ClusterSurroundings } from "./cluster-surroundings.ts";

const IMAGE = "registry.example.com/shop/web:1";
const DENIED = `Back-off pulling image "${IMAGE}": ErrImagePull: failed to resolve image: unexpected status from HEAD request to https://registry.example.com/v2/shop/web/manifests/1: 401 Unauthorized`;

const POD: KubernetesObject = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "web", namespace: "shop", uid: "1", creationTimestamp: "2026-01-05T11:00:00Z" },
  spec: {
    nodeName: "a",
    imagePullSecrets: [{ name: "regcred" }],
    containers: [{ name: "web", image: IMAGE, imagePullPolicy: "Always" }],
  },
  status: {
    containerStatuses: [{ name: "web", state: { waiting: { reason: "ImagePullBackOff", message: DENIED } } }],
  },
};

/** An API server that lets its user read Pods, and nothing else. */
function clientForPods(): KubernetesClient {
  const refuse = (resource: string): Promise<never> =>
    Promise.reject(forbidden({ group: "", kind: resource, name: "x" }, "not yours"));
  const resource = ({ resource: name }: { readonly resource: string }): unknown => ({
    find: () => refuse(name),
    listAll: () => refuse(name),
  });
  return { resource, namespace: "shop" } as unknown as KubernetesClient;
}

test("who may read Pods and not Secrets is told what couldn't be seen, and what follows all the same", async () => {
  const told = await explain({
    workloads: [{ object: POD }],
    nodes: [{ name: "a", platform: { os: "linux", architecture: "amd64" } }],
    surroundings: new ClusterSurroundings(clientForPods()),
    sources: {},
    admission: [],
    hosts: () => new ConfiguredHosts(),
    send: fetchTransport(async () =>
      Response.json({ errors: [] }, { status: 401, headers: { "www-authenticate": 'Basic realm="r"' } }),
    ),
    problems: [],
    rate: 1,
    now: () => Date.UTC(2026, 0, 5, 12),
  });
  assert.deepEqual(told.unseen, [
    "Secret shop/regcred: you may not read it",
    "ServiceAccount shop/default: you may not read it",
    "events of Pod shop/web: you may not read it",
  ]);
  const [image] = told.pods[0]?.images ?? [];
  assert.equal(image?.outcome.state, "unknown");
  // The node's own words say that there were credentials, and that they were refused.
  assert.deepEqual(
    image.causes.map(({ code, severity }) => [code, severity]),
    [
      ["CREDENTIAL_REFUSED", "failure"],
      ["SECRET_UNSEEN", "risk"],
    ],
  );
});
