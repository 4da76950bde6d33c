/** Neighbours of the well-known troubles: each differs in one thing from one that comes, or that fails otherwise. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { findCommand } from "../../src/cli/catalogue.ts";
import { runExplain } from "../../src/cli/explain/run-explain.ts";
import { parseArguments } from "../../src/cli/parse-arguments.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import type { Explanation } from "../../src/explain/index.ts";
import { ScriptedRegistries, type ScriptedRegistry } from "./scripted-registries.ts";

const NOW = Date.UTC(2026, 0, 5, 12);
const HOST = "registry.example.com";
const IMAGE = `${HOST}/shop/web:1`;
const LOGIN = { username: "alice", password: "alice-opens-sesame" };
const PRIVATE: ScriptedRegistry = {
  users: { alice: LOGIN.password, bob: "bob-opens-little" },
  images: { "shop/web:1": {}, "shop/multi:1": { platforms: ["linux/amd64", "linux/arm64"] } },
};
const PUBLIC: ScriptedRegistry = { images: PRIVATE.images ?? {} };

type Json = Readonly<Record<string, unknown>>;

function encode(text: string): string {
  return Buffer.from(text).toString("base64");
}

function secret(name: string, auths: Json, more: Json = {}): Json {
  const document = encode(JSON.stringify({ auths, ...more }));
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace: "shop" },
    type: "kubernetes.io/dockerconfigjson",
    data: { ".dockerconfigjson": document },
  };
}

function dockercfg(name: string, document: Json): Json {
  return {
    ...secret(name, {}),
    type: "kubernetes.io/dockercfg",
    data: { ".dockercfg": encode(JSON.stringify(document)) },
  };
}

function account(name: string, secrets: readonly string[], namespace = "shop"): Json {
  const imagePullSecrets = secrets.map((one) => ({ name: one }));
  return { apiVersion: "v1", kind: "ServiceAccount", metadata: { name, namespace }, imagePullSecrets };
}

function spec(image: string, secrets: readonly string[] = [], more: Json = {}): Json {
  return {
    ...(secrets.length > 0 && { imagePullSecrets: secrets.map((name) => ({ name })) }),
    containers: [{ name: "web", image }],
    ...more,
  };
}

function pod(podSpec: Json, more: Json = {}): Json {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web", namespace: "shop" },
    spec: podSpec,
    ...more,
  };
}

function node(name: string, architecture: string): Json {
  const conditions = [{ type: "Ready", status: "True" }];
  const status = { conditions, nodeInfo: { operatingSystem: "linux", architecture } };
  return { apiVersion: "v1", kind: "Node", metadata: { name }, status };
}

function withTemplate(apiVersion: string, kind: string, podSpec: Json): Json {
  const metadata = { name: "web", namespace: "shop" };
  const selector = { matchLabels: { app: "web" } };
  const template = { metadata: { labels: { app: "web" } }, spec: podSpec };
  return { apiVersion, kind, metadata, spec: { selector, template } };
}

interface Variant {
  readonly objects: readonly Json[];
  readonly registries: Readonly<Record<string, ScriptedRegistry>>;
  readonly options?: readonly string[];
  /** The platform is that of the Nodes among the objects. */
  readonly ofNodes?: boolean;
  /** Of all Pods and images, in the order in which they are told. */
  readonly causes: readonly string[];
  /** What the tree has to say besides. */
  readonly says?: readonly string[];
}

const ONLY = { [HOST]: PRIVATE };

