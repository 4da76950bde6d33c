/** What a world is played with: a node's store, records and programs, and clients of its registries. */
import { chmod, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConfiguredHosts, type HostResolver, type HttpSend, RegistryClient } from "../../src/client/index.ts";
import {
  type CredentialProviders,
  type NodePlaces,
  type ProgramResult,
  registerCredentialProviders,
  type RegistrationOptions,
  Secret,
  secretsKeyring,
  type ServiceAccounts,
  toCandidate,
  type TrackedCredential,
} from "../../src/credentials/index.ts";
import type { RegistryAccess } from "../../src/cli/connect.ts";
import { NodeRegistry } from "../../src/cli/up/node-registry.ts";
import type { ProviderRuns } from "../../src/explain/index.ts";
import {
  FilePullRecords,
  listStoreImages,
  PullManager,
  type PullRecords,
  type RecordShelf,
  StoreRuntime,
  type VerificationPolicy,
} from "../../src/images/index.ts";
import { GoError } from "../../src/internal/go/errors.ts";
import type { JsonObject } from "../../src/kubernetes/index.ts";
import { readFolderObjects } from "../../src/node/folder-objects.ts";
import type { Platform } from "../../src/oci/index.ts";
import { parseReference, type Reference, repositoryName } from "../../src/reference/index.ts";
import type { Store } from "../../src/store/index.ts";
import { settle, type VirtualClock } from "../traces/virtual-clock.ts";
import { HOSTS, MIRRORS, NAMES, type PresentChoice, type World } from "./random-worlds.ts";
import { ScriptedRegistries } from "./scripted-registries.ts";
import { ANNOTATION, documentText, providerAnswer, TOKEN } from "./world-objects.ts";

export const START: number = Date.UTC(2026, 0, 1);

const KUBELET = "/var/lib/kubelet";

export const PLACES: NodePlaces = { root: KUBELET, workingDirectory: "/srv", home: "/root" };

export interface Lab {
  readonly world: World;
  /** Of programs and hosts, see {@link makePrograms}. */
  readonly folder: string;
  /** Of pull records. */
  readonly root: string;
  readonly clock: VirtualClock;
  readonly platform: Platform;
  readonly store: Store;
  readonly objects: readonly JsonObject[];
  readonly policy: VerificationPolicy;
  readonly memory: PullRecords;
  readonly registries: () => ScriptedRegistries;
}

/** Programs of providers have to be there, though nobody runs them. */
export async function makePrograms(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "dray-agrees-"));
  await mkdir(join(folder, "bin"));
  for (const index of [0, 1]) {
    const path = join(folder, "bin", `provider-${index}`);
    await writeFile(path, "");
    await chmod(path, 0o755);
  }
  for (const [index, { folder: domain, toml }] of MIRRORS.entries()) {
    const path = join(folder, `mirror-${index}`, domain);
    await mkdir(path, { recursive: true });
    await writeFile(join(path, "hosts.toml"), toml);
  }
  return folder;
}

/** Registries as a node of ours reaches them. */
export function reachRegistries(
  send: HttpSend,
  { now, hosts }: { readonly now: () => number; readonly hosts: HostResolver },
): NodeRegistry {
  const access: Pick<RegistryAccess, "as"> = {
    as: (credentials) => {
      const client = new RegistryClient({ hosts, send, credentials, clock: now, retry: { attempts: 1 } });
      return { repository: ({ domain, path }) => client.repository(domain, path) };
    },
  };
  return new NodeRegistry(access as RegistryAccess, { candidateOf: toCandidate });
}

/** As `hosts.toml` has them, if the world has a mirror. */
export function hostsOf({ mirror }: World, folder: string, log?: (message: string) => void): ConfiguredHosts {
  return new ConfiguredHosts({
    ...(mirror !== null && { roots: [join(folder, `mirror-${mirror.file}`)] }),
    log,
  });
}

/** The API's, to which only the node may turn. */
export function serviceAccountsOf({ account }: World): ServiceAccounts {
  return {
    get: (_, name) =>
      name === "absent"
        ? Promise.reject(new GoError(`serviceaccounts "${name}" not found`))
        : Promise.resolve({
            uid: `uid of ${name}`,
            annotations: account === "builder" ? { [ANNOTATION]: "puller" } : {},
          }),
    requestToken: () => Promise.resolve(new Secret(TOKEN)),
  };
}

export function neverAsked({ domain }: Reference): never {
  throw new Error(`looking asked ${domain}`);
}

export function nodeFiles({ nodeConfig }: World): (path: string) => Promise<Uint8Array> {
  return (path) =>
    nodeConfig !== null && path === join(KUBELET, nodeConfig.file)
      ? Promise.resolve(Buffer.from(documentText(nodeConfig.document, nodeConfig.file === ".dockercfg")))
      : Promise.reject(Object.assign(new Error(path), { code: "ENOENT" }));
}

export function program(world: World): ConstructorParameters<typeof ProviderRuns>[0] {
  return ([path]): Promise<ProgramResult> => {
    const choice = world.providers[Number(path.slice(-1))];
    return Promise.resolve(
      choice === undefined ? { code: 1, stdout: "", stderr: "" } : providerAnswer(choice),
    );
  };
}

