/**
 * How to reach an API server, as kubectl's own files tell it.
 *
 * ```text
 * KUBECONFIG=a:b:c   read in this order; of two entries with one name, and of two current-contexts, the first counts;
 *                    files that aren't there don't count
 * ~/.kube/config     without KUBECONFIG
 * context ─▶ cluster (where, whom to trust) + user (who we are) + namespace
 * ```
 */
import { readFile } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { Secret } from "../../internal/secret.ts";
import { type ApiCredentialSource, fixedCredential, type Impersonation } from "./authenticate.ts";
import { type Clock, systemClock } from "./clock.ts";
import { type ClusterConfig, type ClusterInfo } from "./cluster-config.ts";
import { KubernetesClientError } from "./errors.ts";
import { ExecCredentials, readExecSettings, type RunExecPlugin } from "./exec-credentials.ts";
import { fileCredential } from "./file-credential.ts";
import {
  type ConfigEntry,
  isRecord,
  type KubeconfigDocument,
  parseKubeconfig,
  type Section,
  SECTIONS,
} from "./kubeconfig-document.ts";

export interface KubeconfigOptions {
  /** KUBECONFIG, HOME or USERPROFILE, and what exec plugins inherit. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** This file alone; it must be there. */
  readonly file?: string | undefined;
  /** In place of the current one. */
  readonly context?: string | undefined;
  /** In place of the context's own. */
  readonly cluster?: string | undefined;
  readonly user?: string | undefined;
  readonly namespace?: string | undefined;
  readonly clock?: Clock | undefined;
  /** The proxy for servers whose entry names none, as the environment has it; none by default. */
  readonly selectProxy?: ((server: URL) => URL | undefined) | undefined;
  /** Runs exec plugins; as programs by default. */
  readonly runPlugin?: RunExecPlugin | undefined;
}

interface Merged {
  /** The files that were read, for messages. */
  readonly files: readonly string[];
  readonly currentContext: string | undefined;
  find(section: Section, name: string): ConfigEntry | undefined;
}

/** @throws KubernetesClientError `CONFIG_UNREADABLE`, `CONFIG_INVALID`, saying which file and which entry */
export async function loadKubeconfig(options: KubeconfigOptions): Promise<ClusterConfig> {
  const config = await readFiles(options);
  const contextName = options.context ?? config.currentContext;
  if (contextName === undefined && options.cluster === undefined) {
    throw fault(config, "no context is current; choose one with kubectl config use-context");
  }
  const context = contextName === undefined ? undefined : must(config, "contexts", contextName);
  const clusterName = options.cluster ?? context?.text("cluster");
  if (clusterName === undefined)
    throw context?.fault("names no cluster") ?? fault(config, "no cluster is named");
  const cluster = must(config, "clusters", clusterName, context);
  const info = await readCluster(cluster, options);
  const userName = options.user ?? context?.text("user");
  const user = userName === undefined ? undefined : must(config, "users", userName, context);
  return {
    ...info,
    namespace: options.namespace ?? context?.text("namespace") ?? "default",
    credentials: user === undefined ? fixedCredential({}) : await readUser(user, info, options),
    ...(user !== undefined && { impersonate: readImpersonation(user) }),
  };
}

async function readFiles(options: KubeconfigOptions): Promise<Merged> {
  const explicit = options.file !== undefined;
  const paths = explicit ? [options.file] : listPaths(options.env);
  const documents: (KubeconfigDocument & { readonly path: string })[] = [];
  for (const path of paths) {
    const text = await readConfigFile(path, { missing: explicit ? "refuse" : "skip" });
    if (text !== undefined) documents.push({ path, ...parseKubeconfig(text, path) });
  }
  if (documents.length === 0) {
    const where = paths.length === 0 ? "neither KUBECONFIG nor HOME is set" : `no such file`;
    const message = `Cannot read kubeconfig "${paths.join(delimiter)}": ${where}`;
    throw new KubernetesClientError("CONFIG_UNREADABLE", message);
  }
  return {
    files: documents.map(({ path }) => path),
    currentContext: documents.find(({ currentContext }) => currentContext !== undefined)?.currentContext,
    find: (section, name) =>
      documents.map(({ entries }) => entries[section].get(name)).find((entry) => entry !== undefined),
  };
}

function listPaths(env: KubeconfigOptions["env"]): readonly string[] {
  const listed = (env["KUBECONFIG"] ?? "").split(delimiter).filter((path) => path !== "");
  if (listed.length > 0) return [...new Set(listed)];
  const home = env["HOME"] || env["USERPROFILE"];
  return home ? [join(home, ".kube", "config")] : [];
}

async function readConfigFile(
  path: string,
  options: { readonly missing: "refuse" | "skip" },
): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "";
    if (code === "ENOENT" && options.missing === "skip") return undefined;
    const state = code === "ENOENT" ? "no such file" : `not readable (${code})`;
    throw new KubernetesClientError("CONFIG_UNREADABLE", `Cannot read kubeconfig "${path}": ${state}`, {
      cause,
    });
  }
}

function must(config: Merged, section: Section, name: string, from?: ConfigEntry): ConfigEntry {
  const entry = config.find(section, name);
  if (entry !== undefined) return entry;
  const word = SECTIONS[section];
  throw (
    from?.fault(`names ${word} "${name}", which is not there`) ??
    fault(config, `there is no ${word} "${name}"`)
  );
}

