/** Stored Pods whose node was told one thing, beside registries that tell the same or another from here. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { findCommand } from "../../src/cli/catalogue.ts";
import { runExplain } from "../../src/cli/explain/run-explain.ts";
import { parseArguments } from "../../src/cli/parse-arguments.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import type { Explanation } from "../../src/explain/index.ts";
import { ScriptedRegistries, type ScriptedRegistry } from "./scripted-registries.ts";

const HOST = "registry.example.com";
const IMAGE = `${HOST}/shop/web:1`;
const RESOLVE = `failed to pull and unpack image "${IMAGE}": failed to resolve image: `;
const HEAD = `${RESOLVE}unexpected status from HEAD request to https://${HOST}/v2/shop/web/manifests/1: `;
const NOBODY = `${RESOLVE}pull access denied, repository does not exist or may require authorization: authorization failed: no basic auth credentials`;
const LOOKUP = `${RESOLVE}failed to do request: Head "https://${HOST}/v2/shop/web/manifests/1": dial tcp: lookup ${HOST} on 10.0.0.2:53: no such host`;

type Json = Readonly<Record<string, unknown>>;

const OPEN: ScriptedRegistry = { images: { "shop/web:1": {} } };
const HEADLESS: ScriptedRegistry = { images: { "shop/web:1": { lost: "layer" } }, headless: true };
const CLOSED: ScriptedRegistry = { ...OPEN, users: { alice: "alice-opens-sesame" } };

function statusOf(name: string, state: Json, image = IMAGE): Json {
  return { name, image, imageID: "", ready: false, restartCount: 0, state };
}

function backOff(message: string, image = IMAGE): Json {
  const told = `Back-off pulling image "${image}": ErrImagePull: ${message}`;
  return { waiting: { reason: "ImagePullBackOff", message: told } };
}

function pod(spec: Json, status: Json): Json {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web", namespace: "shop", uid: "1-2-3", creationTimestamp: "2026-01-05T11:00:00Z" },
    spec: { nodeName: "node-1", ...spec },
    status: { phase: "Pending", ...status },
  };
}

function waiting(state: Json, secrets: readonly string[] = []): Json {
  const imagePullSecrets = secrets.map((name) => ({ name }));
  const containers = [{ name: "web", image: IMAGE, imagePullPolicy: "IfNotPresent" }];
  return pod(
    { containers, ...(secrets.length > 0 && { imagePullSecrets }) },
    { containerStatuses: [statusOf("web", state)] },
  );
}

const LOGIN = { username: "alice", password: "alice-opens-sesame" };
const UNKNOWN_TO_HUB =
  "failed to resolve image: pull access denied, repository does not exist or may require authorization: server message: insufficient_scope: authorization failed";

function secret(password: string, key = HOST): Json {
  return secretOf({ auths: { [key]: { username: "alice", password } } });
}

function secretOf(content: Json, type = "kubernetes.io/dockerconfigjson", key = ".dockerconfigjson"): Json {
  const document = JSON.stringify(content);
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "s", namespace: "shop" },
    type,
    data: { [key]: Buffer.from(document).toString("base64") },
  };
}

function failed(count: number, last: string): Json {
  return {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: "web.1", namespace: "shop" },
    involvedObject: { kind: "Pod", namespace: "shop", name: "web", fieldPath: "spec.containers{web}" },
    type: "Warning",
    reason: "Failed",
    message: `Failed to pull image "${IMAGE}": ${HEAD}500 Internal Server Error`,
    count,
    lastTimestamp: last,
  };
}

const NODE: Json = {
  apiVersion: "v1",
  kind: "Node",
  metadata: { name: "node-1" },
  status: {
    conditions: [{ type: "Ready", status: "True" }],
    nodeInfo: { operatingSystem: "linux", architecture: "arm64" },
  },
};

interface Case {
  readonly objects: readonly Json[];
  readonly registry: ScriptedRegistry;
  /** With severities, of all images in the order told. */
  readonly causes: readonly string[];
  /** Without asking; as with it by default. */
  readonly offline?: readonly string[];
  readonly says?: readonly string[];
}

