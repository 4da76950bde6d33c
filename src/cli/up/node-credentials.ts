/**
 * Who a node is to registries, as the kubelet looks for it:
 *
 * ```text
 * the Pod's Secrets ─► the node's file ─► exec providers ─► extensions ─► Docker's helpers and Podman's file
 *                                                          └──────── only where asked for ────────────────┘
 * ```
 */
import { readFile } from "node:fs/promises";
import { basename, resolve } from "node:path";

import {
  CachingProvider,
  type CredentialCandidate,
  type CredentialSource,
  decodeDocument,
  type DockerDocument,
  DockerConfigSource,
  type DocumentProvider,
  formatLogEntry,
  hashAuthConfig,
  type ImageKeyring,
  NodeFilesProvider,
  type PluginRun,
  ProvidersKeyring,
  readProviderConfig,
  registerCredentialProviders,
  type RegisteredProviders,
  type ServiceAccounts,
  toCandidate,
  type TrackedCredential,
  UnionKeyring,
} from "../../credentials/index.ts";
import type { NodeKeyring } from "../../images/index.ts";
import type { CommandContext } from "../context.ts";
import { CliError } from "../errors.ts";
import { describeError } from "../report-error.ts";
import { openExtensions } from "./open-extensions.ts";
import { SourceKeyring } from "./source-keyring.ts";

export interface NodeCredentialOptions {
  /** Read this file instead of searching the kubelet's places. */
  readonly nodeConfig?: string | undefined;
  /** `--image-credential-provider-config`; either of the two sets providers up. */
  readonly providerConfig?: string | undefined;
  readonly providerBinDir?: string | undefined;
  /** Modules that find credentials. */
  readonly extensions?: readonly string[] | undefined;
  /** What to hand to them: a file of settings by module, each as it was named. */
  readonly extensionSettings?: string | undefined;
  /** Also ask what all other commands ask: Docker's credential helpers, Podman's `auth.json`. */
  readonly docker?: boolean | undefined;
}

export interface NodeCredentials {
  readonly keyring: NodeKeyring;
  /** The `sha256:…` of the providers' configuration. */
  readonly providerConfigHash: string | undefined;
  /** As the client tries it; undefined for anonymous. */
  readonly candidateOf: (credential: TrackedCredential) => CredentialCandidate | undefined;
  /**
   * Looks at the files again; whether they say something else. A new configuration of providers counts from then on.
   *
   * @throws CredentialsError for one that is wrong; the old one stays
   */
  readonly refresh: () => Promise<boolean>;
}

export interface NodeCredentialWiring {
  readonly context: CommandContext;
  /** The node's root directory, where the kubelet has `/var/lib/kubelet`. */
  readonly root: string;
  /** Whether credentials are remembered by hash and owner. */
  readonly track: boolean;
  /** Read the node's file at every lookup instead of every five minutes. */
  readonly fresh?: boolean | undefined;
  /** For providers that are given a ServiceAccount's token. */
  readonly serviceAccounts?: ServiceAccounts | undefined;
  readonly onWarning: (message: string) => void;
  readonly onRun?: ((run: PluginRun) => void) | undefined;
}

/** @throws CredentialsError `PROVIDER_INVALID`, `EXTENSION_INVALID`; CliError `NODE_CONFIG_INVALID` */
export async function openNodeCredentials(
  options: NodeCredentialOptions,
  wiring: NodeCredentialWiring,
): Promise<NodeCredentials> {
  const { context, track, onWarning } = wiring;
  const now = (): number => context.clock.now();
  const files = await openNodeFiles(options, wiring);
  const kept = wiring.fresh === true ? files : new CachingProvider(files, { now });
  const ofFiles = new ProvidersKeyring([kept], { track });
  let registered = await registerProviders(options, wiring);
  const sources = await openSources(options, context);
  const ofSources = sources.map(
    (source) => new SourceKeyring(source, { onFailure: (error) => onWarning(describeError(error).message) }),
  );
  const keyring: NodeKeyring = (pod) => {
    const nobody = { name: "", namespace: "", uid: "", serviceAccountName: "" };
    const ofProviders: ImageKeyring | undefined = registered?.providers.forPod(pod ?? nobody);
    return new UnionKeyring([ofFiles, ofProviders, ...ofSources]);
  };
  const candidateOf = (credential: TrackedCredential): CredentialCandidate | undefined =>
    ofSources.map((source) => source.candidateOf(credential)).find((found) => found !== undefined) ??
    toCandidate(credential);
  let known = await describeFile(files);
  let refused: string | undefined;
  const refresh = async (): Promise<boolean> => {
    // Before the file: a change of it must not be forgotten where the providers' configuration can't be read.
    const hash = registered === undefined ? undefined : await hashConfig(options, context.cwd);
    const [before, current] = [known, await describeFile(files)];
    known = current;
    const changed = before !== current;
    if (hash === registered?.configHash || hash === refused) return changed;
    refused = hash;
    registered = await registerProviders(options, wiring);
    return true;
  };
  return {
    keyring,
    candidateOf,
    refresh,
    get providerConfigHash() {
      return registered?.configHash;
    },
  };
}

