import assert from "node:assert/strict";
import { test } from "node:test";

import { notFound, type JsonObject, type KubernetesObject } from "../../kubernetes/index.ts";
import type { AdmissionDecision, AdmissionRequest } from "../admission.ts";
import { runAdmission } from "../run-admission.ts";
import { serviceAccountAdmission, type ServiceAccountOptions } from "./plugin.ts";

const CONTAINER = { name: "c", image: "app:1" };

function podRequest(spec: JsonObject, changes: Partial<AdmissionRequest> = {}): AdmissionRequest {
  return {
    operation: "CREATE",
    resource: { group: "", version: "v1", resource: "pods" },
    kind: { group: "", version: "v1", kind: "Pod" },
    subresource: "",
    name: "web",
    namespace: "shop",
    object: { apiVersion: "v1", kind: "Pod", metadata: { name: "web" }, spec },
    dryRun: false,
    user: { name: "me", groups: [] },
    ...changes,
  };
}

function account(name: string, members: JsonObject = {}, annotations = {}): KubernetesObject {
  return { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, annotations }, ...members };
}

function admit(
  request: AdmissionRequest,
  accounts: readonly KubernetesObject[],
  options: Partial<ServiceAccountOptions> = {},
): Promise<AdmissionDecision> {
  const read = ({ name }: { readonly name: string }): KubernetesObject | undefined =>
    accounts.find(({ metadata }) => metadata.name === name);
  const timing = { random: () => 0, sleep: async (): Promise<void> => {} };
  return runAdmission([serviceAccountAdmission({ accounts: { read }, timing, ...options })], request);
}

function specOf(decision: AdmissionDecision): JsonObject {
  assert.ok(decision.allowed, decision.allowed ? "" : decision.status.message);
  return decision.object?.["spec"] as JsonObject;
}

test("a new Pod gets the account default, under both of its names, and a token", async () => {
  const decision = await admit(podRequest({ containers: [CONTAINER] }), [account("default")]);
  assert.deepEqual(specOf(decision), {
    serviceAccountName: "default",
    serviceAccount: "default",
    containers: [
      {
        ...CONTAINER,
        volumeMounts: [
          {
            name: "kube-api-access-bbbbb",
            readOnly: true,
            mountPath: "/var/run/secrets/kubernetes.io/serviceaccount",
          },
        ],
      },
    ],
    volumes: [
      {
        name: "kube-api-access-bbbbb",
        projected: {
          sources: [
            { serviceAccountToken: { expirationSeconds: 3607, path: "token" } },
            { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
            {
              downwardAPI: {
                items: [
                  { path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } },
                ],
              },
            },
          ],
          defaultMode: 420,
        },
      },
    ],
  });
});

test("no token where Pod or account says so; the Pod's word counts first", async () => {
  const off = { automountServiceAccountToken: false };
  const on = { automountServiceAccountToken: true };
  const volumesOf = async (pod: JsonObject, members: JsonObject): Promise<unknown> =>
    specOf(await admit(podRequest({ containers: [CONTAINER], ...pod }), [account("default", members)]))[
      "volumes"
    ];
  assert.equal(await volumesOf(off, {}), undefined);
  assert.equal(await volumesOf({}, off), undefined);
  assert.equal(await volumesOf(off, on), undefined);
  assert.notEqual(await volumesOf(on, off), undefined);
});