const CASES: Readonly<Record<string, Case>> = {
  "a Secret that was mended, while the back-off runs": {
    objects: [waiting(backOff(`${HEAD}401 Unauthorized`), ["s"]), secret("alice-opens-sesame")],
    registry: CLOSED,
    causes: ["risk BACKOFF_LINGERING"],
    offline: ["failure CREDENTIAL_REFUSED"],
    says: ["kubectl replace --force"],
  },
  "a Secret that is still wrong": {
    objects: [waiting(backOff(`${HEAD}401 Unauthorized`), ["s"]), secret("not-the-one")],
    registry: CLOSED,
    causes: ["failure CREDENTIAL_REFUSED"],
    says: ["Secret shop/s anew"],
  },
  "a Secret that fits, made after the node asked": {
    objects: [waiting(backOff(NOBODY), ["s"]), secret("alice-opens-sesame")],
    registry: CLOSED,
    causes: ["risk BACKOFF_LINGERING"],
    offline: ["failure NO_CREDENTIALS"],
    says: ["the node waits with ImagePullBackOff"],
  },
  "a name that only the node can't find": {
    objects: [waiting(backOff(LOOKUP))],
    registry: OPEN,
    causes: ["risk NODE_DIFFERS"],
    offline: ["failure DNS_FAILED"],
    says: ["Asked from here"],
  },
  "a registry that only the node can find": {
    objects: [waiting(backOff(`rpc error: code = NotFound desc = ${RESOLVE}${IMAGE}: not found`))],
    registry: { fail: "NETWORK_DNS" },
    causes: ["failure TAG_MISSING", "risk DNS_FAILED"],
    offline: ["failure TAG_MISSING"],
    says: ["Asked from here"],
  },
  "a registry that nobody can get to, each for a reason of their own": {
    objects: [
      waiting(
        backOff(
          `${RESOLVE}failed to do request: Head "https://${HOST}/v2/shop/web/manifests/1": tls: failed to verify certificate: x509: certificate is valid for other.example, not ${HOST}`,
        ),
      ),
    ],
    // What runtimes look at first isn't what others do.
    registry: { fail: "TLS_UNKNOWN_AUTHORITY" },
    causes: ["failure TLS_NAME_MISMATCH", "risk TLS_UNKNOWN_AUTHORITY"],
    offline: ["failure TLS_NAME_MISMATCH"],
  },
  "a tag that came, and went again": {
    objects: [waiting(backOff(`${HEAD}500 Internal Server Error`))],
    registry: { images: { "shop/web:2": {} } },
    causes: ["failure TAG_MISSING", "note NODE_DIFFERS"],
    offline: ["failure REGISTRY_ERROR"],
  },
  "too many pulls at once": {
    objects: [waiting({ waiting: { reason: "ErrImagePull", message: "pull QPS exceeded" } })],
    registry: OPEN,
    causes: ["failure PULL_QPS_EXCEEDED"],
  },
  "a full disk": {
    objects: [
      waiting(backOff(`failed to extract layer sha256:1: write /var/lib/x: no space left on device`)),
    ],
    registry: OPEN,
    causes: ["failure DISK_PRESSURE"],
  },
  "a package that is private, asked for by nobody": {
    objects: [
      waiting(
        backOff(
          `${RESOLVE}failed to authorize: failed to fetch anonymous token: unexpected status from GET request to https://${HOST}/token?scope=x: 403 Forbidden`,
        ),
      ),
    ],
    registry: CLOSED,
    causes: ["failure NO_CREDENTIALS"],
  },
  "a node of another kind": {
    objects: [waiting(backOff("no match for platform in manifest: not found")), NODE],
    registry: { images: { "shop/web:1": { platforms: ["linux/amd64"] } } },
    causes: ["failure PLATFORM_MISSING"],
    says: ["linux/arm64"],
  },
  "a pull secret that can't be read, whose error is the reason": {
    objects: [
      waiting(
        {
          waiting: {
            reason: "illegal base64 data at input byte 0",
            message: "illegal base64 data at input byte 0",
          },
        },
        ["s"],
      ),
    ],
    registry: OPEN,
    causes: ["risk BACKOFF_LINGERING", "note SECRET_MISSING"],
    offline: ["failure SECRET_BROKEN", "risk SECRET_MISSING"],
  },
  "a container that crashes, with its image there": {
    objects: [
      waiting({
        waiting: { reason: "CrashLoopBackOff", message: "back-off 10s restarting failed container" },
      }),
    ],
    registry: OPEN,
    causes: [],
  },
  "a container that runs, with a tag that is gone": {
    objects: [waiting({ running: { startedAt: "2026-01-05T11:01:00Z" } })],
    registry: { images: { "shop/web:2": {} } },
    causes: ["failure TAG_MISSING"],
    offline: [],
    says: ["the container runs, though its image wouldn't come now"],
  },
  "an init container that keeps the rest waiting": {
    objects: [
      pod(
        {
          initContainers: [{ name: "prepare", image: `${HOST}/shop/web:0`, imagePullPolicy: "IfNotPresent" }],
          containers: [{ name: "web", image: IMAGE, imagePullPolicy: "IfNotPresent" }],
        },
        {
          initContainerStatuses: [
            statusOf(
              "prepare",
              backOff(`${HOST}/shop/web:0: not found`, `${HOST}/shop/web:0`),
              `${HOST}/shop/web:0`,
            ),
          ],
          containerStatuses: [statusOf("web", { waiting: { reason: "PodInitializing" } })],
        },
      ),
    ],
    registry: OPEN,
    causes: ["failure TAG_MISSING"],
  },
  "a layer that is lost, at a registry that doesn't answer HEAD": {
    objects: [
      waiting(
        backOff(
          `Cannot read blob "sha256:1" of "${HOST}/shop/web": GET https://${HOST}/v2/shop/web/blobs/sha256:1 answered 404, BLOB_UNKNOWN`,
        ),
      ),
    ],
    registry: HEADLESS,
    causes: ["failure CONTENT_MISSING"],
    says: ["doesn't say whether it has it", "the registry doesn't tell from here whether it has the layers"],
  },
  "an image that may not be pulled, on a node whose images nobody knows": {
    objects: [
      pod(
        { containers: [{ name: "web", image: IMAGE, imagePullPolicy: "Never" }] },
        {
          containerStatuses: [
            statusOf("web", {
              waiting: {
                reason: "ErrImageNeverPull",
                message: `Container image "${IMAGE}" is not present with pull policy of Never`,
              },
            }),
          ],
        },
      ),
    ],
    registry: OPEN,
    causes: ["failure NEVER_ABSENT"],
    says: ["and the node says", "imagePullPolicy: IfNotPresent"],
  },
  "a Pod of a Deployment, pasted without it": {
    objects: [
      {
        ...waiting(backOff(`${RESOLVE}${IMAGE}: not found`)),
        metadata: {
          name: "front-5484bcd8f6-8qpxf",
          namespace: "shop",
          uid: "1-2-3",
          creationTimestamp: "2026-01-05T11:00:00Z",
          labels: { app: "front", "pod-template-hash": "5484bcd8f6" },
          ownerReferences: [
            {
              apiVersion: "apps/v1",
              kind: "ReplicaSet",
              name: "front-5484bcd8f6",
              uid: "4",
              controller: true,
            },
          ],
        },
      },
    ],
    registry: { images: { "shop/web:2": {} } },
    causes: ["failure TAG_MISSING"],
    says: ["made by Deployment front", `kubectl set image deployment/front web=${HOST}/shop/web:TAG -n shop`],
  },
  "a Secret for another container's image": {
    objects: [
      pod(
        {
          imagePullSecrets: [{ name: "s" }],
          containers: [
            { name: "web", image: IMAGE, imagePullPolicy: "IfNotPresent" },
            { name: "side", image: `${HOST}/team/side:1`, imagePullPolicy: "IfNotPresent" },
          ],
        },
        {
          containerStatuses: [
            statusOf("web", { running: { startedAt: "2026-01-05T11:01:00Z" } }),
            statusOf("side", backOff(NOBODY, `${HOST}/team/side:1`), `${HOST}/team/side:1`),
          ],
        },
      ),
      secret("alice-opens-sesame", `${HOST}/shop`),
    ],
    registry: CLOSED,
    causes: ["failure CREDENTIAL_NOT_MATCHED"],
    // What opens the one isn't overwritten for the other.
    says: [`kubectl create secret docker-registry s-2 -n shop --docker-server=${HOST} `],
  },
  "a Pod that has waited for hours, of which the events tell the beginning": {
    objects: [waiting(backOff(`${HEAD}500 Internal Server Error`)), failed(4, "2026-01-05T09:00:00Z")],
    registry: { status: 500 },
    causes: ["failure REGISTRY_ERROR"],
    says: ["at least 4 failures so far, so up to 300 s between attempts"],
  },
  "a name that Docker Hub doesn't know, among its own": {
    objects: [
      pod(
        { containers: [{ name: "web", image: "ngnix:1", imagePullPolicy: "IfNotPresent" }] },
        { containerStatuses: [statusOf("web", backOff(UNKNOWN_TO_HUB, "ngnix:1"), "ngnix:1")] },
      ),
    ],
    // Whatever is said from here, it is no registry of ours.
    registry: OPEN,
    causes: ["failure REPOSITORY_MISSING", "risk DNS_FAILED"],
    offline: ["failure REPOSITORY_MISSING"],
    says: ['docker.io has no repository "library/ngnix"'],
  },
  "a Secret made of what Docker Desktop keeps": {
    objects: [waiting(backOff(NOBODY), ["s"]), secretOf({ auths: { [HOST]: {} }, credsStore: "desktop" })],
    registry: CLOSED,
    causes: ["failure CREDENTIAL_BLANK"],
    says: ["credsStore"],
  },
  "a password of Amazon's, which may be over": {
    objects: [
      waiting(backOff(`${HEAD}403 Forbidden`), ["s"]),
      secretOf({ auths: { [HOST]: { username: "AWS", password: "alice-opens-sesame" } } }),
    ],
    registry: { status: 403 },
    causes: ["failure SCOPE_SHORT"],
    says: ["good for 12 hours"],
  },
  "a new layout under the old type": {
    objects: [
      waiting(backOff(NOBODY), ["s"]),
      secretOf({ auths: { [HOST]: LOGIN } }, "kubernetes.io/dockercfg", ".dockercfg"),
    ],
    registry: CLOSED,
    causes: ["failure SECRET_WRONG_TYPE"],
    says: ['the layout of "kubernetes.io/dockerconfigjson"', "kubectl delete secret s -n shop"],
  },
  "the old layout under the new type": {
    objects: [waiting(backOff(NOBODY), ["s"]), secretOf({ [HOST]: LOGIN })],
    registry: CLOSED,
    causes: ["failure SECRET_EMPTY"],
    says: ['the layout of "kubernetes.io/dockercfg"'],
  },
  "an entry whose key is no address": {
    objects: [waiting(backOff(NOBODY), ["s"]), secretOf({ auths: { [` ${HOST}`]: LOGIN } })],
    registry: CLOSED,
    causes: ["failure SECRET_EMPTY"],
    says: [`Entry " ${HOST}"`],
  },
  "a back-off without a reason, and events of the newer group": {
    objects: [
      waiting({ waiting: { reason: "ImagePullBackOff", message: `Back-off pulling image "${IMAGE}"` } }),
      {
        apiVersion: "events.k8s.io/v1",
        kind: "Event",
        metadata: { name: "web.1", namespace: "shop" },
        regarding: { kind: "Pod", namespace: "shop", name: "web", fieldPath: "spec.containers{web}" },
        type: "Warning",
        reason: "Failed",
        note: `Failed to pull image "${IMAGE}": ${NOBODY}`,
        deprecatedCount: 2,
        deprecatedLastTimestamp: "2026-01-05T11:59:55Z",
      },
    ],
    registry: CLOSED,
    causes: ["failure NO_CREDENTIALS"],
    says: ["2 failures so far, so 20 s between attempts; the next is due at 2026-01-05T12:00:15Z"],
  },
  "a Pod that fails for the first time": {
    objects: [waiting(backOff(`${HEAD}500 Internal Server Error`)), failed(1, "2026-01-05T11:59:55Z")],
    registry: { status: 500 },
    causes: ["failure REGISTRY_ERROR"],
    says: ["1 failure so far, so 10 s between attempts; the next is due at 2026-01-05T12:00:05Z"],
  },
  "an image volume that keeps its container waiting": {
    objects: [
      pod(
        {
          containers: [
            {
              name: "web",
              image: IMAGE,
              imagePullPolicy: "IfNotPresent",
              volumeMounts: [{ name: "data", mountPath: "/data" }],
            },
          ],
          volumes: [{ name: "data", image: { reference: `${HOST}/shop/web:0`, pullPolicy: "IfNotPresent" } }],
        },
        {
          containerStatuses: [
            statusOf(
              "web",
              backOff(`failed to resolve image: ${HOST}/shop/web:0: not found`, `${HOST}/shop/web:0`),
            ),
          ],
        },
      ),
    ],
    registry: OPEN,
    causes: ["failure TAG_MISSING"],
  },
};

