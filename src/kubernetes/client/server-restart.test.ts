import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openApiServer } from "../../apiserver/index.ts";
import type { KubernetesObject } from "../objects/object.ts";
import { type Clock, systemClock } from "./clock.ts";
import { connectToCluster } from "./cluster-config.ts";
import { Informer } from "./informer.ts";
import { loadKubeconfig } from "./kubeconfig.ts";
import type { Change } from "./object-cache.ts";

const CONFIG_MAPS = { group: "", version: "v1", resource: "configmaps", namespaced: true } as const;
const WATCHERS = 20;

/** Waits a tenth as long: a server that starts again needn't be left alone for seconds. */
const hasty: Clock = {
  now: () => Date.now(),
  wait: (milliseconds, signal) => systemClock.wait(milliseconds / 10, signal),
};

function named(index: number): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: `m${index}`, namespace: "default" },
    data: { index: String(index) },
  };
}

test("20 watchers hear of 200 objects made, changed and deleted through a restart of the server, each once", async () => {
  const folder = await mkdtemp(join(tmpdir(), "dray-restart-"));
  let server = await openApiServer({ folder });
  const { kubeconfig, port } = await server.listen({ port: 0 });
  const config = await loadKubeconfig({ env: {}, file: kubeconfig });
  const stop = new AbortController();
  const connected = connectToCluster(config, { clock: hasty });
  const maps = connected.client.resource(CONFIG_MAPS);
  const heard = Array.from({ length: WATCHERS }, (): Change[] => []);
  const informers = heard.map((changes) => {
    const informer = new Informer(maps, { fieldSelector: "metadata.namespace=default", limit: 7 });
    informer.subscribe((change) => changes.push(change));
    return informer;
  });
  const running = informers.map((informer) => informer.run(stop.signal));
  await Promise.all(informers.map((informer) => informer.synced()));

  for (let index = 0; index < 100; index++) await maps.create(named(index));
  await server.close();
  server = await openApiServer({ folder });
  for (let index = 100; index < 150; index++) await server.transport()(post(index));
  await server.listen({ port });
  for (let index = 150; index < 200; index++) await maps.create(named(index));
  for (let index = 0; index < 200; index += 2) {
    await maps.patch(`m${index}`, { type: "merge", body: { data: { changed: "yes" } } });
  }
  const names: string[] = [];
  for await (const map of maps.list({ limit: 9 })) names.push(map.metadata.name ?? "");
  assert.equal(names.filter((name) => name.startsWith("m")).length, 200);
  assert.equal(new Set(names).size, names.length);
  for (let index = 0; index < 200; index++) await maps.delete(`m${index}`);
  const end = performance.now() + 20_000;
  while (
    informers.some((informer) =>
      informer.list().some(({ metadata }) => metadata.name?.startsWith("m") === true),
    )
  ) {
    assert.ok(performance.now() < end, "they hear of the end");
    await new Promise((resolve) => setImmediate(resolve));
  }
  for (const changes of heard) {
    const told = new Map<string, string>();
    for (const { type, object } of changes) {
      const name = object.metadata.name ?? "";
      if (name.startsWith("m")) told.set(name, `${told.get(name) ?? ""}${type} `);
    }
    assert.equal(told.size, 200);
    for (const [name, words] of told) {
      const even = Number(name.slice(1)) % 2 === 0;
      assert.equal(words, even ? "added updated deleted " : "added deleted ", name);
    }
  }
  stop.abort();
  await Promise.all(running);
  await connected.close();
  await server.close();
  await rm(folder, { recursive: true });
});

/** Made while nobody can watch. */
function post(index: number): Request {
  return new Request("http://embedded/api/v1/namespaces/default/configmaps", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(named(index)),
  });
}