/** What tells one state of the node's file from another; no secret can be read from it. */
async function describeFile(files: DocumentProvider): Promise<string> {
  const { document, origin } = await files.provide("");
  const entries = [...document].map(([key, entry]) => [key, hashAuthConfig(entry)]);
  return JSON.stringify([origin.label, entries]);
}

async function hashConfig({ providerConfig = "" }: NodeCredentialOptions, cwd: string): Promise<string> {
  return (await readProviderConfig(resolve(cwd, providerConfig))).hash;
}

async function openNodeFiles(
  { nodeConfig }: NodeCredentialOptions,
  { context, root }: NodeCredentialWiring,
): Promise<DocumentProvider> {
  if (nodeConfig === undefined) {
    const home = context.env["HOME"] ?? context.home;
    return new NodeFilesProvider({ root, workingDirectory: context.cwd, home });
  }
  const path = resolve(context.cwd, nodeConfig);
  const origin = { kind: "file", label: path } as const;
  try {
    await readNodeFile(path);
  } catch (cause) {
    const { message } = describeError(cause);
    throw new CliError(
      "NODE_CONFIG_INVALID",
      `Cannot use ${JSON.stringify(path)} as the node's file: ${message}`,
      {
        cause,
      },
    );
  }
  // Later on it may come and go, as the kubelet's files do.
  return { provide: async () => ({ document: await readNodeFile(path).catch(() => new Map()), origin }) };
}

async function readNodeFile(path: string): Promise<DockerDocument> {
  const format = basename(path) === ".dockercfg" ? "dockercfg" : "dockerconfigjson";
  const bytes = await readFile(path);
  try {
    return decodeDocument(bytes, format);
  } catch {
    // The decoder's words may hold a piece of a password.
    throw new CliError(
      "NODE_CONFIG_INVALID",
      `it is no ${format === "dockercfg" ? ".dockercfg" : "config.json"}`,
    );
  }
}

async function registerProviders(
  { providerConfig = "", providerBinDir = "" }: NodeCredentialOptions,
  { context, track, serviceAccounts, onWarning, onRun }: NodeCredentialWiring,
): Promise<RegisteredProviders | undefined> {
  if (providerConfig === "" && providerBinDir === "") return undefined;
  const { cwd, env, clock } = context;
  // Empty ones stay empty, so that what is said of them is what the kubelet says.
  const place = (path: string): string => (path === "" ? "" : resolve(cwd, path));
  return await registerCredentialProviders({
    config: place(providerConfig),
    binDirectory: place(providerBinDir),
    systemEnvironment: Object.entries(env).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}=${value}`],
    ),
    now: () => clock.now(),
    track,
    ...(serviceAccounts !== undefined && { serviceAccounts }),
    onRun,
    onLog: (entry) => onWarning(formatLogEntry(entry)),
  });
}

async function openSources(
  { extensions = [], extensionSettings, docker = false }: NodeCredentialOptions,
  { cwd, env, home }: CommandContext,
): Promise<readonly CredentialSource[]> {
  const sources = [...(await openExtensions(extensions, { cwd, settings: extensionSettings }))];
  if (docker) sources.push(new DockerConfigSource({ env, home }));
  return sources;
}
