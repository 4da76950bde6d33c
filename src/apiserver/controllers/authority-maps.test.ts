import assert from "node:assert/strict";
import { test } from "node:test";

import { startControllers } from "./start-controllers.ts";
import { openCluster } from "./testing.ts";

test("each namespace is told whom to trust, whatever becomes of what it was told", async () => {
  await using cluster = await openCluster();
  await cluster.stopControllers();
  const ending = new AbortController();
  const { stopped } = startControllers({
    client: cluster.client,
    signal: ending.signal,
    authority: "PEM of the authority",
    onError: (error) => cluster.errors.push(error),
  });
  const maps = cluster.of("configmaps");
  const name = "kube-root-ca.crt";
  const isTold = async (namespace: string): Promise<boolean> => {
    const { items } = await maps.listAll({ namespace, fieldSelector: `metadata.name=${name}` });
    return (items[0]?.["data"] as { "ca.crt"?: string } | undefined)?.["ca.crt"] === "PEM of the authority";
  };
  await cluster.until("the first namespaces know", async () => await isTold("kube-system"));
  const namespaces = cluster.of("namespaces");
  await namespaces.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "shop" } });
  await cluster.until("a new one knows", async () => await isTold("shop"));
  await maps.patch(name, { type: "merge", body: { data: { "ca.crt": "x" } } }, { namespace: "shop" });
  await cluster.until("a change is undone", async () => await isTold("shop"));
  const { metadata } = await maps.get(name, { namespace: "shop" });
  assert.match(metadata.annotations?.["kubernetes.io/description"] ?? "", /CA bundle/);
  await maps.delete(name, { namespace: "shop" });
  await cluster.until("it comes back", async () => await isTold("shop"));
  await namespaces.delete("shop");
  await cluster.until("a namespace goes all the same", async () => {
    const { items } = await namespaces.listAll({ namespace: "" });
    return items.every((one) => one.metadata.name !== "shop");
  });
  assert.deepEqual(cluster.errors, []);
  ending.abort();
  await stopped;
});
