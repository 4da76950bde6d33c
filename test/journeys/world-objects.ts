/** The objects and documents that a world's choices stand for. */
import type { JsonObject } from "../../src/kubernetes/index.ts";
import type {
  ContainerChoice,
  CredentialDocument,
  Entry,
  ProviderChoice,
  SecretChoice,
  World,
} from "./random-worlds.ts";
import { DIGEST, HOSTS, MIRRORS, NAMES } from "./random-worlds.ts";
import type { ScriptedRegistry } from "./scripted-registries.ts";

/** What opens guarded registries. */
export const USERS: Readonly<Record<string, string>> = {
  alice: "drayTestSecret-alice",
  bob: "drayTestSecret-bob",
};

/** By the numbers of the world's people. */
const LOGINS: readonly (readonly [user: string, password: string])[] = [
  ["alice", USERS["alice"] ?? ""],
  ["bob", USERS["bob"] ?? ""],
  ["alice", "drayTestSecret-wrong"],
  ["", "drayTestSecret-nobody"],
];

/** Texts that nothing may show. */
export const PASSWORDS: readonly string[] = LOGINS.map(([, password]) => password);

/** Of a ServiceAccount, which explaining never has. */
export const TOKEN = "drayTestSecret-token";

/** What a ServiceAccount that may ask for tokens says of itself. */
export const ANNOTATION = "dray.dev/role";

export function scriptOf({ registries, images, mirror }: World): Record<string, ScriptedRegistry> {
  const all = Object.fromEntries(NAMES.map((name, index) => [name, images[index] ?? {}]));
  return Object.fromEntries(
    HOSTS.map((host, index) => {
      const { guarded = false, narrow = false, ...rest } = registries[index] ?? {};
      const users = guarded ? { users: USERS } : {};
      const grants = narrow ? { grants: { bob: ["team/tool"] } } : {};
      const script = { ...rest, ...users, ...grants, images: all };
      if (host !== "mirror.example") return [host, script];
      const { copies = "" } = MIRRORS[mirror?.file ?? 0] ?? {};
      return [host, { ...script, copies, images: mirror?.filled === true ? all : {} }];
    }),
  );
}

/** The Pod with everything around it, as one file. */
export function manifestsOf(world: World, digestOf: (image: string) => string): readonly JsonObject[] {
  const volumes = world.volumes.map(({ image, policy }, index) => ({
    name: `v${index}`,
    image: { reference: nameOf(image, digestOf), ...(policy !== "" && { pullPolicy: policy }) },
  }));
  const containers = (list: readonly ContainerChoice[], prefix: string): JsonObject[] =>
    list.map((choice, index) => ({
      ...containerOf(choice, `${prefix}${index}`, digestOf),
      ...(choice.mounts && {
        volumeMounts: volumes.map(({ name }) => ({ name, mountPath: `/${name}` })),
      }),
    }));
  const accountName = { none: "", default: "", builder: "builder", missing: "absent" }[world.account];
  const account: JsonObject[] =
    world.account === "default" || world.account === "builder"
      ? [
          {
            apiVersion: "v1",
            kind: "ServiceAccount",
            metadata: {
              name: world.account,
              ...(world.account === "builder" && { annotations: { [ANNOTATION]: "puller" } }),
            },
            imagePullSecrets: world.accountSecrets.map((name) => ({ name })),
          },
        ]
      : [];
  const pod: JsonObject = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web" },
    spec: {
      ...(accountName !== "" && { serviceAccountName: accountName }),
      ...(world.podSecrets.length > 0 && { imagePullSecrets: world.podSecrets.map((name) => ({ name })) }),
      initContainers: containers(world.init, "i"),
      containers: containers(world.containers, "c"),
      volumes,
    },
  };
  return [...secretsOf(world).map(secretObject), ...account, pod];
}

/** Of the world's ephemeral containers, which no Pod has from the beginning. */
export function ephemeralOf(world: World, digestOf: (image: string) => string): readonly JsonObject[] {
  return world.ephemeral.map((choice, index) => containerOf(choice, `e${index}`, digestOf));
}

