/**
 * `dray tenant rotate` and `dray tenant delete`, killed by the system before and after every change that they make in
 * the cluster, while two namespaces pull with whatever login their Secrets hold, at every step of it.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { openApiServer } from "../../src/apiserver/index.ts";
import { run } from "../../src/cli/run.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import {
  findResource,
  type JsonObject,
  KubernetesClient,
  type ResourceClient,
} from "../../src/kubernetes/index.ts";
import { serveRegistry } from "../../src/registry/index.ts";
import { ROOT } from "../processes.ts";
import { ask, type Login, loginIn, loginOf } from "./tenant-commands-world.ts";

/**
 * A change in the cluster, by number, and whether the process dies before it is made or before it hears so; or the
 * moment in which the new login is shown.
 */
type KillPoint = { readonly change: number; readonly when: "before" | "after" } | "shown";

interface World {
  readonly registry: string;
  readonly resource: (name: string) => ResourceClient;
  /** What happens at every request to the cluster. */
  readonly meanwhile: { act?: () => Promise<void> };
  /** Runs a command, in a process of its own where that is to be killed. */
  readonly dray: (words: readonly string[], kill?: KillPoint) => Promise<Run>;
}

interface Run {
  readonly code: number | null;
  readonly changes: number;
  readonly said: string;
}

