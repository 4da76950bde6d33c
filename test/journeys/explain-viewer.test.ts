/** Explaining as somebody who may read Pods, and not Secrets, at an API server that refuses as Kubernetes does. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";

import { findCommand } from "../../src/cli/catalogue.ts";
import { runExplain } from "../../src/cli/explain/run-explain.ts";
import { parseArguments } from "../../src/cli/parse-arguments.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import type { Explanation } from "../../src/explain/index.ts";
import { ScriptedRegistries, type ScriptedRegistry } from "./scripted-registries.ts";

const HOST = "registry.example.com";
const IMAGE = `${HOST}/shop/web:1`;
const TOKEN = "viewer-token-of-nobody-else";
const DENIED = `failed to pull and unpack image "${IMAGE}": failed to resolve image: unexpected status from HEAD request to https://${HOST}/v2/shop/web/manifests/1: 401 Unauthorized`;
const POD = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "web-7d4b9-x2x",
    namespace: "shop",
    uid: "1-2-3",
    creationTimestamp: "2026-01-05T11:00:00Z",
  },
  spec: {
    nodeName: "node-1",
    serviceAccountName: "default",
    imagePullSecrets: [{ name: "regcred" }],
    containers: [{ name: "web", image: IMAGE, imagePullPolicy: "IfNotPresent" }],
  },
  status: {
    phase: "Pending",
    containerStatuses: [
      {
        name: "web",
        image: IMAGE,
        state: {
          waiting: {
            reason: "ImagePullBackOff",
            message: `Back-off pulling image "${IMAGE}": ErrImagePull: ${DENIED}`,
          },
        },
      },
    ],
  },
};
const EVENT = {
  metadata: { name: "web.1", namespace: "shop" },
  involvedObject: {
    kind: "Pod",
    name: POD.metadata.name,
    namespace: "shop",
    fieldPath: "spec.containers{web}",
  },
  type: "Warning",
  reason: "Failed",
  message: `Failed to pull image "${IMAGE}": ${DENIED}`,
  count: 3,
  lastTimestamp: "2026-01-05T11:59:00Z",
};

/** What may be read, by path; all else is refused. */
async function serve(
  t: TestContext,
  readable: Readonly<Record<string, unknown>>,
): Promise<{
  readonly kubeconfig: string;
  readonly requests: string[];
}> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "", "http://localhost");
    requests.push(`${request.method} ${pathname}`);
    const known = request.headers.authorization === `Bearer ${TOKEN}`;
    const found = known ? readable[pathname] : undefined;
    response.writeHead(found === undefined ? 403 : 200, { "content-type": "application/json" });
    response.end(JSON.stringify(found ?? refusal(pathname)));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const folder = await mkdtemp(join(tmpdir(), "dray-viewer-"));
  t.after(async () => {
    server.close();
    await rm(folder, { recursive: true });
  });
  const kubeconfig = join(folder, "config");
  const { port } = server.address() as AddressInfo;
  await writeFile(
    kubeconfig,
    JSON.stringify({
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name: "c", cluster: { server: `http://127.0.0.1:${port}` } }],
      users: [{ name: "viewer", user: { token: TOKEN } }],
      contexts: [{ name: "c", context: { cluster: "c", user: "viewer", namespace: "shop" } }],
      "current-context": "c",
    }),
  );
  return { kubeconfig, requests };
}

function refusal(path: string): unknown {
  const [kind = "", name = ""] = path.split("/").slice(path.includes("/namespaces/") ? -2 : -1);
  return {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    message: `${kind} "${name}" is forbidden: User "viewer" cannot get resource "${kind}" in API group "" in the namespace "shop"`,
    reason: "Forbidden",
    details: { name, kind },
    code: 403,
  };
}

async function look(
  words: readonly string[],
  of: { readonly kubeconfig: string; readonly registry: ScriptedRegistry },
): Promise<{ readonly told: Explanation; readonly exit: number; readonly tree: string }> {
  const command = await findCommand("explain");
  assert.ok(command !== undefined);
  const run = async (
    ...more: readonly string[]
  ): Promise<{ readonly text: string; readonly exit: number }> => {
    const context = createMemoryContext({ cwd: tmpdir(), now: () => Date.UTC(2026, 0, 5, 12) });
    const { send } = new ScriptedRegistries({ [HOST]: of.registry });
    const line = [...words, "--kubeconfig", of.kubeconfig, "--platform", "linux/amd64", ...more];
    const { values, positionals } = parseArguments(command, line);
    const exit = await runExplain({ values, positionals, send }, context);
    return { text: context.stdout.text + context.stderr.text, exit };
  };
  const { text, exit } = await run("--json");
  const { text: tree } = await run();
  assert.ok(!`${text}${tree}`.includes(TOKEN));
  return { told: JSON.parse(text) as Explanation, exit, tree };
}

const ONE = "/api/v1/namespaces/shop/pods/web-7d4b9-x2x";
const EVENTS = "/api/v1/namespaces/shop/events";
const PRIVATE: ScriptedRegistry = { users: { alice: "alice-opens-sesame" }, images: { "shop/web:1": {} } };

