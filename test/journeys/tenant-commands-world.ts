/** `dray up` with its registry and its API, and commands that look after tenants beside it. */
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

import { run } from "../../src/cli/run.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import {
  connectToCluster,
  findResource,
  type JsonObject,
  type KubernetesObject,
  loadKubeconfig,
  type ResourceClient,
} from "../../src/kubernetes/index.ts";

export interface Done {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface TenantCluster {
  readonly folder: string;
  readonly dataDir: string;
  /** `localhost:PORT` */
  readonly registry: string;
  readonly kubeconfig: string;
  /** Runs a command in this process. */
  readonly dray: (...words: readonly string[]) => Promise<Done>;
  /** The same, which has to succeed: what it prints as JSON. */
  readonly json: (...words: readonly string[]) => Promise<JsonObject>;
  readonly resource: (name: string) => ResourceClient;
  /** The first object of the kind that is as wanted. */
  readonly until: (
    of: ResourceClient,
    wanted: (object: KubernetesObject) => boolean,
  ) => Promise<KubernetesObject>;
  /** Pushes an image with this text in it; the exit code. */
  readonly push: (image: string, login: Login, text: string) => Promise<number>;
}

export interface Login {
  readonly login: string;
  readonly secret: string;
}

/** @param access the content of a file for `--access` */
export async function setUpTenants(t: TestContext, access?: string): Promise<TenantCluster> {
  const folder = await mkdtemp(join(tmpdir(), "dray-tenant-commands-"));
  for (const name of ["app", "pods"]) await mkdir(join(folder, name));
  const words = access === undefined ? [] : ["--access", "access.yaml"];
  if (access !== undefined) await writeFile(join(folder, "access.yaml"), access);
  const env = { XDG_DATA_HOME: join(folder, "data"), HOME: folder };
  const base = { cwd: folder, home: folder, now: Date.now };
  const dataDir = join(folder, "data", "dray");
  const ending = new AbortController();
  const started = Promise.withResolvers<{ port: number; kubeconfig: string }>();
  const context = createMemoryContext({
    ...base,
    env,
    signal: ending.signal,
    onWrite: () => {
      const line = context.stdout.text.split("\n").find((one) => one.includes('"event":"started"'));
      if (line === undefined) return;
      const facts = JSON.parse(line) as { registry: { port: number }; api: { kubeconfig: string } };
      started.resolve({ port: facts.registry.port, kubeconfig: facts.api.kubeconfig });
    },
  });
  const ports = ["--registry-port", "0", "--api-port", "0"];
  // As many pulls as come: what Pods do with their logins doesn't depend on how quick the machine is.
  const options = [...ports, "--backoff", "recover", "--registry-qps", "0", "--json"];
  const ended = run(["up", ...options, ...words], context);
  void ended.then((code) => started.reject(new Error(`${code}: ${context.stderr.text}`)));
  const { port, kubeconfig } = await started.promise;
  const connected = connectToCluster(await loadKubeconfig({ env: {}, file: kubeconfig }));
  t.after(async () => {
    await connected.close();
    ending.abort();
    await ended;
    await rm(folder, { recursive: true });
  });

  const dray: TenantCluster["dray"] = async (...command) => {
    const own = createMemoryContext({ ...base, env });
    const code = await run(command, own);
    return { code, stdout: own.stdout.text, stderr: own.stderr.text };
  };
  return {
    folder,
    dataDir,
    registry: `localhost:${port}`,
    kubeconfig,
    dray,
    json: async (...command) => {
      const { code, stdout, stderr } = await dray(...command, "--json");
      assert.equal(code, 0, stderr);
      return JSON.parse(stdout) as JsonObject;
    },
    resource: (name) => {
      const found = findResource({ group: "", version: "v1", resource: name });
      assert.ok(found !== undefined);
      return connected.client.resource(found);
    },
    until: async (of, wanted) => {
      const { items, resourceVersion } = await of.listAll({ namespace: "" });
      const there = items.find(wanted);
      if (there !== undefined) return there;
      for await (const { type, object } of of.watch({ resourceVersion, namespace: "", signal: t.signal })) {
        if (type !== "BOOKMARK" && type !== "DELETED" && wanted(object)) return object;
      }
      throw new Error("the watch ended");
    },
    push: async (image, { login, secret }, text) => {
      await writeFile(join(folder, "app", "file"), text);
      const own = createMemoryContext({ ...base, env: { ...env, DRAY_PASSWORD: secret } });
      return await run(["build", "--username", login, "--tag", `docker://${image}`, "app"], own);
    },
  };
}

export function loginIn(made: JsonObject): Login {
  return made["push"] as unknown as Login;
}

/** The login that a Secret of a namespace holds. */
export function loginOf(secret: KubernetesObject): Login {
  const data = secret["data"] as Record<string, string>;
  const text = Buffer.from(data[".dockerconfigjson"] ?? "", "base64").toString("utf8");
  const { auths } = JSON.parse(text) as { auths: Record<string, { username: string; password: string }> };
  const [entry] = Object.values(auths);
  assert.ok(entry !== undefined);
  return { login: entry.username, secret: entry.password };
}

export async function ask(
  registry: string,
  [method, path]: readonly [string, string],
  login?: Login,
  body?: string,
): Promise<{ readonly status: number; readonly text: string; readonly headers: Headers }> {
  const headers: Record<string, string> = {};
  if (login !== undefined) {
    headers["Authorization"] = `Basic ${Buffer.from(`${login.login}:${login.secret}`).toString("base64")}`;
  }
  const init = { method, headers, ...(body !== undefined && { body: Buffer.from(body) }) };
  const response = await fetch(`http://${registry}${path}`, init);
  return { status: response.status, text: await response.text(), headers: response.headers };
}

export function podOf(namespace: string, name: string, image: string): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace },
    spec: { containers: [{ name: "c", image, imagePullPolicy: "Always" }] },
  };
}