function fault(config: Merged, state: string): KubernetesClientError {
  const files = config.files.join(delimiter);
  return new KubernetesClientError("CONFIG_INVALID", `Cannot use kubeconfig "${files}": ${state}`);
}

async function readCluster(cluster: ConfigEntry, options: KubeconfigOptions): Promise<ClusterInfo> {
  const server = cluster.text("server") ?? "http://localhost:8080";
  if (!URL.canParse(server) || !/^https?:$/v.test(new URL(server).protocol)) {
    throw cluster.fault(`has server "${server}", which is no http or https URL`);
  }
  const certificateAuthority =
    cluster.data("certificate-authority-data") ?? (await readEntryFile(cluster, "certificate-authority"));
  const insecure = cluster.flag("insecure-skip-tls-verify");
  if (insecure && certificateAuthority !== undefined) {
    throw cluster.fault("has both a certificate authority and insecure-skip-tls-verify");
  }
  const proxy = cluster.text("proxy-url") ?? options.selectProxy?.(new URL(server))?.href;
  if (proxy !== undefined && !/^https?:\/\/[^\/]/v.test(proxy)) {
    throw cluster.fault(`has proxy-url "${proxy}", and only http and https proxies can be used`);
  }
  const extension = execExtension(cluster.raw("extensions"));
  return {
    server,
    ...(certificateAuthority !== undefined && { certificateAuthority }),
    ...(cluster.has("tls-server-name") && { serverName: cluster.text("tls-server-name") }),
    ...(insecure && { insecure }),
    ...(proxy !== undefined && { proxy }),
    ...(extension !== undefined && { execConfig: extension }),
  };
}

/** What a cluster has to say to exec plugins. */
function execExtension(list: unknown): unknown {
  if (!Array.isArray(list)) return undefined;
  const found = (list as unknown[]).find(
    (one) => isRecord(one) && one["name"] === "client.authentication.k8s.io/exec",
  );
  return isRecord(found) ? found["extension"] : undefined;
}

async function readUser(
  user: ConfigEntry,
  cluster: ClusterInfo,
  options: KubeconfigOptions,
): Promise<ApiCredentialSource> {
  const clock = options.clock ?? systemClock;
  if (user.has("auth-provider")) {
    throw user.fault("has an auth-provider, which Kubernetes has given up; use exec in its place");
  }
  const exec = user.entry("exec");
  if (exec !== undefined) {
    const settings = readExecSettings(exec);
    const { env, runPlugin } = options;
    return new ExecCredentials(settings, { cluster, clock, env, ...(runPlugin && { run: runPlugin }) });
  }
  const certificateData = user.data("client-certificate-data");
  const keyData = user.data("client-key-data");
  const certificate = certificateData !== undefined || user.has("client-certificate");
  if (certificate !== (keyData !== undefined || user.has("client-key"))) {
    throw user.fault(
      certificate ? "has a client certificate without its key" : "has a client key without its certificate",
    );
  }
  const password = user.text("password");
  const username = user.text("username");
  const token = user.text("token");
  if (!user.has("tokenFile") && (!certificate || (certificateData !== undefined && keyData !== undefined))) {
    return fixedCredential({
      ...(certificateData !== undefined &&
        keyData !== undefined && { certificate: { certificate: certificateData, key: new Secret(keyData) } }),
      ...(token !== undefined && { token: new Secret(token) }),
      ...(username !== undefined && { basic: { username, password: new Secret(password ?? "") } }),
    });
  }
  const files = fileCredential({
    what: `kubeconfig "${user.file}": ${user.what}`,
    clock,
    // With both, the file counts: what it holds may be newer.
    tokenFile: user.path("tokenFile"),
    token: token === undefined ? undefined : new Secret(token),
    basic: username === undefined ? undefined : { username, password: new Secret(password ?? "") },
    certificateFile: certificateData === undefined ? user.path("client-certificate") : undefined,
    certificate: certificateData,
    keyFile: keyData === undefined ? user.path("client-key") : undefined,
    key: keyData === undefined ? undefined : new Secret(keyData),
  });
  // What is missing is told now, not at the first request.
  await files.get();
  return files;
}

function readImpersonation(user: ConfigEntry): Impersonation | undefined {
  const name = user.text("as");
  const others = ["as-uid", "as-groups", "as-user-extra"].filter((one) => user.has(one));
  if (name === undefined) {
    if (others.length > 0) throw user.fault(`has ${others[0]} without as`);
    return undefined;
  }
  const extra = user.raw("as-user-extra");
  const lists = isRecord(extra) ? Object.keys(extra) : [];
  const entry = user.entry("as-user-extra");
  return {
    user: name,
    uid: user.text("as-uid"),
    groups: user.texts("as-groups"),
    extra: Object.fromEntries(lists.map((key) => [key, entry?.texts(key) ?? []])),
  };
}

async function readEntryFile(entry: ConfigEntry, name: string): Promise<string | undefined> {
  const path = entry.path(name);
  if (path === undefined) return undefined;
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const { code = "" } = cause as NodeJS.ErrnoException;
    throw entry.fault(`has ${name} "${path}", which can't be read (${code})`, cause);
  }
}