const SECRETS: Readonly<Record<string, Variant>> = {
  "a dockercfg that fits": {
    objects: [pod(spec(IMAGE, ["s"])), dockercfg("s", { [HOST]: LOGIN })],
    registries: ONLY,
    causes: [],
  },
  "a dockercfg whose document is wrapped in auths": {
    objects: [pod(spec(IMAGE, ["s"])), dockercfg("s", { auths: { [HOST]: LOGIN } })],
    registries: ONLY,
    causes: ["SECRET_WRONG_TYPE"],
  },
  "a dockerconfigjson without auths around its entries": {
    objects: [
      pod(spec(IMAGE, ["s"])),
      { ...secret("s", {}), data: { ".dockerconfigjson": encode(JSON.stringify({ [HOST]: LOGIN })) } },
    ],
    registries: ONLY,
    causes: ["SECRET_EMPTY"],
  },
  "an entry for a port that the image doesn't have": {
    objects: [pod(spec(IMAGE, ["s"])), secret("s", { [`${HOST}:5000`]: LOGIN })],
    registries: ONLY,
    causes: ["CREDENTIAL_HOST_MISMATCH"],
    says: ["port 5000", "no port"],
  },
  "an image with a port, an entry without": {
    objects: [pod(spec(`${HOST}:5000/shop/web:1`, ["s"])), secret("s", { [HOST]: LOGIN })],
    registries: { [`${HOST}:5000`]: PRIVATE },
    causes: ["CREDENTIAL_HOST_MISMATCH"],
    says: [`--docker-server=${HOST}:5000`],
  },
  "several entries, none of them for this host: they stay": {
    objects: [pod(spec(IMAGE, ["s"])), secret("s", { "a.example.com": LOGIN, "b.example.com": LOGIN })],
    registries: ONLY,
    causes: ["CREDENTIAL_HOST_MISMATCH"],
    says: ["kubectl create secret docker-registry s-2 -n shop", "- name: s-2"],
  },
  "a path that the repository begins with": {
    objects: [pod(spec(IMAGE, ["s"])), secret("s", { [`${HOST}/shop`]: LOGIN })],
    registries: ONLY,
    causes: [],
  },
  "a path of another team": {
    objects: [pod(spec(IMAGE, ["s"])), secret("s", { [`${HOST}/team`]: LOGIN })],
    registries: ONLY,
    causes: ["CREDENTIAL_NOT_MATCHED"],
    says: ['"/team"'],
  },
  "paths of two accounts, of which the longer counts first": {
    objects: [
      pod(spec(IMAGE, ["s"])),
      secret("s", { [HOST]: LOGIN, [`${HOST}/shop`]: { username: "bob", password: "wrong-for-bob" } }),
    ],
    registries: ONLY,
    causes: [],
  },
  "a glob for one label": {
    objects: [pod(spec(IMAGE, ["s"])), secret("s", { "*.example.com": LOGIN })],
    registries: ONLY,
    causes: [],
  },
  "a glob that would have to stand for two labels": {
    objects: [pod(spec(IMAGE, ["s"])), secret("s", { "*.com": LOGIN })],
    registries: ONLY,
    causes: ["CREDENTIAL_HOST_MISMATCH"],
    says: ["has 2 parts", "has 3 parts"],
  },
  "an address as docker login writes it": {
    objects: [pod(spec(IMAGE, ["s"])), secret("s", { [`https://${HOST}/v1/`]: LOGIN })],
    registries: ONLY,
    causes: [],
  },
  "Docker Hub under the name of its registry": {
    objects: [pod(spec("shop/web:1", ["s"])), secret("s", { "registry-1.docker.io": LOGIN })],
    registries: { "registry-1.docker.io": PRIVATE },
    causes: ["CREDENTIAL_HOST_MISMATCH"],
    says: ["--docker-server=https://index.docker.io/v1/"],
  },
  "Docker Hub as docker login writes it": {
    objects: [pod(spec("shop/web:1", ["s"])), secret("s", { "https://index.docker.io/v1/": LOGIN })],
    registries: { "registry-1.docker.io": PRIVATE },
    causes: [],
  },
  "a dockercfg with a wrong password, whose type stays": {
    objects: [pod(spec(IMAGE, ["s"])), dockercfg("s", { [HOST]: { ...LOGIN, password: "not-the-one" } })],
    registries: ONLY,
    causes: ["CREDENTIAL_REFUSED"],
    says: ["kubectl delete secret s -n shop && kubectl create"],
  },
  "the wrong Secret after the right one": {
    objects: [
      pod(spec(IMAGE, ["a", "b"])),
      secret("a", { [HOST]: LOGIN }),
      secret("b", { [HOST]: { ...LOGIN, password: "not-the-one" } }),
    ],
    registries: ONLY,
    causes: [],
  },
  "three wrong Secrets": {
    objects: [
      pod(spec(IMAGE, ["a", "b", "c"])),
      ...["a", "b", "c"].map((name) => secret(name, { [HOST]: { ...LOGIN, password: `not-it-${name}` } })),
    ],
    registries: ONLY,
    causes: ["CREDENTIAL_REFUSED", "CREDENTIAL_REFUSED", "CREDENTIAL_REFUSED"],
  },
  "a Secret named twice, and one without a name": {
    objects: [
      pod({ ...spec(IMAGE), imagePullSecrets: [{ name: "s" }, {}, { name: "s" }] }),
      secret("s", { [HOST]: { ...LOGIN, password: "not-the-one" } }),
    ],
    registries: ONLY,
    causes: ["CREDENTIAL_REFUSED"],
  },
  "a wrong Secret for a registry that asks nobody": {
    objects: [pod(spec(IMAGE, ["s"])), secret("s", { [HOST]: { ...LOGIN, password: "not-the-one" } })],
    registries: { [HOST]: PUBLIC },
    causes: [],
  },
  "a configuration whose logins are in a keychain": {
    objects: [pod(spec(IMAGE, ["s"])), secret("s", { [HOST]: {} }, { credsStore: "desktop" })],
    registries: ONLY,
    causes: ["CREDENTIAL_BLANK"],
    says: ["credsStore"],
  },
  "an entry with a registrytoken alone": {
    objects: [pod(spec(IMAGE, ["s"])), secret("s", { [HOST]: { registrytoken: "token-that-nobody-reads" } })],
    registries: ONLY,
    causes: ["CREDENTIAL_BLANK"],
    says: ["registrytoken"],
  },
  "an entry with an identitytoken alone": {
    objects: [pod(spec(IMAGE, ["s"])), secret("s", { [HOST]: { identitytoken: "token-that-nobody-reads" } })],
    registries: ONLY,
    causes: ["CREDENTIAL_BLANK"],
    says: ["identitytoken"],
  },
  "a password with a line break at its end": {
    objects: [
      pod(spec(IMAGE, ["s"])),
      secret("s", { [HOST]: { auth: encode(`alice:${LOGIN.password}\n`) } }),
    ],
    registries: ONLY,
    causes: ["CREDENTIAL_REFUSED"],
    says: ["ends with white space"],
  },
  "an auth without a colon": {
    objects: [pod(spec(IMAGE, ["s"])), secret("s", { [HOST]: { auth: encode("alice-alone-here") } })],
    registries: ONLY,
    causes: ["SECRET_BROKEN"],
  },
  "a Secret written as stringData": {
    objects: [
      pod(spec(IMAGE, ["s"])),
      {
        ...secret("s", {}),
        data: undefined,
        stringData: { ".dockerconfigjson": JSON.stringify({ auths: { [HOST]: LOGIN } }) },
      },
    ],
    registries: ONLY,
    causes: [],
  },
  "a ServiceAccount that has the Secret": {
    objects: [
      pod(spec(IMAGE, [], { serviceAccountName: "shop" })),
      account("shop", ["s"]),
      secret("s", { [HOST]: LOGIN }),
    ],
    registries: ONLY,
    causes: [],
  },
  "the ServiceAccount of another namespace": {
    objects: [
      pod(spec(IMAGE, [], { serviceAccountName: "shop" })),
      account("shop", ["s"], "other"),
      secret("s", { [HOST]: LOGIN }),
    ],
    registries: ONLY,
    causes: ["SERVICE_ACCOUNT_MISSING", "SECRET_NOT_REFERENCED"],
  },
  "a ServiceAccount that names a Secret which isn't there": {
    objects: [pod(spec(IMAGE)), account("default", ["gone"])],
    registries: ONLY,
    causes: ["SECRET_MISSING"],
    says: ["kubectl create secret docker-registry gone -n shop"],
  },
};