export async function register(
  { world, folder, clock }: Lab,
  { run, serviceAccounts }: Pick<RegistrationOptions, "run" | "serviceAccounts">,
): Promise<CredentialProviders | undefined> {
  if (world.providers.length === 0) return undefined;
  const { providers } = await registerCredentialProviders({
    config: join(folder, "providers.json"),
    binDirectory: join(folder, "bin"),
    systemEnvironment: [],
    now: clock.now,
    track: world.ensureSecretPulled,
    run,
    serviceAccounts,
  });
  return providers;
}

export async function digestsOf(store: Store): Promise<ReadonlySet<string>> {
  const digests = new Set<string>();
  for await (const { digest } of store.blobs.list()) digests.add(digest);
  return digests;
}

export function listOf(objects: readonly JsonObject[]): string {
  return JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
}

/** What is on the node before, and what it remembers of that. */
export async function preload(lab: Lab): Promise<void> {
  const { world, store, platform, policy } = lab;
  if (world.present.length === 0) return;
  const records = new PullManager({
    records: await openRecords(lab),
    policy,
    now: () => START - 60_000,
  });
  for (const choice of world.present) {
    const host = choice.host === "docker.io" ? HOSTS[2] : choice.host;
    const image = choice.same
      ? (world.images[NAMES.indexOf(choice.name)] ?? {})
      : { platforms: [`${platform.os}/${platform.architecture}`], version: 2 };
    const open = new ScriptedRegistries({ [host]: { images: { [choice.name]: image } } }, { layers: true });
    const registry = reachRegistries(open.send, { now: () => START, hosts: new ConfiguredHosts() });
    const runtime = new StoreRuntime({
      store,
      platform,
      registry: (reference, credential) => registry.repository(reference, credential),
    });
    const name = `${choice.host}/${choice.name}`;
    const pulled = await runtime.pull(name, { credentials: [] }).catch(() => undefined);
    if (pulled === undefined || choice.by === "preloaded") continue;
    await records.recordPullIntent(name);
    if (choice.by === "intent") continue;
    const credentials = await recorded(lab, choice, name);
    await records.recordImagePulled(name, pulled.id, credentials);
  }
  // As a node does when it starts, which it did before anybody asks why.
  await records.convertIntents(() => listStoreImages(store, { platform }));
}

async function recorded(
  { objects }: Lab,
  { by, secret: index }: PresentChoice,
  image: string,
): Promise<Parameters<PullManager["recordImagePulled"]>[2]> {
  if (by === "anonymous" || by === "node") return { nodePodsAccessible: true };
  const { secrets } = readFolderObjects("manifests", {
    files: [{ name: "all.json", text: listOf(objects) }],
  });
  const all = [...secrets.values()];
  const secret = all[index % Math.max(all.length, 1)];
  const repository = repositoryName(parseReference(image));
  const found = await lookUp(secret === undefined ? [] : [secret], repository);
  const owner = found?.owner?.secret ?? { uid: "gone", namespace: "default", name: "gone" };
  const credentialHash = by === "rotated" ? "0".repeat(64) : (found?.hash ?? "");
  const uid = by === "other-secret" ? "another" : owner.uid;
  return { kubernetesSecrets: [{ ...owner, uid, credentialHash }] };
}

async function lookUp(
  secrets: Parameters<typeof secretsKeyring>[0],
  repository: string,
): Promise<TrackedCredential | undefined> {
  try {
    const none = { lookup: () => Promise.resolve({ credentials: [], found: false }) };
    const { credentials } = await secretsKeyring(secrets, none, { track: true }).lookup(repository);
    return credentials[0];
  } catch {
    return undefined;
  }
}

export async function listRecords(lab: Lab): Promise<string> {
  const { intents, pulled } = lookAtRecords(lab);
  const lists = [(await intents.list()).records, (await pulled.list()).records];
  return JSON.stringify(lists.map((list) => list.map(showRecord).toSorted()));
}

function showRecord(record: object): string {
  return JSON.stringify(record, (_, value: unknown) => (value instanceof Map ? [...value] : value));
}

/** In files as the kubelet's, or in memory, which is faster. */
export async function openRecords({ world, root, memory }: Lab): Promise<PullRecords> {
  return world.files ? await FilePullRecords.open(root) : memory;
}

export function lookAtRecords({ world, root, memory }: Lab): PullRecords {
  return world.files ? FilePullRecords.look(root) : memory;
}

export class MemoryShelf<T> implements RecordShelf<T> {
  readonly #records = new Map<string, T>();
  readonly #keyOf: (record: T) => string;

  constructor(keyOf: (record: T) => string) {
    this.#keyOf = keyOf;
  }

  list(): ReturnType<RecordShelf<T>["list"]> {
    return Promise.resolve({ records: [...this.#records.values()] });
  }

  find(key: string): Promise<T | undefined> {
    return Promise.resolve(this.#records.get(key));
  }

  async write(record: T): Promise<void> {
    this.#records.set(this.#keyOf(record), record);
  }

  async delete(key: string): Promise<void> {
    this.#records.delete(key);
  }
}

/** Waits for work of which some may wait for the clock. */
export async function drive<T>({ clock, world }: Lab, work: Promise<T>): Promise<T> {
  if (!isSlow(world)) return await work;
  let done = false;
  void work.then(
    () => (done = true),
    () => (done = true),
  );
  for (await settle(); !done; await settle()) await clock.runUntil(clock.now() + 20_000);
  return await work;
}

/** Time goes by while a registry of it answers. */
export function isSlow({ registries }: World): boolean {
  return registries.some(({ delay }) => delay !== undefined);
}
