/**
 * Worlds by chance, in which a Pod wants images: its Secrets, its ServiceAccount, what its node has and remembers, and
 * how registries behave. A world is plain data of small choices, so that a failing one shrinks to something readable;
 * people and their passwords are numbers in it.
 */
import fc from "fast-check";

import type { ScriptedImage, ScriptedRegistry } from "./scripted-registries.ts";

/** Who logs in: the first two are known, the third has a wrong password, the fourth no name. */
export const PEOPLE = ["alice", "bob", "alice with a wrong password", "nobody"] as const;

export type EntryForm = "auth" | "fields" | "no-padding" | "no-colon" | "no-base64" | "number" | "empty";

export interface Entry {
  readonly key: string;
  readonly person: number;
  readonly form: EntryForm;
}

export type DocumentShape = "right" | "other" | "cut" | "list" | "null" | "empty";

export interface CredentialDocument {
  readonly shape: DocumentShape;
  readonly entries: readonly Entry[];
}

export interface SecretChoice {
  readonly name: string;
  readonly namespace: "default" | "other";
  readonly type: string;
  readonly key: "own" | "other" | "none";
  readonly stringData: boolean;
  readonly document: CredentialDocument;
}

export interface ProviderChoice {
  readonly matchImages: readonly string[];
  readonly answer: "entries" | "fails" | "babbles" | "other-version" | "unknown-cache-key";
  readonly cacheKeyType: "Image" | "Registry" | "Global";
  readonly entries: readonly Entry[];
  /** Whether it wants a token of the Pod's ServiceAccount, and what else that one must have. */
  readonly token: "none" | "optional" | "required" | "annotated";
}

export interface MirrorChoice {
  /** What `hosts.toml` says, see {@link MIRRORS}. */
  readonly file: number;
  /** Whether it has what the registry has. */
  readonly filled: boolean;
}

export interface ContainerChoice {
  readonly image: string;
  readonly policy: string;
  readonly mounts: boolean;
}

/** What was on the node before. */
export interface PresentChoice {
  readonly host: string;
  readonly name: (typeof NAMES)[number];
  /** Whether the registry has the same one still. */
  readonly same: boolean;
  readonly by: "preloaded" | "anonymous" | "node" | "secret" | "rotated" | "other-secret" | "intent";
  /** Which Secret, for those pulled by one. */
  readonly secret: number;
}

export interface World {
  /** The last one is the mirror. */
  readonly registries: readonly (Omit<ScriptedRegistry, "images" | "users" | "grants"> & {
    readonly guarded: boolean;
    readonly narrow: boolean;
  })[];
  /** Of each of {@link NAMES}, at all hosts. */
  readonly images: readonly ScriptedImage[];
  readonly secrets: readonly SecretChoice[];
  readonly podSecrets: readonly string[];
  readonly account: "none" | "default" | "builder" | "missing";
  readonly accountSecrets: readonly string[];
  readonly nodeConfig: {
    readonly file: "config.json" | ".dockercfg";
    readonly document: CredentialDocument;
  } | null;
  readonly providers: readonly ProviderChoice[];
  readonly mirror: MirrorChoice | null;
  readonly ensureSecretPulled: boolean;
  readonly verification: string;
  /** Whether what it remembers lies in files. */
  readonly files: boolean;
  readonly present: readonly PresentChoice[];
  /** What explaining goes by: a list as crictl gives one, or the node's own store. */
  readonly listed: boolean;
  readonly init: readonly ContainerChoice[];
  readonly containers: readonly ContainerChoice[];
  readonly volumes: readonly ContainerChoice[];
  /** They join a Pod that is there already. */
  readonly ephemeral: readonly ContainerChoice[];
  readonly architecture: string;
  /** Whether explaining is asked once more, of the Pod as the node left it. */
  readonly live: boolean;
}

export const HOSTS = ["a.example", "b.example:5000", "registry-1.docker.io", "mirror.example"] as const;

/** What stands in `hosts.toml` for which registry, or for all; and whose content the mirror copies. */
export const MIRRORS: readonly {
  readonly folder: string;
  readonly copies: string;
  readonly toml: string;
}[] = [
  { folder: "a.example", copies: "a.example", toml: '[host."https://mirror.example"]\n' },
  {
    folder: "a.example",
    copies: "a.example",
    toml: 'server = "https://a.example"\n[host."https://mirror.example"]\n  capabilities = ["pull", "resolve"]\n',
  },
  {
    folder: "a.example",
    copies: "a.example",
    toml: '[host."https://mirror.example"]\n  capabilities = ["pull"]\n',
  },
  { folder: "a.example", copies: "a.example", toml: 'server = "https://mirror.example"\n' },
  { folder: "docker.io", copies: HOSTS[2], toml: '[host."https://mirror.example"]\n' },
  { folder: "_default", copies: "a.example", toml: '[host."http://mirror.example"]\n' },
  {
    folder: "a.example",
    copies: "a.example",
    toml: '[host."https://mirror.example/v2/a"]\n  override_path = true\n',
  },
  { folder: "a.example", copies: "a.example", toml: "server = 7\n" },
];
export const NAMES = [
  "team/app:1",
  "team/app:latest",
  "team/tool:2",
  "library/app:latest",
  "library/app:1",
] as const;