const REGISTRIES: Readonly<Record<string, Variant>> = {
  "a token service that doesn't grant the scope": {
    objects: [pod(spec(IMAGE, ["s"])), secret("s", { [HOST]: LOGIN })],
    registries: { [HOST]: { ...PRIVATE, auth: "token", grants: { alice: ["shop/other"] } } },
    causes: ["SCOPE_SHORT"],
    says: ["repository:shop/web:pull"],
  },
  "a token service that refuses the password": {
    objects: [pod(spec(IMAGE, ["s"])), secret("s", { [HOST]: { ...LOGIN, password: "not-the-one" } })],
    registries: { [HOST]: { ...PRIVATE, auth: "token" } },
    causes: ["CREDENTIAL_REFUSED"],
  },
  "a token service asked by nobody": {
    objects: [pod(spec(IMAGE))],
    registries: { [HOST]: { ...PRIVATE, auth: "token" } },
    causes: ["NO_CREDENTIALS"],
  },
  "a token service that is down": {
    objects: [pod(spec(IMAGE, ["s"])), secret("s", { [HOST]: LOGIN })],
    registries: { [HOST]: { ...PRIVATE, auth: "token", tokenStatus: 502 } },
    causes: ["TOKEN_SERVICE_FAILED"],
  },
  "an image that Docker Hub shows to nobody": {
    objects: [pod(spec("nginxx:1.27"))],
    registries: { "registry-1.docker.io": { ...PRIVATE, auth: "token" } },
    causes: ["REPOSITORY_MISSING"],
    says: ["a name without a registry is Docker Hub's"],
  },
  "a limit with a reset, for somebody who is known": {
    objects: [pod(spec(IMAGE, ["s"])), secret("s", { [HOST]: LOGIN })],
    registries: { [HOST]: { status: 429, headers: { "retry-after": "120" } } },
    causes: ["RATE_LIMITED"],
    says: ["come again in 120 s", "Secret shop/s"],
  },
  "a limit whose reset is a date": {
    objects: [pod(spec(IMAGE))],
    registries: { [HOST]: { status: 429, headers: { "retry-after": "Mon, 05 Jan 2026 12:10:00 GMT" } } },
    causes: ["RATE_LIMITED"],
    says: ["come again in 600 s"],
  },
  "a limit that says nothing more": {
    objects: [pod(spec(IMAGE))],
    registries: { [HOST]: { status: 429 } },
    causes: ["RATE_LIMITED"],
  },
  "an index without the node's platform": {
    objects: [pod(spec(`${HOST}/shop/multi:1`))],
    registries: { [HOST]: PUBLIC },
    options: ["--platform", "linux/s390x"],
    causes: ["PLATFORM_MISSING"],
    says: ["linux/amd64, linux/arm64", "kubernetes.io/arch: amd64"],
  },
  "an index with the node's platform": {
    objects: [pod(spec(`${HOST}/shop/multi:1`))],
    registries: { [HOST]: PUBLIC },
    options: ["--platform", "linux/arm64"],
    causes: [],
  },
  "each node of the cluster": {
    objects: [pod(spec(`${HOST}/shop/multi:1`)), node("a", "amd64"), node("b", "s390x")],
    registries: { [HOST]: PUBLIC },
    options: ["--nodes"],
    ofNodes: true,
    causes: ["PLATFORM_MISSING"],
    says: ["for a, linux/amd64", "for b, linux/s390x"],
  },
  "the node that the Pod is on": {
    objects: [
      node("a", "amd64"),
      node("b", "s390x"),
      pod(spec(`${HOST}/shop/multi:1`, [], { nodeName: "b" })),
    ],
    registries: { [HOST]: PUBLIC },
    ofNodes: true,
    causes: ["PLATFORM_MISSING"],
  },
  "one image for another processor": {
    objects: [pod(spec(IMAGE))],
    registries: { [HOST]: PUBLIC },
    options: ["--platform", "linux/arm64"],
    causes: ["PLATFORM_MISMATCH"],
  },
  "a repository that nobody ever pushed to": {
    objects: [pod(spec(`${HOST}/shop/wbe:1`))],
    registries: { [HOST]: PUBLIC },
    causes: ["REPOSITORY_MISSING"],
  },
  "a digest that was collected": {
    objects: [pod(spec(`${HOST}/shop/web@sha256:${"1".repeat(64)}`))],
    registries: { [HOST]: PUBLIC },
    causes: ["DIGEST_MISSING"],
  },
  "no network, a good Secret": {
    objects: [pod(spec(IMAGE, ["s"])), secret("s", { [HOST]: LOGIN })],
    registries: {},
    options: ["--no-network"],
    causes: [],
    says: [`would ask ${HOST}`, "HEAD"],
  },
  "no network, a Secret for another host": {
    objects: [pod(spec(IMAGE, ["s"])), secret("s", { "other.example.com": LOGIN })],
    registries: {},
    options: ["--no-network"],
    causes: ["CREDENTIAL_HOST_MISMATCH"],
  },
  "no network, a Secret that fits and isn't named": {
    objects: [pod(spec(IMAGE)), secret("s", { [HOST]: LOGIN })],
    registries: {},
    options: ["--no-network"],
    causes: ["SECRET_NOT_REFERENCED"],
  },
  "no network, a token that is over": {
    objects: [
      pod(spec(IMAGE, ["s"])),
      secret("s", {
        [HOST]: {
          username: "oauth2",
          password: `${encode("{}")}.${encode(JSON.stringify({ exp: NOW / 1000 - 60 }))}.signature`,
        },
      }),
    ],
    registries: {},
    options: ["--no-network"],
    causes: ["CREDENTIAL_EXPIRED"],
    says: ["2026-01-05T11:59:00Z"],
  },
  "plain HTTP to a registry that wants TLS": {
    objects: [pod(spec(IMAGE))],
    registries: { [HOST]: { ...PUBLIC, wantsTls: true } },
    options: ["--plain-http"],
    causes: ["HTTPS_REQUIRED"],
  },
  "403 for somebody whose name is known": {
    objects: [pod(spec(IMAGE, ["s"])), secret("s", { [HOST]: LOGIN })],
    registries: { [HOST]: { status: 403 } },
    causes: ["SCOPE_SHORT"],
  },
  "403 for everybody": {
    objects: [pod(spec(IMAGE))],
    registries: { [HOST]: { status: 403 } },
    causes: ["ACCESS_DENIED"],
  },
  "502 from a gateway": {
    objects: [pod(spec(IMAGE))],
    registries: { [HOST]: { status: 502, html: true } },
    causes: ["REGISTRY_ERROR"],
  },
};