test("containers with something of their own at the token's path keep it", async () => {
  const mounts = [{ name: "mine", mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" }];
  const own = { name: "own", image: "app:1", volumeMounts: mounts };
  const alone = specOf(await admit(podRequest({ containers: [own] }), [account("default")]));
  assert.deepEqual(alone["containers"], [own]);
  assert.equal(alone["volumes"], undefined);
  const beside = specOf(
    await admit(
      podRequest({
        initContainers: [CONTAINER],
        containers: [own],
        volumes: [{ name: "kube-api-access-mine", projected: {} }],
      }),
      [account("default")],
    ),
  );
  assert.deepEqual(beside["volumes"], [{ name: "kube-api-access-mine", projected: {} }]);
  assert.match(JSON.stringify(beside["initContainers"]), /"name":"kube-api-access-mine"/);
});

test("the account's pull secrets are copied by name, in order, and never merged", async () => {
  const secrets = [{ name: "b" }, { name: "a", other: 1 }, { name: "b" }, {}];
  const accounts = [account("puller", { imagePullSecrets: secrets })];
  const spec = { containers: [CONTAINER], serviceAccountName: "puller" };
  const copied = specOf(await admit(podRequest(spec), accounts));
  assert.deepEqual(copied["imagePullSecrets"], [{ name: "b" }, { name: "a" }, { name: "b" }, {}]);
  const own = specOf(await admit(podRequest({ ...spec, imagePullSecrets: [{ name: "own" }] }), accounts));
  assert.deepEqual(own["imagePullSecrets"], [{ name: "own" }]);
});

test("a missing account is asked for once, the account default ten times", async () => {
  for (const [name, attempts] of [
    ["builder", 1],
    ["default", 10],
  ] as const) {
    const pauses: number[] = [];
    let asked = 0;
    const decision = await admit(podRequest({ containers: [CONTAINER], serviceAccountName: name }), [], {
      accounts: {
        cached: () => undefined,
        read: async () => {
          asked++;
          throw notFound({ group: "", kind: "serviceaccounts", name });
        },
      },
      timing: { random: () => 0.999, sleep: async (milliseconds) => void pauses.push(milliseconds) },
    });
    assert.ok(!decision.allowed);
    assert.equal(
      decision.status.message,
      `pods "web" is forbidden: error looking up service account shop/${name}: serviceaccount "${name}" not found`,
    );
    assert.deepEqual(decision.status.details, { name: "web", kind: "pods" });
    assert.equal(asked, attempts);
    assert.deepEqual(
      pauses,
      Array.from({ length: attempts - 1 }, () => 199),
    );
  }
});

test("an account that appears while the Pod waits is used", async () => {
  let asked = 0;
  const decision = await admit(podRequest({ containers: [CONTAINER] }), [], {
    accounts: { read: () => (++asked >= 3 ? account("default") : undefined) },
  });
  assert.ok(decision.allowed);
});

test("waiting ends when the request does", async () => {
  const ending = new AbortController();
  const plugin = serviceAccountAdmission({
    accounts: { read: () => undefined },
    timing: {
      sleep: async () => {
        ending.abort(new Error("over"));
      },
    },
  });
  const running = runAdmission([plugin], podRequest({ containers: [CONTAINER] }), { signal: ending.signal });
  await assert.rejects(running, /over/);
});

const ENFORCED = { "kubernetes.io/enforce-mountable-secrets": "true" };
const fromSecret = (name: string): JsonObject => ({ name: "TOKEN", valueFrom: { secretKeyRef: { name } } });
const fromWhole = (name: string): JsonObject => ({ secretRef: { name } });

const REFUSED: readonly (readonly [spec: JsonObject, why: string])[] = [
  [
    { containers: [CONTAINER], volumes: [{ name: "v", secret: { secretName: "x" } }] },
    'volume with secret.secretName="x" is not allowed because service account default does not reference that secret',
  ],
  [
    { initContainers: [{ name: "i", env: [fromSecret("x")] }], containers: [CONTAINER] },
    'init container i with envVar TOKEN referencing secret.secretName="x" is not allowed because service account default does not reference that secret',
  ],
  [
    { containers: [{ name: "c", env: [fromSecret("ok"), fromSecret("x")] }] },
    'container c with envVar TOKEN referencing secret.secretName="x" is not allowed because service account default does not reference that secret',
  ],
  [
    {
      initContainers: [{ name: "i", envFrom: [{ configMapRef: {} }, fromWhole("x")] }],
      containers: [CONTAINER],
    },
    'init container i with envFrom referencing secret.secretName="x" is not allowed because service account default does not reference that secret',
  ],
  [
    { containers: [{ name: "c", env: [fromSecret("ok")], envFrom: [fromWhole("ok"), fromWhole("x")] }] },
    'container c with envFrom referencing secret.secretName="x" is not allowed because service account default does not reference that secret',
  ],
  [
    { containers: [CONTAINER], imagePullSecrets: [{ name: "pull" }, { name: "x" }] },
    'imagePullSecrets[1].name="x" is not allowed because service account default does not reference that imagePullSecret',
  ],
];

for (const [spec, why] of REFUSED) {
  test(`an account that keeps to its list refuses: ${why.slice(0, why.indexOf(" referencing"))}`, async () => {
    const members = { secrets: [{ name: "ok" }], imagePullSecrets: [{ name: "pull" }] };
    const kept = await admit(podRequest(spec), [account("default", members, ENFORCED)]);
    assert.equal(kept.allowed ? "" : kept.status.message, `pods "web" is forbidden: ${why}`);
    const annotation = { "kubernetes.io/enforce-mountable-secrets": "yes" };
    assert.ok((await admit(podRequest(spec), [account("default", members, annotation)])).allowed);
  });
}

for (const from of [{ env: [fromSecret("x")] }, { envFrom: [fromWhole("x")] }]) {
  test(`an ephemeral container is kept to the list, too: ${Object.keys(from).join()}`, async () => {
    const spec = {
      serviceAccountName: "default",
      containers: [{ name: "c", ...from }],
      ephemeralContainers: [{ name: "e", ...from }],
    };
    const request = podRequest(spec, { operation: "UPDATE", subresource: "ephemeralcontainers" });
    const decision = await admit(request, [account("default", {}, ENFORCED)]);
    assert.match(decision.allowed ? "" : (decision.status.message ?? ""), /: ephemeral container e with/);
    const plain = podRequest(spec, { operation: "UPDATE" });
    assert.ok((await admit(plain, [account("default", {}, ENFORCED)])).allowed);
  });
}

test("a mirror of a node's own Pod is left as it is, and brings nothing of the API", async () => {
  const mirror = (spec: JsonObject): AdmissionRequest => {
    const metadata = { name: "web", annotations: { "kubernetes.io/config.mirror": "" } };
    return podRequest({}, { object: { apiVersion: "v1", kind: "Pod", metadata, spec } });
  };
  const plain = mirror({ containers: [CONTAINER] });
  const decision = await admit(plain, []);
  assert.equal(decision.allowed && decision.object, plain.object);
  for (const spec of [
    { containers: [{ ...CONTAINER, envFrom: [{ secretRef: { name: "x" } }] }] },
    { containers: [CONTAINER], volumes: [{ projected: { sources: [{ secret: { name: "x" } }] } }] },
    { containers: [CONTAINER], volumes: [{ csi: { nodePublishSecretRef: { name: "x" } } }] },
    { containers: [CONTAINER], imagePullSecrets: [{}] },
  ]) {
    const refused = await admit(mirror(spec), []);
    assert.equal(
      refused.allowed ? "" : refused.status.message,
      'pods "web" is forbidden: a mirror pod may not reference secrets',
    );
  }
});