/** Stands for a digest that the registry has, until it is known. */
export const DIGEST = "sha256:DIGEST";
const WRONG = `sha256:${"0123456789abcdef".repeat(4)}`;

const ODD = [
  "",
  " ",
  " a.example/team/app:1",
  "a.example/team/app:1 ",
  "a.example/Team/app:1",
  "A.EXAMPLE/team/app:1",
  "a.example/team/app:",
  "a.example/team/app@",
  "a.example/team//app",
  "a.example/team/app:1:2",
  "https://a.example/team/app:1",
  "a.example/team/app@sha256:short",
  `a.example/team/app@sha512:${"0".repeat(64)}`,
  "0123456789abcdef".repeat(4),
  `sha256:${"0123456789abcdef".repeat(4)}`,
  `a.example/${"x".repeat(300)}`,
  `a.example/app:${"t".repeat(129)}`,
  "app_:1",
  "ünïcode/app",
  "localhost/team/app",
  "index.docker.io/app",
  "docker.io/library/app:1",
  "a.example:99999/team/app",
  "[::1]:5000/team/app:1",
];

/** Mostly the first: trouble at every corner would hide all but the first corner. */
function mostly<T>(first: T, ...others: readonly T[]): fc.Arbitrary<T> {
  return fc.oneof(
    { weight: others.length * 2 + 1, arbitrary: fc.constant(first) },
    ...others.map((one) => ({ weight: 1, arbitrary: fc.constant(one) })),
  );
}

const plainName = fc
  .tuple(
    fc.constantFrom("a.example/", "b.example:5000/", "", "docker.io/", "gone.example/"),
    fc.constantFrom("team/app", "team/app", "team/tool", "app", "team/none"),
    fc.constantFrom(
      "",
      ":1",
      ":2",
      ":latest",
      ":gone",
      `@${DIGEST}`,
      `:1@${DIGEST}`,
      `:9@${DIGEST}`,
      `@${WRONG}`,
    ),
  )
  .map((parts) => parts.join(""));

/** What is there, or may be. */
const usualName = mostly(
  "a.example/team/app:1",
  "b.example:5000/team/app",
  "team/tool:2",
  "app:1",
  `a.example/team/app:1@${DIGEST}`,
);

const image = fc.oneof(
  { weight: 10, arbitrary: usualName },
  { weight: 6, arbitrary: plainName },
  { weight: 1, arbitrary: fc.constantFrom(...ODD) },
);

const container: fc.Arbitrary<ContainerChoice> = fc.record({
  image,
  policy: fc.constantFrom("", "Always", "IfNotPresent", "Never"),
  mounts: fc.boolean(),
});

const KEYS = [
  "a.example",
  "a.example/team",
  "a.example/team/app",
  "https://a.example/v1/",
  "http://a.example/v2/",
  "*.example",
  "b.example:5000",
  "b.example",
  "*.example:5000",
  "*.example:*",
  "https://index.docker.io/v1/",
  "index.docker.io",
  "docker.io",
  "registry-1.docker.io",
  "",
  "a.example:443",
  "[bad",
  "A.example",
];

const entry: fc.Arbitrary<Entry> = fc.record({
  key: fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom("a.example", "b.example:5000", "https://index.docker.io/v1/") },
    { weight: 1, arbitrary: fc.constantFrom(...KEYS) },
  ),
  person: mostly(0, 1, 2, 3),
  form: mostly<EntryForm>("auth", "fields", "no-padding", "no-colon", "no-base64", "number", "empty"),
});

const document: fc.Arbitrary<CredentialDocument> = fc.record({
  shape: mostly<DocumentShape>("right", "other", "cut", "list", "null", "empty"),
  entries: fc.array(entry, { maxLength: 3 }),
});

const SECRETS = ["s0", "s1", "s2", "s3"] as const;

const secret: fc.Arbitrary<SecretChoice> = fc.record({
  name: mostly(...SECRETS),
  namespace: mostly("default", "other"),
  type: mostly(
    "kubernetes.io/dockerconfigjson",
    "kubernetes.io/dockercfg",
    "Opaque",
    "kubernetes.io/basic-auth",
  ),
  key: mostly("own", "other", "none"),
  stringData: fc.boolean(),
  document,
});

const names = fc.array(mostly<string>("s0", "s1", "s2", "s3", "missing"), { maxLength: 3 });