const NAMES: Readonly<Record<string, Variant>> = {
  ...Object.fromEntries(
    [
      "Registry.example.com/Shop/web:1",
      `https://${IMAGE}`,
      `${HOST}/shop/web:`,
      `${HOST}/shop/web:1:2`,
      `${HOST}/shop/web@sha256:123`,
      `${HOST}/shop//web:1`,
      `${HOST}/shop/web:-1`,
    ].map((image): [string, Variant] => [
      `the name ${image}`,
      { objects: [pod(spec(image))], registries: { [HOST]: PUBLIC }, causes: ["NAME_INVALID"] },
    ]),
  ),
  "a name with a blank after it": {
    objects: [pod(spec(`${IMAGE} `))],
    registries: { [HOST]: PUBLIC },
    causes: ["POD_INVALID"],
  },
};

const PLACES: Readonly<Record<string, Variant>> = {
  "an init container and a container, each with its own trouble": {
    objects: [
      pod(
        spec(`${HOST}/shop/web:2`, [], {
          initContainers: [{ name: "prepare", image: "other.example.com/tool:1" }],
        }),
      ),
    ],
    registries: { [HOST]: PUBLIC },
    causes: ["DNS_FAILED", "TAG_MISSING"],
  },
  "an image volume without its tag": {
    objects: [
      pod(spec(IMAGE, [], { volumes: [{ name: "data", image: { reference: `${HOST}/shop/web:data` } }] })),
    ],
    registries: { [HOST]: PUBLIC },
    causes: ["TAG_MISSING"],
    says: ["image volume data", "volumes:"],
  },
  "an ephemeral container with a bad tag": {
    objects: [
      pod(
        spec(IMAGE, [], {
          nodeName: "node-1",
          ephemeralContainers: [{ name: "debug", image: `${HOST}/shop/debug:1` }],
        }),
        {
          metadata: {
            name: "web",
            namespace: "shop",
            uid: "1-2-3",
            creationTimestamp: "2026-01-05T11:00:00Z",
          },
        },
      ),
    ],
    registries: { [HOST]: PUBLIC },
    causes: ["REPOSITORY_MISSING"],
    says: ["ephemeral container debug", "kubectl debug"],
  },
  "three containers, three troubles": {
    objects: [
      pod({
        containers: [
          { name: "a", image: IMAGE },
          { name: "b", image: "open.example.com/b:2" },
          { name: "c", image: "down.example.com/c:1" },
        ],
      }),
    ],
    registries: {
      ...ONLY,
      "open.example.com": { images: { "b:1": {} } },
      "down.example.com": { fail: "NETWORK_REFUSED" },
    },
    causes: ["NO_CREDENTIALS", "TAG_MISSING", "CONNECTION_REFUSED"],
  },
  ...Object.fromEntries(
    (
      [
        ["apps/v1", "Deployment"],
        ["apps/v1", "StatefulSet"],
        ["apps/v1", "DaemonSet"],
        ["apps/v1", "ReplicaSet"],
        ["v1", "ReplicationController"],
        ["batch/v1", "Job"],
        ["argoproj.io/v1alpha1", "Rollout"],
      ] as const
    ).map(([apiVersion, kind]): [string, Variant] => [
      `a ${kind}`,
      {
        objects: [withTemplate(apiVersion, kind, spec(`${HOST}/shop/web:2`))],
        registries: { [HOST]: PUBLIC },
        causes: ["TAG_MISSING"],
        says: [`${kind} shop/web`],
      },
    ]),
  ),
  "a PodTemplate in a List": {
    objects: [
      {
        apiVersion: "v1",
        kind: "List",
        items: [
          {
            apiVersion: "v1",
            kind: "PodTemplate",
            metadata: { name: "web", namespace: "shop" },
            template: { spec: spec(`${HOST}/shop/web:2`) },
          },
        ],
      },
    ],
    registries: { [HOST]: PUBLIC },
    causes: ["TAG_MISSING"],
  },
};