async function setUp(t: TestContext): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "dray-tenant-kill-"));
  const api = await openApiServer({ folder: join(folder, "api") });
  const send = api.transport();
  const data = join(folder, "data");
  const served = await serveRegistry({ dir: join(data, "registry"), port: 0, tenants: true });
  let watching: { pid: number | undefined; kill: KillPoint | undefined; changes: number } = {
    pid: undefined,
    kill: undefined,
    changes: 0,
  };
  const dies = (change: number, when: "before" | "after"): boolean => {
    const { pid, kill } = watching;
    if (pid === undefined || typeof kill !== "object" || kill.change !== change || kill.when !== when)
      return false;
    process.kill(pid, "SIGKILL");
    return true;
  };
  const meanwhile: World["meanwhile"] = {};
  // By default it closes idle connections after five seconds, maybe just as a busy machine sends the next request.
  const door = createServer({ keepAliveTimeout: 0 }, (request, response) => {
    void forward(request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  const forward = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { method = "GET", url = "/", headers } = request;
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    await meanwhile.act?.();
    const changes = method === "GET" ? undefined : watching.changes++;
    if (changes !== undefined && dies(changes, "before")) return;
    const answer = await send(
      new Request(`https://api${url}`, {
        method,
        headers: { "content-type": headers["content-type"] ?? "", accept: headers.accept ?? "" },
        ...(chunks.length > 0 && { body: Buffer.concat(chunks) }),
      }),
    );
    const body = Buffer.from(await answer.arrayBuffer());
    if (changes !== undefined && dies(changes, "after")) return;
    response.writeHead(answer.status, { "content-type": "application/json" }).end(body);
  };
  await new Promise<void>((resolve) => door.listen(0, "127.0.0.1", resolve));
  const { port } = door.address() as AddressInfo;
  const kubeconfig = join(folder, "kubeconfig");
  const config = {
    "current-context": "c",
    contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
    clusters: [{ name: "c", cluster: { server: `http://127.0.0.1:${port}` } }],
    users: [{ name: "u", user: {} }],
  };
  await writeFile(kubeconfig, JSON.stringify(config));
  t.after(async () => {
    door.closeAllConnections();
    await new Promise((resolve) => door.close(resolve));
    await served.close();
    await api[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });
  const client = new KubernetesClient({ transport: send, server: "https://api" });
  const dray: World["dray"] = async (words, kill) => {
    const reads = words[0] === "show" || words[0] === "list";
    const where = ["--data-dir", data, "--json", ...(reads ? [] : ["--kubeconfig", kubeconfig])];
    const args = ["tenant", ...words, ...where];
    watching = { pid: undefined, kill, changes: 0 };
    if (kill === undefined) {
      const context = createMemoryContext({ cwd: folder, home: folder, now: Date.now });
      const code = await run(args, context);
      return { code, changes: watching.changes, said: context.stdout.text + context.stderr.text };
    }
    const env = { PATH: process.env["PATH"], HOME: folder };
    const child = spawn(process.execPath, [join(ROOT, "src/cli/main.ts"), ...args], { env });
    watching.pid = child.pid;
    let said = "";
    for (const stream of [child.stdout, child.stderr]) {
      stream.on("data", (chunk: Buffer) => {
        said += chunk.toString("utf8");
        if (kill === "shown" && said.includes("dray_robot_")) child.kill("SIGKILL");
      });
    }
    const [code] = (await once(child, "close")) as [number | null];
    return { code, changes: watching.changes, said };
  };
  return {
    registry: `localhost:${served.port}`,
    resource: (name) => {
      const found = findResource({ group: "", version: "v1", resource: name });
      assert.ok(found !== undefined);
      return client.resource(found);
    },
    dray,
    meanwhile,
  };
}

const PATIENCE = { timeout: 600_000 };
const INDEX = '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}';
const PLACES = [
  ["shop", "pull"],
  ["shop", "push"],
  ["prod", "pull"],
] as const;

function madeBy({ code, said }: Run): JsonObject {
  assert.equal(code, 0, said);
  return JSON.parse(said.split("\n").find((line) => line.startsWith("{")) ?? "{}") as JsonObject;
}

async function create({ dray, registry, resource }: World): Promise<void> {
  for (const name of ["shop", "prod"]) {
    const namespaces = resource("namespaces");
    if ((await namespaces.find(name)) !== undefined) continue;
    await namespaces.create({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
  }
  const words = ["create", "acme", "-n", "shop", "--pull-only-namespace", "prod", "--registry", registry];
  const login = loginIn(madeBy(await dray(words)));
  const pushed = await ask(registry, ["PUT", "/v2/acme/app/manifests/1"], login, INDEX);
  assert.equal(pushed.status, 201);
}

test("a rotation that is killed costs no pull, and is brought to its end", PATIENCE, async (t) => {
  const world = await setUp(t);
  const { dray, registry, resource, meanwhile } = world;
  await create(world);
  const secrets = resource("secrets");
  const held = async ([namespace, use]: (typeof PLACES)[number]): Promise<Login> =>
    loginOf(await secrets.get(`dray-acme-${use}`, { namespace }));
  const statuses: number[] = [];
  meanwhile.act = async () => {
    const pulls = PLACES.map(async (place) => {
      const login = await held(place);
      return (await ask(registry, ["GET", "/v2/acme/app/manifests/1"], login)).status;
    });
    statuses.push(...(await Promise.all(pulls)));
  };
  const rotate = ["rotate", "acme", "--overlap", "1h"];
  const whole = await dray(rotate);
  assert.equal(whole.code, 0, whole.said);
  assert.equal(whole.changes, PLACES.length);
  const points = Array.from({ length: whole.changes }, (_, change) =>
    (["before", "after"] as const).map((when): KillPoint => ({ change, when })),
  ).flat();
  for (const point of [...points, "shown" as const]) {
    const before = (await Promise.all(PLACES.map(held))).map(({ secret }) => secret);
    const killed = await dray(rotate, point);
    // Its last step is short, and may be over before the signal comes.
    assert.ok(killed.code === null || point === "shown", killed.said);
    await meanwhile.act();
    const { state } = madeBy(await dray(["show", "acme"]));
    if (point !== "shown") assert.equal(state, "rotating");
    const ended = madeBy(await dray(rotate));
    assert.equal(madeBy(await dray(["show", "acme"]))["state"], "ready");
    const [shop, push, prod] = (await Promise.all(PLACES.map(held))).map(({ secret }) => secret);
    assert.equal(shop, prod);
    assert.equal(push, loginIn(ended).secret);
    assert.ok(!before.includes(shop ?? "") && !before.includes(push ?? ""));
  }
  assert.ok(statuses.length > 300, `${statuses.length} pulls`);
  assert.deepEqual([...new Set(statuses)], [200]);
});

test("a deletion that is killed is brought to its end", PATIENCE, async (t) => {
  const world = await setUp(t);
  const { dray, resource } = world;
  // Two accounts and three Secrets.
  const changes = 5;
  for (let change = 0; change < changes; change++) {
    await create(world);
    const killed = await dray(["delete", "acme", "--delete-images"], { change, when: "after" });
    assert.equal(killed.code, null, killed.said);
    // What was decided stands.
    const ended = await dray(["delete", "acme"]);
    assert.equal(ended.code, 0, ended.said);
    assert.equal(killed.changes + ended.changes, changes);
    const { items } = await resource("secrets").listAll({ namespace: "", labelSelector: "dray.dev/tenant" });
    assert.deepEqual(items, []);
    for (const namespace of ["shop", "prod"]) {
      const account = await resource("serviceaccounts").get("default", { namespace });
      assert.equal(account["imagePullSecrets"], undefined);
    }
    assert.equal((await dray(["list"])).said, "");
  }
});
