import assert from "node:assert/strict";
import { test } from "node:test";

import { parseAllDocuments } from "yaml";
import type { JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import {
  impatientClock,
  openScriptedServer,
  sendFailure,
  sendJson,
} from "../../kubernetes/client/testing.ts";
import { run } from "../run.ts";
import { createMemoryContext } from "../testing.ts";
import { writeCaBundle } from "./ca-bundle.ts";
import { secretIdentityStore } from "./identity-store.ts";
import { renewIdentity } from "./identity.ts";
import { applyInstall } from "./install.ts";
import { installObjects } from "./install-objects.ts";
import { clusterPullObjects } from "./pull-objects.ts";

const OPTIONS = {
  namespace: "dray-system",
  name: "dray-webhook",
  image: "registry.example.com/dray:1",
  replicas: 2,
  args: ["--pin"],
  mutates: true,
  validates: true,
  pins: true,
  failurePolicy: "Fail",
  timeoutSeconds: 10,
} as const;

const signal = new AbortController().signal;

test("dray webhook install --print shows every object, the configurations last", async () => {
  const context = createMemoryContext();
  const args = ["--print", "--image", OPTIONS.image, "--pin", "--allow", "docker.io/**", "--deny", "ghcr.io"];
  assert.equal(await run(["webhook", "install", ...args], context), 0, context.stderr.text);
  const objects = parseAllDocuments(context.stdout.text).map((one) => one.toJS() as KubernetesObject);
  assert.deepEqual(
    objects.map(({ kind }) => kind),
    [
      "Namespace",
      "ServiceAccount",
      "ClusterRole",
      "ClusterRoleBinding",
      "Role",
      "RoleBinding",
      "Service",
      "Deployment",
      "PodDisruptionBudget",
      "MutatingWebhookConfiguration",
      "ValidatingWebhookConfiguration",
    ],
  );
  const text = JSON.stringify(objects.find(({ kind }) => kind === "Deployment"));
  assert.match(
    text,
    /"webhook","--port=8443","--namespace=dray-system","--name=dray-webhook","--pin","--allow=docker/,
  );
});

test("configurations leave out the webhook's own namespace and the cluster's, and cover every kind with Pods", () => {
  const [mutating, validating] = installObjects(OPTIONS).configurations;
  for (const configuration of [mutating, validating]) {
    const [webhook] = (configuration?.["webhooks"] ?? []) as readonly JsonObject[];
    assert.deepEqual(webhook?.["namespaceSelector"], {
      matchExpressions: [
        {
          key: "kubernetes.io/metadata.name",
          operator: "NotIn",
          values: ["dray-system", "kube-system", "kube-node-lease"],
        },
      ],
    });
    const { sideEffects, failurePolicy, matchPolicy, timeoutSeconds } = webhook ?? {};
    assert.deepEqual(
      [sideEffects, failurePolicy, matchPolicy, timeoutSeconds],
      ["None", "Fail", "Equivalent", 10],
    );
    const resources = ((webhook?.["rules"] ?? []) as readonly { resources: readonly string[] }[]).map(
      (rule) => rule.resources,
    );
    assert.deepEqual(resources.flat().toSorted(), [
      "cronjobs",
      "daemonsets",
      "deployments",
      "jobs",
      "pods",
      "pods/ephemeralcontainers",
      "podtemplates",
      "replicasets",
      "replicationcontrollers",
      "statefulsets",
    ]);
  }
  assert.equal(installObjects({ ...OPTIONS, mutates: false }).configurations.length, 1);
});

test("without pinning, the webhook reads no Secret but its own", () => {
  const roles = (pins: boolean): string =>
    JSON.stringify(installObjects({ ...OPTIONS, pins }).server.filter(({ kind }) => kind === "ClusterRole"));
  assert.match(roles(true), /"secrets"/);
  assert.doesNotMatch(roles(false), /"secrets"/);
});

test("the API server is told to ask only once somebody answers", async () => {
  let looks = 0;
  await using server = await openScriptedServer((request, response) => {
    if (request.method === "PATCH") return sendJson(response, 200, {});
    looks++;
    const status = looks < 3 ? {} : { observedGeneration: 1, availableReplicas: 1 };
    return sendJson(response, 200, { metadata: { generation: 1 }, status });
  });
  const applied: string[] = [];
  const client = server.client({ clock: impatientClock() });
  await applyInstall(client, installObjects(OPTIONS), { signal, onApplied: (name) => applied.push(name) });
  assert.equal(applied.at(-1), "validatingwebhookconfiguration/dray-webhook.dray-system");
  const calls = server.asked.map(({ method, url }) => `${method} ${url.split("?", 1)[0]}`);
  const last = calls.lastIndexOf("GET /apis/apps/v1/namespaces/dray-system/deployments/dray-webhook");
  assert.deepEqual(calls.slice(last + 1), [
    "PATCH /apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/dray-webhook.dray-system",
    "PATCH /apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/dray-webhook.dray-system",
  ]);
  assert.match(server.asked[0]?.url ?? "", /fieldManager=dray&force=true/);
});

test("a webhook that doesn't come up is never asked", async () => {
  await using server = await openScriptedServer((request, response) =>
    request.method === "PATCH"
      ? sendJson(response, 200, {})
      : sendJson(response, 200, { metadata: { generation: 1 }, status: {} }),
  );
  const client = server.client({ clock: impatientClock() });
  const applying = applyInstall(client, installObjects(OPTIONS), { signal, onApplied: () => {}, looks: 3 });
  await assert.rejects(applying, /has no Pod that is available; see kubectl -n dray-system describe pods/);
  assert.ok(!server.asked.some(({ url }) => url.includes("webhookconfigurations")));
});

test("the bundle is written where another one stands, and nowhere else", async () => {
  const service = { name: "dray-webhook", namespace: "dray-system" };
  const current = Buffer.from("pem").toString("base64");
  const webhooks = [
    { name: "a", clientConfig: { service } },
    { name: "b", clientConfig: { service, caBundle: current } },
    { name: "c", clientConfig: { url: "https://elsewhere.example.com" } },
    { name: "d", clientConfig: { service, caBundle: "b2xk" } },
  ];
  await using server = await openScriptedServer((request, response) => {
    if (request.url.includes("/validating")) return sendFailure(response, 404, "NotFound");
    return sendJson(response, 200, request.method === "GET" ? { metadata: { name: "x" }, webhooks } : {});
  });
  assert.equal(await writeCaBundle(server.client(), { name: "x", bundle: "pem" }), 1);
  const patches = server.asked.filter(({ method }) => method === "PATCH");
  assert.deepEqual(
    patches.map(({ body }) => JSON.parse(body)),
    [
      [
        { op: "test", path: "/webhooks/0/name", value: "a" },
        { op: "add", path: "/webhooks/0/clientConfig/caBundle", value: current },
        { op: "test", path: "/webhooks/3/name", value: "d" },
        { op: "add", path: "/webhooks/3/clientConfig/caBundle", value: current },
      ],
    ],
  );
});

test("a Secret keeps the certificate, and tells when another replica was faster", async () => {
  let stored: KubernetesObject | undefined;
  await using server = await openScriptedServer((request, response) => {
    if (request.method === "GET") {
      return stored === undefined ? sendFailure(response, 404, "NotFound") : sendJson(response, 200, stored);
    }
    if (request.method === "POST" && stored !== undefined) return sendFailure(response, 409, "AlreadyExists");
    stored = JSON.parse(request.body) as KubernetesObject;
    return sendJson(response, 200, stored);
  });
  const store = secretIdentityStore(server.client(), { namespace: "dray-system", name: "dray-webhook-tls" });
  const [mine, theirs] = [await store.read({}), await store.read({})];
  assert.equal(mine.identity, undefined);
  const identity = await renewIdentity(undefined, { hosts: ["a.b.svc"], now: Date.now });
  assert.ok(await theirs.replace(identity));
  assert.ok(!(await mine.replace(identity)));
  assert.deepEqual((await store.read({})).identity, identity);
});

test("Secrets and accounts are read as the API has them", async () => {
  await using server = await openScriptedServer(({ url }, response) => {
    if (url.endsWith("/secrets/pull")) {
      const data = { ".dockerconfigjson": Buffer.from("{}").toString("base64") };
      const metadata = { name: "pull", uid: "u" };
      return sendJson(response, 200, { metadata, type: "kubernetes.io/dockerconfigjson", data });
    }
    if (url.endsWith("/serviceaccounts/robot")) {
      return sendJson(response, 200, { metadata: {}, imagePullSecrets: [{ name: "pull" }, {}] });
    }
    return sendFailure(response, 404, "NotFound");
  });
  const objects = clusterPullObjects(server.client());
  const secret = await objects.secret({ namespace: "shop", name: "pull" }, { signal });
  assert.equal(secret?.uid, "u");
  assert.equal(Buffer.from(secret?.data[".dockerconfigjson"] ?? []).toString(), "{}");
  assert.equal(await objects.secret({ namespace: "shop", name: "none" }, { signal }), undefined);
  const robot = { namespace: "shop", name: "robot" };
  assert.deepEqual(await objects.accountSecrets(robot, { signal }), ["pull", ""]);
  assert.equal(await objects.accountSecrets({ ...robot, name: "none" }, { signal }), undefined);
});