for (const [title, variants] of Object.entries({
  "pull secrets": SECRETS,
  registries: REGISTRIES,
  names: NAMES,
  "places of images": PLACES,
})) {
  describe(`explaining ${title}`, () => {
    for (const [name, variant] of Object.entries(variants)) {
      it(name, async () => {
        const { codes, tree } = await tell(variant);
        assert.deepEqual(codes, variant.causes, tree);
        for (const text of variant.says ?? []) assert.ok(tree.includes(text), `${text}\n${tree}`);
        assert.ok(!tree.includes(LOGIN.password) && !tree.includes("token-that-nobody-reads"));
      });
    }
  });
}

async function tell({
  objects,
  registries,
  options = [],
  ofNodes = false,
}: Variant): Promise<{ codes: string[]; tree: string }> {
  const command = await findCommand("explain");
  assert.ok(command !== undefined);
  const stdin = objects.map((object) => JSON.stringify(object)).join("\n---\n");
  const platform = ofNodes || options.includes("--platform") ? [] : ["--platform", "linux/amd64"];
  const run = async (...more: readonly string[]): Promise<string> => {
    const context = createMemoryContext({ cwd: import.meta.dirname, stdin, now: () => NOW });
    const { values, positionals } = parseArguments(command, [
      "-",
      "--complete",
      ...platform,
      ...options,
      ...more,
    ]);
    await runExplain({ values, positionals, send: new ScriptedRegistries(registries).send }, context);
    return context.stdout.text;
  };
  const { pods } = JSON.parse(await run("--json")) as Explanation;
  const codes = pods.flatMap((one) => [one.causes, ...one.images.map(({ causes }) => causes)].flat());
  return { codes: codes.map(({ code }) => code), tree: await run() };
}