function containerOf(
  { image, policy }: ContainerChoice,
  name: string,
  digestOf: (image: string) => string,
): JsonObject {
  return { name, image: nameOf(image, digestOf), ...(policy !== "" && { imagePullPolicy: policy }) };
}

/** Two of one name can't be. */
export function secretsOf({ secrets }: World): readonly SecretChoice[] {
  return [...new Map(secrets.map((secret) => [`${secret.namespace}/${secret.name}`, secret])).values()];
}

function secretObject({ name, namespace, type, key, stringData, document }: SecretChoice): JsonObject {
  const legacy = type === "kubernetes.io/dockercfg";
  const own = legacy ? ".dockercfg" : ".dockerconfigjson";
  const other = legacy ? ".dockerconfigjson" : ".dockercfg";
  const text = documentText(document, legacy);
  const member = { own, other, none: "" }[key];
  const value = stringData ? text : Buffer.from(text).toString("base64");
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace },
    type,
    ...(member !== "" && { [stringData ? "stringData" : "data"]: { [member]: value } }),
  };
}

/** @param legacy entries at the top instead of below `auths` */
export function documentText({ shape, entries }: CredentialDocument, legacy: boolean): string {
  const list = Object.fromEntries(entries.map((one) => [one.key, entryOf(one)]));
  const right = JSON.stringify(legacy ? list : { auths: list });
  switch (shape) {
    case "right":
      return right;
    case "other":
      return JSON.stringify(legacy ? { auths: list } : list);
    case "cut":
      return right.slice(0, -2);
    case "list":
      return JSON.stringify([list]);
    case "null":
      return "null";
    case "empty":
      return "";
  }
}

function entryOf({ person, form }: Entry): JsonObject {
  const [username, password] = LOGINS[person] ?? ["", ""];
  const auth = Buffer.from(`${username}:${password}`).toString("base64");
  switch (form) {
    case "auth":
      return { auth };
    case "fields":
      return { username, password, email: "a@b.c" };
    case "no-padding":
      return { auth: auth.replaceAll("=", "") };
    case "no-colon":
      return { auth: Buffer.from(`${username}${password}`).toString("base64") };
    case "no-base64":
      return { auth: `${password}!` };
    case "number":
      return { auth: 7 };
    case "empty":
      return {};
  }
}

/** What one of the node's programs writes, and how it ends. */
export function providerAnswer({ answer, cacheKeyType, entries }: ProviderChoice): {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
} {
  const auth = Object.fromEntries(
    entries.map(({ key, person }) => {
      const [username, password] = LOGINS[person] ?? ["", ""];
      return [key, { username, password }];
    }),
  );
  const version = answer === "other-version" ? "v1alpha1" : "v1";
  const response = {
    kind: "CredentialProviderResponse",
    apiVersion: `credentialprovider.kubelet.k8s.io/${version}`,
    cacheKeyType: answer === "unknown-cache-key" ? "Galaxy" : cacheKeyType,
    cacheDuration: "1h",
    auth,
  };
  if (answer === "fails") return { code: 3, stdout: "", stderr: "no such identity" };
  if (answer === "babbles") return { code: 0, stdout: "Hello!", stderr: "" };
  return { code: 0, stdout: JSON.stringify(response), stderr: "" };
}

export function providerConfig(providers: World["providers"]): JsonObject {
  return {
    kind: "CredentialProviderConfig",
    apiVersion: "kubelet.config.k8s.io/v1",
    providers: providers.map(({ matchImages, token }, index) => ({
      name: `provider-${index}`,
      apiVersion: "credentialprovider.kubelet.k8s.io/v1",
      matchImages: [...matchImages],
      defaultCacheDuration: "10m",
      ...(token !== "none" && {
        tokenAttributes: {
          serviceAccountTokenAudience: "registries",
          cacheType: "ServiceAccount",
          requireServiceAccount: token !== "optional",
          ...(token === "annotated" && { requiredServiceAccountAnnotationKeys: [ANNOTATION] }),
        },
      }),
    })),
  };
}

function nameOf(image: string, digestOf: (image: string) => string): string {
  return image.includes(DIGEST) ? image.replace(DIGEST, digestOf(image.slice(0, image.indexOf("@")))) : image;
}
