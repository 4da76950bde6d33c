/** `dray up` with its Kubernetes API, beside a registry that wants credentials for what is private. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

import { authorize } from "../../examples/private-registry/authorize.ts";
import { run } from "../../src/cli/run.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import {
  type ConnectedClient,
  connectToCluster,
  findResource,
  type KubernetesObject,
  loadKubeconfig,
  type ResourceClient,
} from "../../src/kubernetes/index.ts";
import { serveRegistry } from "../../src/registry/index.ts";

export interface World {
  readonly registry: string;
  /** A private image, which takes `me` and `me-pw`. */
  readonly image: string;
  readonly folder: string;
  readonly up: (...words: readonly string[]) => Promise<Cluster>;
}

export interface Cluster {
  readonly kubeconfig: string;
  readonly resource: (name: string, group?: string) => ResourceClient;
  /** The first object of the kind that is as wanted. */
  readonly until: (
    of: ResourceClient,
    wanted: (object: KubernetesObject) => boolean,
  ) => Promise<KubernetesObject>;
  readonly stop: () => Promise<number>;
}

export async function setUp(t: TestContext): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "dray-up-api-"));
  const stops: (() => Promise<unknown>)[] = [];
  const served = await serveRegistry({ dir: join(folder, "registry"), port: 0, authorize });
  t.after(async () => {
    for (const stop of stops.reverse()) await stop();
    await served.close();
    await rm(folder, { recursive: true });
  });
  const registry = `localhost:${served.port}`;
  const image = `${registry}/me/app:1`;
  for (const name of ["app", "pods"]) await mkdir(join(folder, name));
  await writeFile(join(folder, "app", "file"), "text");
  const process = { cwd: folder, home: folder, now: Date.now };
  const env = { XDG_DATA_HOME: join(folder, "data"), HOME: folder };
  const builder = createMemoryContext({ ...process, env: { ...env, DRAY_PASSWORD: "builder-pw" } });
  assert.equal(
    await run(["build", "--username", "builder", "--tag", `docker://${image}`, "app"], builder),
    0,
  );
  const up: World["up"] = async (...words) => {
    const controller = new AbortController();
    const started = Promise.withResolvers<string>();
    const context = createMemoryContext({
      ...process,
      env,
      signal: controller.signal,
      onWrite: () => {
        const line = context.stdout.text.split("\n").find((one) => one.includes('"event":"started"'));
        if (line !== undefined) {
          const { api } = JSON.parse(line) as { readonly api: { readonly kubeconfig: string } | null };
          if (api === null) started.reject(new Error(context.stdout.text));
          else started.resolve(api.kubeconfig);
        }
      },
    });
    const options = ["--no-registry", "--api-port", "0", "--backoff", "recover", "--json"];
    const ended = run(["up", ...options, ...words], context);
    void ended.then((code) => started.reject(new Error(`${code}: ${context.stdout.text}`)));
    const kubeconfig = await started.promise;
    const connected: ConnectedClient = connectToCluster(await loadKubeconfig({ env: {}, file: kubeconfig }));
    const stop = async (): Promise<number> => {
      await connected[Symbol.asyncDispose]();
      controller.abort();
      return await ended;
    };
    stops.push(stop);
    const resource: Cluster["resource"] = (name, group = "") => {
      const found = findResource({ group, version: "v1", resource: name });
      assert.ok(found !== undefined);
      return connected.client.resource(found);
    };
    const until: Cluster["until"] = async (of, wanted) => {
      const { items, resourceVersion } = await of.listAll({ namespace: "" });
      const there = items.find(wanted);
      if (there !== undefined) return there;
      for await (const { type, object } of of.watch({ resourceVersion, namespace: "", signal: t.signal })) {
        if (type !== "BOOKMARK" && type !== "DELETED" && wanted(object)) return object;
      }
      throw new Error("the watch ended");
    };
    return { kubeconfig, resource, until, stop };
  };
  return { registry, image, folder, up };
}
