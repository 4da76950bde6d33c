/** Objects of kubectl's, and those who watch them, while their server is killed and started again. */
import assert from "node:assert/strict";
import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import {
  connectToCluster,
  findResource,
  type KubernetesClient,
  loadKubeconfig,
} from "../../src/kubernetes/index.ts";
import { attempt, run, start, type Started } from "../processes.ts";
import { findPeer, missingPeers } from "./peers.ts";

const SERVER = fileURLToPath(new URL("serve-api.ts", import.meta.url));
const OBJECTS = 200;
const WATCHERS = 20;

test(
  "200 objects and 20 watchers live through a kill and a restart: nothing is lost, nothing comes twice",
  { skip: missingPeers("kubectl"), timeout: 480_000 },
  async () => {
    const folder = mkdtempSync(join(tmpdir(), "dray-restart-"));
    let server = await serveFirst(folder);
    try {
      const kubeconfig = join(folder, "server", "kubeconfig");
      const env = { PATH: process.env["PATH"], HOME: folder, KUBECONFIG: kubeconfig };
      const kubectl = async (...argv: readonly string[]): Promise<string> =>
        await run(findPeer("kubectl") ?? "", argv, { cwd: folder, env });
      const config = await loadKubeconfig({ file: kubeconfig, env: {} });
      const { port } = new URL(config.server);
      await using connected = connectToCluster(config);
      const stop = new AbortController();
      const watchers = await Promise.all(
        Array.from({ length: WATCHERS }, async () => await Watcher.begin(connected.client, stop.signal)),
      );

      writeFileSync(join(folder, "first.yaml"), configMaps(0, OBJECTS / 2));
      assert.equal((await kubectl("create", "-f", "first.yaml")).match(/ created$/gm)?.length, OBJECTS / 2);
      await server.stop("SIGKILL");
      const refused = await attempt(findPeer("kubectl") ?? "", ["get", "cm"], { cwd: folder, env });
      assert.match(refused.stderr, /The connection to the server \S+ was refused/);
      server = await serve(folder, port);
      // What was said to be created was.
      assert.equal((await namesIn(kubectl)).length, OBJECTS / 2);

      writeFileSync(join(folder, "second.yaml"), configMaps(OBJECTS / 2, OBJECTS));
      await kubectl("create", "-f", "second.yaml");
      const whole = await namesIn(kubectl);
      assert.deepEqual(whole, expected());
      assert.deepEqual(await namesIn(kubectl, "--chunk-size=33"), whole);

      await server.stop("SIGTERM");
      server = await serve(folder, port);
      assert.deepEqual(await namesIn(kubectl, "--chunk-size=70"), whole);
      await kubectl("delete", "cm", "-l", "set=many", "--wait=false");
      assert.deepEqual(await namesIn(kubectl), []);

      await Promise.all(watchers.map((one) => one.over));
      stop.abort();
      for (const watcher of watchers) {
        assert.deepEqual(watcher.added.toSorted(), expected());
        assert.deepEqual(watcher.deleted.toSorted(), expected());
        assert.deepEqual(
          watcher.revisions,
          [...new Set(watcher.revisions)].toSorted((one, other) => one - other),
        );
      }
    } finally {
      await server.stop("SIGKILL");
      rmSync(folder, { recursive: true, force: true });
    }
  },
);

/** On a port that the system gives to nobody of itself, so that it is free when the server comes back to it. */
async function serveFirst(folder: string): Promise<Started> {
  for (;;) {
    const server = start(process.execPath, [
      SERVER,
      join(folder, "server"),
      String(randomInt(20_000, 30_000)),
    ]);
    try {
      await server.waitFor(/^serving /m);
      return server;
    } catch (error) {
      if (!server.said.includes("ADDRESS_IN_USE")) throw error;
    }
  }
}

async function serve(folder: string, port: string): Promise<Started> {
  const server = start(process.execPath, [SERVER, join(folder, "server"), port]);
  await server.waitFor(/^serving /m);
  return server;
}

/** Writes down everything it is told. */
class Watcher {
  readonly added: string[] = [];
  readonly deleted: string[] = [];
  readonly revisions: number[] = [];
  /** Resolves when everything that there was is gone. */
  readonly over: Promise<void>;

  private constructor(client: KubernetesClient, from: string, signal: AbortSignal) {
    this.over = this.#follow(client, from, signal);
  }

  static async begin(client: KubernetesClient, signal: AbortSignal): Promise<Watcher> {
    const { resourceVersion } = await client.resource(CONFIG_MAPS).listAll({ namespace: "default" });
    return new Watcher(client, resourceVersion, signal);
  }

  async #follow(client: KubernetesClient, resourceVersion: string, signal: AbortSignal): Promise<void> {
    const options = { namespace: "default", labelSelector: "set=many", resourceVersion, signal };
    for await (const { type, object } of client.resource(CONFIG_MAPS).watch(options)) {
      if (type === "BOOKMARK") continue;
      this.revisions.push(Number(object.metadata.resourceVersion));
      if (type === "ADDED") this.added.push(`configmap/${object.metadata.name}`);
      if (type === "DELETED") this.deleted.push(`configmap/${object.metadata.name}`);
      if (this.deleted.length === OBJECTS) return;
    }
  }
}

const CONFIG_MAPS = found(findResource({ group: "", version: "v1", resource: "configmaps" }));

function found<T>(value: T | undefined): T {
  assert.ok(value !== undefined);
  return value;
}

async function namesIn(
  kubectl: (...argv: readonly string[]) => Promise<string>,
  ...more: readonly string[]
): Promise<readonly string[]> {
  const names = await kubectl("get", "cm", "-l", "set=many", "-o", "name", ...more);
  return names.split("\n").filter((name) => name !== "");
}

function expected(): readonly string[] {
  return Array.from({ length: OBJECTS }, (_, at) => `configmap/${nameOf(at)}`).toSorted();
}

function nameOf(at: number): string {
  return `m${String(at).padStart(3, "0")}`;
}

function configMaps(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, at) => {
    const metadata = `{ name: ${nameOf(from + at)}, labels: { set: many } }`;
    return `apiVersion: v1\nkind: ConfigMap\nmetadata: ${metadata}\ndata: { at: "${from + at}" }\n`;
  }).join("---\n");
}