const provider: fc.Arbitrary<ProviderChoice> = fc.record({
  matchImages: fc.uniqueArray(
    fc.constantFrom(
      "a.example",
      "*.example",
      "*.example:5000",
      "b.example:5000",
      "*.docker.io",
      "docker.io",
      "a.example/team",
    ),
    { minLength: 1, maxLength: 2 },
  ),
  answer: mostly("entries", "fails", "babbles", "other-version", "unknown-cache-key"),
  cacheKeyType: fc.constantFrom("Image", "Registry", "Global"),
  entries: fc.array(entry, { maxLength: 2 }),
  token: mostly("none", "optional", "required", "annotated"),
});

type RegistryChoice = World["registries"][number];

const trouble: fc.Arbitrary<Partial<RegistryChoice>> = fc.constantFrom<Partial<RegistryChoice>>(
  { fail: "NETWORK_DNS" },
  { fail: "NETWORK_REFUSED" },
  { fail: "NETWORK_RESET" },
  { fail: "NETWORK_TIMEOUT" },
  { fail: "TLS_UNKNOWN_AUTHORITY" },
  { fail: "TLS_NOT_SPOKEN" },
  { status: 200, html: true },
  { status: 401 },
  { status: 403 },
  { status: 404 },
  { status: 418 },
  { status: 429, headers: { "retry-after": "120" } },
  { status: 500 },
  { status: 503, html: true },
  { status: 307, headers: { location: "https://gone.example/v2/" } },
  { tokenStatus: 403 },
  { tokenStatus: 500 },
  { wantsTls: true },
  { delay: 20_000 },
  { headless: true },
);

const registry: fc.Arbitrary<RegistryChoice> = fc
  .tuple(
    fc.record({
      guarded: fc.boolean(),
      narrow: fc.boolean(),
      auth: fc.constantFrom("basic", "token"),
      echo: mostly(false, true),
    }),
    fc.oneof({ weight: 5, arbitrary: fc.constant({}) }, { weight: 1, arbitrary: trouble }),
  )
  .map(([healthy, sick]) => ({ ...healthy, ...sick }));

const scripted: fc.Arbitrary<ScriptedImage> = mostly<ScriptedImage>(
  {},
  { platforms: ["linux/amd64", "linux/arm64"] },
  { platforms: ["windows/amd64", "linux/s390x"] },
  { platform: "linux/arm64" },
  { schema1: true },
  { cut: true },
  { corrupt: "config" },
  { lost: "layer" },
  { lost: "config" },
  { garbage: "empty" },
  { garbage: "html" },
  { garbage: "json" },
  { garbage: "strange" },
  { lies: true },
);

const present: fc.Arbitrary<PresentChoice> = fc.record({
  host: mostly("a.example", "b.example:5000", "docker.io"),
  name: mostly<PresentChoice["name"]>(...NAMES),
  same: fc.boolean(),
  by: mostly("preloaded", "anonymous", "node", "secret", "rotated", "other-secret", "intent"),
  secret: fc.nat({ max: 2 }),
});

export const world: fc.Arbitrary<World> = fc.record({
  registries: fc.tuple(registry, registry, registry, registry),
  images: fc.tuple(scripted, scripted, scripted, scripted, scripted),
  secrets: fc.array(secret, { maxLength: 3 }),
  podSecrets: names,
  account: mostly("none", "default", "builder", "missing"),
  accountSecrets: names,
  nodeConfig: fc.option(fc.record({ file: mostly("config.json", ".dockercfg"), document }), { freq: 2 }),
  providers: fc.oneof(
    { weight: 2, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(provider, { minLength: 1, maxLength: 2 }) },
  ),
  mirror: fc.option(fc.record({ file: fc.nat({ max: MIRRORS.length - 1 }), filled: mostly(true, false) }), {
    freq: 2,
  }),
  ensureSecretPulled: mostly(true, false),
  files: mostly(false, true),
  verification: fc.constantFrom(
    "NeverVerify",
    "NeverVerifyPreloadedImages",
    "NeverVerifyAllowlistedImages",
    "AlwaysVerify",
  ),
  present: fc.array(present, { maxLength: 2, size: "max" }),
  listed: fc.boolean(),
  init: fc.oneof(
    { weight: 3, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(container, { maxLength: 1 }) },
  ),
  containers: fc.array(container, { minLength: 1, maxLength: 2 }),
  volumes: fc.oneof(
    { weight: 4, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(container, { maxLength: 1 }) },
  ),
  ephemeral: fc.oneof(
    { weight: 5, arbitrary: fc.constant([]) },
    { weight: 1, arbitrary: fc.array(container, { minLength: 1, maxLength: 1 }) },
  ),
  architecture: mostly("amd64", "arm64", "s390x"),
  live: mostly(false, true),
});
