/** What options and objects say of nodes: their credentials, images, records and platforms. */
import { readFile, stat } from "node:fs/promises";
import { join, resolve } from "node:path";

import {
  CachingServiceAccounts,
  CredentialsError,
  DockerConfigSource,
  readProviderConfig,
  registerCredentialProviders,
  runProgram,
  searchNodeFiles,
  type ServiceAccounts,
} from "../../credentials/index.ts";
import {
  ListedImages,
  type NodeImages,
  type NodeSituation,
  type NodeSources,
  ProviderRuns,
  readCrictlImages,
  readNodeImages,
  type TokenRequests,
} from "../../explain/index.ts";
import {
  checkImageConfig,
  DEFAULT_GATES,
  defaultImageConfig,
  FilePullRecords,
  parseKubeletConfig,
  type VerificationPolicy,
  verificationPolicyOf,
} from "../../images/index.ts";
import { GoError } from "../../internal/go/errors.ts";
import type { JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import { OciError, parsePlatform, type Platform } from "../../oci/index.ts";
import type { CommandContext } from "../context.ts";
import { CliError } from "../errors.ts";
import { describeError } from "../report-error.ts";
import { givenPlatform, localPlatform } from "../settings.ts";
import { openExtensions } from "../up/open-extensions.ts";
import { SourceKeyring } from "../up/source-keyring.ts";
import type { ExplainValues } from "./options.ts";

export interface NodeSettings {
  readonly ensureSecretPulled: boolean;
  readonly policy: VerificationPolicy | undefined;
}

/** A file that an option names has to be there. */
async function readGiven(path: string, cwd: string): Promise<Buffer> {
  try {
    return await readFile(resolve(cwd, path));
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such file" : String(cause);
    throw new CliError("UNREADABLE", `Cannot read ${JSON.stringify(path)}: ${why}`, { cause });
  }
}

/** @throws CliError `UNREADABLE`: nothing would be found in a folder that isn't there, and nobody would know why */
export async function checkFolders(
  folders: readonly (string | undefined)[],
  { cwd }: Pick<CommandContext, "cwd">,
): Promise<void> {
  for (const path of folders) {
    if (path === undefined) continue;
    const found = await stat(resolve(cwd, path)).catch(() => undefined);
    if (found?.isDirectory() === true) continue;
    throw new CliError("UNREADABLE", `Cannot read ${JSON.stringify(path)}: there is no such folder`);
  }
}

/** The image fields of a KubeletConfiguration, or its defaults. */
export async function readNodeSettings(
  values: ExplainValues,
  { cwd }: CommandContext,
): Promise<NodeSettings> {
  const path = values["kubelet-config"];
  const { given, gates } =
    path === undefined
      ? { given: {}, gates: DEFAULT_GATES }
      : parseKubeletConfig((await readGiven(path, cwd)).toString("utf8"));
  const { ensureSecretPulled } = gates;
  if (!ensureSecretPulled) return { ensureSecretPulled, policy: undefined };
  return {
    ensureSecretPulled,
    policy: verificationPolicyOf(checkImageConfig(defaultImageConfig(given, gates), gates)),
  };
}

/** What a node has that isn't in the API. */
export interface NodeFacts {
  readonly images: NodeImages | undefined;
  readonly records: NodeSituation["records"];
}

export async function readNodeFacts(
  values: ExplainValues,
  { policy }: NodeSettings,
  { cwd }: CommandContext,
): Promise<NodeFacts> {
  const list = values["node-images"];
  const root = values["kubelet-root"];
  let images: NodeImages | undefined;
  if (list !== undefined) {
    const read = readCrictlImages((await readGiven(list, cwd)).toString("utf8"));
    if (read === undefined) {
      throw new CliError(
        "UNREADABLE",
        `Cannot read ${JSON.stringify(list)}: it is no output of crictl images -o json`,
      );
    }
    images = new ListedImages(read, list);
  }
  const records =
    root === undefined || policy === undefined
      ? undefined
      : { shelves: FilePullRecords.look(resolve(cwd, root)), policy };
  return { images, records };
}

/** A node as its object describes it, with what else is known of all nodes. */
export function nodeOf(
  object: KubernetesObject,
  facts: NodeFacts,
  platform: Platform | undefined,
): NodeSituation {
  const status = (object["status"] ?? {}) as JsonObject;
  const listed = Array.isArray(status["images"]) ? status["images"] : undefined;
  const { name } = object.metadata;
  const images =
    facts.images ??
    (listed === undefined
      ? undefined
      : // A Node tells of its largest images alone; 50 unless its kubelet is set otherwise.
        new ListedImages(readNodeImages(listed), `the status of Node ${name ?? ""}`, {
          partial: listed.length >= 50,
        }));
  return {
    ...(name !== undefined && { name }),
    platform: platform ?? platformOf(status) ?? localPlatform(),
    object,
    images,
    records: facts.records,
  };
}

function platformOf(status: JsonObject): Platform | undefined {
  const { operatingSystem, architecture } = (status["nodeInfo"] ?? {}) as JsonObject;
  if (typeof operatingSystem !== "string" || typeof architecture !== "string") return undefined;
  try {
    return parsePlatform(`${operatingSystem}/${architecture}`);
  } catch (error) {
    if (error instanceof OciError) return undefined;
    throw error;
  }
}

/** The nodes that are given, or one that nothing is known of. */
export function chooseNodes(
  objects: readonly KubernetesObject[],
  facts: NodeFacts,
  values: ExplainValues,
): readonly NodeSituation[] {
  const platform = givenPlatform(values);
  const nodes = objects.map((object) => nodeOf(object, facts, platform));
  if (nodes.length > 0) return nodes;
  return [{ platform: platform ?? localPlatform(), ...facts }];
}

/** Asking for a token would make one, which nobody has asked for. */
export const NO_TOKENS: ServiceAccounts = {
  get: () => Promise.reject(new GoError("explaining doesn't look up the ServiceAccount")),
  requestToken: () => Promise.reject(new GoError("explaining asks for no token")),
};

/** The node's own credentials, as far as options name them; those of this machine are another's. */
export async function readNodeSources(
  values: ExplainValues,
  context: CommandContext,
  options: {
    readonly track: boolean;
    /** For providers that want some. */
    readonly tokens?: TokenRequests | undefined;
    readonly onProblem: (problem: string) => void;
  },
): Promise<NodeSources> {
  const { cwd, env, home, clock } = context;
  const { track, tokens, onProblem } = options;
  const others = [
    ...(await openExtensions(values["credential-extension"] ?? [], {
      cwd,
      settings: values["extension-settings"],
    })),
  ].map((source, index) => ({ source, label: `extension ${values["credential-extension"]?.[index] ?? ""}` }));
  if (values["docker-credentials"] === true) {
    others.push({
      source: new DockerConfigSource({ env, home }),
      label: "Docker's configuration of this machine",
    });
  }
  const keyrings = others.map(({ source, label }) => ({
    label,
    keyring: new SourceKeyring(source, {
      onFailure: (error) => onProblem(`${label}: ${describeError(error).message}`),
    }),
  }));
  return {
    files: await fileSearch(values, context),
    providers: await readProviders(values, context, { track, tokens, now: () => clock.now() }),
    others: keyrings,
    candidateOf: (credential) =>
      keyrings.map(({ keyring }) => keyring.candidateOf(credential)).find((found) => found !== undefined),
  };
}

async function fileSearch(values: ExplainValues, { cwd }: CommandContext): Promise<NodeSources["files"]> {
  const given = values["node-config"];
  if (given !== undefined) {
    const path = resolve(cwd, given);
    const bytes = await readGiven(given, cwd);
    const name = /(^|\/)\.dockercfg$/.test(path) ? ".dockercfg" : "config.json";
    // The one file stands where the kubelet looks first.
    const read = async (wanted: string): Promise<Uint8Array> => {
      if (wanted !== join("/given", name)) throw Object.assign(new Error(wanted), { code: "ENOENT" });
      return await Promise.resolve(bytes);
    };
    return async () => {
      const search = await searchNodeFiles({ root: "/given", workingDirectory: "/given", home: "" }, read);
      const searched = search.searched.filter(({ problem }) => problem !== "unreadable");
      const shown = searched.map((one) => ({ ...one, path: given }));
      return { ...search, searched: shown, found: search.found && { ...search.found, path: given } };
    };
  }
  const root = values["kubelet-root"];
  if (root === undefined) return undefined;
  const folder = resolve(cwd, root);
  // The other places are this machine's own.
  const read = async (path: string): Promise<Uint8Array> => {
    if (!path.startsWith(`${folder}/`)) throw Object.assign(new Error(path), { code: "ENOENT" });
    return await readFile(path);
  };
  return async () => {
    const search = await searchNodeFiles({ root: folder, workingDirectory: folder, home: folder }, read);
    return { ...search, searched: search.searched.filter(({ path }) => path.startsWith(`${folder}/`)) };
  };
}

async function readProviders(
  values: ExplainValues,
  { cwd, env }: CommandContext,
  options: {
    readonly track: boolean;
    readonly tokens: TokenRequests | undefined;
    readonly now: () => number;
  },
): Promise<NodeSources["providers"]> {
  const config = values["image-credential-provider-config"];
  const bin = values["image-credential-provider-bin-dir"];
  if (config === undefined && bin === undefined) return undefined;
  if (config === undefined) {
    const message = "Option --image-credential-provider-bin-dir needs --image-credential-provider-config";
    throw new CredentialsError("PROVIDER_INVALID", message);
  }
  const { config: read } = await readProviderConfig(resolve(cwd, config));
  const { tokens, now } = options;
  const base = { tokens: tokens !== undefined, requests: tokens, configs: read.providers };
  // What the configuration alone says needs no programs.
  if (bin === undefined || values["no-network"] === true) {
    return { ...base, registered: undefined, runs: new ProviderRuns(runProgram, () => performance.now()) };
  }
  const runs = new ProviderRuns(runProgram, () => performance.now());
  const { providers: registered } = await registerCredentialProviders({
    config: resolve(cwd, config),
    binDirectory: resolve(cwd, bin),
    systemEnvironment: Object.entries(env).flatMap(([name, value]) =>
      value === undefined ? [] : [`${name}=${value}`],
    ),
    now,
    track: options.track,
    serviceAccounts:
      tokens === undefined ? NO_TOKENS : new CachingServiceAccounts(tokens, { now, random: () => 0 }),
    run: runs.run,
  });
  return { ...base, registered, runs };
}