describe("explaining a stored Pod", () => {
  for (const [name, one] of Object.entries(CASES)) {
    it(name, async () => {
      const asked = await tell(one);
      assert.deepEqual(asked.causes, one.causes, asked.tree);
      for (const text of one.says ?? []) assert.ok(asked.tree.includes(text), `${text}\n${asked.tree}`);
      const offline = await tell(one, "--no-network");
      assert.deepEqual(offline.causes, one.offline ?? one.causes, offline.tree);
      assert.ok(!`${asked.tree}${offline.tree}`.includes("opens-sesame"));
    });
  }
});

async function tell(
  { objects, registry }: Case,
  ...more: readonly string[]
): Promise<{ readonly causes: readonly string[]; readonly tree: string }> {
  const command = await findCommand("explain");
  assert.ok(command !== undefined);
  const stdin = objects.map((object) => JSON.stringify(object)).join("\n---\n");
  const platform = objects.includes(NODE) ? [] : ["--platform", "linux/amd64"];
  const run = async (...words: readonly string[]): Promise<string> => {
    const context = createMemoryContext({
      cwd: import.meta.dirname,
      stdin,
      now: () => Date.UTC(2026, 0, 5, 12),
    });
    const { values, positionals } = parseArguments(command, [
      "-",
      "--complete",
      ...platform,
      ...more,
      ...words,
    ]);
    const { send } = new ScriptedRegistries({ [HOST]: registry });
    await runExplain({ values, positionals, send }, context);
    return context.stdout.text;
  };
  const { pods } = JSON.parse(await run("--json")) as Explanation;
  const causes = pods.flatMap((one) => one.images.flatMap((image) => image.causes));
  return { causes: causes.map(({ severity, code }) => `${severity} ${code}`), tree: await run() };
}