function codes({ pods }: Explanation): readonly string[] {
  return pods.flatMap(({ images }) =>
    images.flatMap(({ causes }) => causes.map((one) => `${one.severity} ${one.code}`)),
  );
}

test("who may read Pods alone is told what wasn't seen, and what the node's own words mean", async (t) => {
  const { kubeconfig, requests } = await serve(t, { [ONE]: POD });
  const { told, exit, tree } = await look(["pod/web-7d4b9-x2x"], { kubeconfig, registry: PRIVATE });
  assert.deepEqual(codes(told), ["failure CREDENTIAL_REFUSED", "risk SECRET_UNSEEN"], tree);
  assert.equal(exit, 4);
  assert.equal(told.pods[0]?.images[0]?.outcome.state, "unknown");
  for (const text of [
    "Secret shop/regcred: you may not read it",
    "ServiceAccount shop/default: you may not read it",
    "events of Pod shop/web-7d4b9-x2x: you may not read it",
    "Nodes couldn't be looked at (you may not read it)",
    "kubectl auth can-i get secrets -n shop",
  ]) {
    assert.ok(tree.includes(text), `${text}\n${tree}`);
  }
  assert.deepEqual(
    requests.filter((request) => !request.startsWith("GET ")),
    [],
  );
});

test("without Secrets, a tag that isn't there is found all the same", async (t) => {
  const { kubeconfig } = await serve(t, {
    [ONE]: POD,
    [EVENTS]: { kind: "EventList", metadata: {}, items: [EVENT] },
  });
  const registry: ScriptedRegistry = { images: { "shop/web:2": {} } };
  const { told, exit, tree } = await look(["pod/web-7d4b9-x2x"], { kubeconfig, registry });
  const [image] = told.pods[0]?.images ?? [];
  assert.equal(image?.observed?.backOff?.failures, 3);
  assert.ok(codes(told).includes("failure TAG_MISSING"), tree);
  // The node was told something else when it asked, with credentials that can't be seen from here.
  assert.ok(codes(told).includes("note NODE_DIFFERS"), tree);
  assert.equal(exit, 3);
});

test("all waiting Pods of a namespace are found, and a word about what may not be listed", async (t) => {
  const { kubeconfig } = await serve(t, {
    "/api/v1/namespaces/shop/pods": { kind: "PodList", apiVersion: "v1", metadata: {}, items: [POD] },
  });
  const { told } = await look(["--no-network"], { kubeconfig, registry: PRIVATE });
  assert.deepEqual(codes(told), ["failure CREDENTIAL_REFUSED", "risk SECRET_UNSEEN"]);
  assert.equal(told.exchanges, 0);
});

test("all namespaces are looked through where that is asked", async (t) => {
  const { kubeconfig, requests } = await serve(t, {
    "/api/v1/pods": { kind: "PodList", metadata: {}, items: [POD] },
  });
  const { told } = await look(["-A", "--no-network"], { kubeconfig, registry: PRIVATE });
  assert.equal(told.pods[0]?.subject.namespace, "shop");
  assert.ok(requests.includes("GET /api/v1/namespaces/shop/secrets/regcred"));
});

test("a CronJob is explained by the Pods of its youngest Job", async (t) => {
  const owner = { apiVersion: "batch/v1", kind: "CronJob", name: "report", uid: "4", controller: true };
  const job = (name: string, created: string): unknown => ({
    metadata: { name, namespace: "shop", creationTimestamp: created, ownerReferences: [owner] },
    spec: { selector: { matchLabels: { job: name } } },
  });
  const template = { spec: { containers: [{ name: "web", image: IMAGE }] } };
  const { kubeconfig, requests } = await serve(t, {
    "/apis/batch/v1/namespaces/shop/cronjobs/report": {
      apiVersion: "batch/v1",
      kind: "CronJob",
      metadata: { name: "report", namespace: "shop", uid: "4", creationTimestamp: "2026-01-05T10:00:00Z" },
      spec: { schedule: "* * * * *", jobTemplate: { spec: { template } } },
    },
    "/apis/batch/v1/namespaces/shop/jobs": {
      kind: "JobList",
      metadata: {},
      items: [job("report-1", "2026-01-05T11:00:00Z"), job("report-2", "2026-01-05T11:01:00Z")],
    },
    "/api/v1/namespaces/shop/pods": { kind: "PodList", metadata: {}, items: [POD] },
  });
  const { told } = await look(["cronjob/report"], { kubeconfig, registry: PRIVATE });
  assert.deepEqual(codes(told), ["failure CREDENTIAL_REFUSED", "risk SECRET_UNSEEN"]);
  assert.equal(told.pods[0]?.subject.kind, "Pod");
  assert.ok(requests.includes("GET /apis/batch/v1/namespaces/shop/jobs"));
});

test("who may not read Pods is told so, and nothing else", async (t) => {
  const { kubeconfig } = await serve(t, {});
  await assert.rejects(
    look(["pod/web-7d4b9-x2x"], { kubeconfig, registry: PRIVATE }),
    /cannot get resource "pods"/,
  );
});
