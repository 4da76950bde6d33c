import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
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

/** An address that stays while servers behind it come and go: a port that is given up may be somebody else's next. */
class Door implements AsyncDisposable {
  /** The port of the server behind it; without one, whoever comes is turned away. */
  behind: number | undefined;
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => {
    socket.on("error", () => {});
    if (this.behind === undefined) return void socket.destroy();
    const through = connect(this.behind, "127.0.0.1").on("error", () => {});
    for (const [one, other] of [
      [socket, through],
      [through, socket],
    ] as const) {
      this.#sockets.add(one);
      one.pipe(other);
      one.on("close", () => {
        this.#sockets.delete(one);
        other.destroy();
      });
    }
  });

  async open(): Promise<string> {
    this.#server.listen(0, "127.0.0.1");
    await once(this.#server, "listening");
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, "close");
  }
}

function named(index: number): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { name: `m${index}`, namespace: "default" },
    data: { index: String(index) },
  };
}

test("20 watchers hear of 200 objects made, changed and deleted through a restart of the server, each once", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "dray-restart-"));
  let server = await openApiServer({ folder });
  await using door = new Door();
  const { kubeconfig, port } = await server.listen({ port: 0 });
  door.behind = port;
  const loaded = await loadKubeconfig({ env: {}, file: kubeconfig });
  const config = { ...loaded, server: await door.open() };
  const stop = new AbortController();
  const connected = connectToCluster(config, { clock: hasty });
  const heard = Array.from({ length: WATCHERS }, (): Change[] => []);
  const informers = heard.map((changes) => {
    const informer = new Informer(connected.client.resource(CONFIG_MAPS), {
      fieldSelector: "metadata.namespace=default",
      limit: 7,
    });
    informer.subscribe((change) => changes.push(change));
    return informer;
  });
  const running = informers.map((informer) => informer.run(stop.signal));
  // Whatever fails, nobody goes on watching.
  t.after(async () => {
    stop.abort();
    await Promise.all(running);
    await connected.close();
    await server.close();
    await rm(folder, { recursive: true });
  });
  await Promise.all(informers.map((informer) => informer.synced()));

  const before = connectToCluster(config);
  for (let index = 0; index < 100; index++) await before.client.resource(CONFIG_MAPS).create(named(index));
  // What writes is not tried again: its connections end before the server does.
  await before.close();
  door.behind = undefined;
  await server.close();
  server = await openApiServer({ folder });
  for (let index = 100; index < 150; index++) await server.transport()(post(index));
  door.behind = (await server.listen({ port: 0 })).port;
  const after = connectToCluster(config);
  t.after(() => after.close());
  const maps = after.client.resource(CONFIG_MAPS);
  for (let index = 150; index < 200; index++) await maps.create(named(index));
  for (let index = 0; index < 200; index += 2) {
    await maps.patch(`m${index}`, { type: "merge", body: { data: { changed: "yes" } } });
  }
  const names: string[] = [];
  for await (const map of maps.list({ limit: 9 })) names.push(map.metadata.name ?? "");
  assert.equal(names.filter((name) => name.startsWith("m")).length, 200);
  assert.equal(new Set(names).size, names.length);
  for (let index = 0; index < 200; index++) await maps.delete(`m${index}`);
  const end = performance.now() + 120_000;
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
});

/** Made while nobody can watch. */
function post(index: number): Request {
  return new Request("http://embedded/api/v1/namespaces/default/configmaps", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(named(index)),
  });
}
