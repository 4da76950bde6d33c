import { readFile } from "node:fs/promises";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import { type Clock, systemClock } from "./clock.ts";
import type { ClusterConfig } from "./cluster-config.ts";
import { KubernetesClientError } from "./errors.ts";
import { fileCredential } from "./file-credential.ts";

export interface InClusterOptions {
  /** KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where the kubelet puts a Pod's ServiceAccount: `/var/run/secrets/kubernetes.io/serviceaccount` by default. */
  readonly folder?: string | undefined;
  readonly clock?: Clock | undefined;
  /** The proxy on the way to the server, as the environment has it; none by default. */
  readonly selectProxy?: ((server: URL) => URL | undefined) | undefined;
}

const FOLDER = "/var/run/secrets/kubernetes.io/serviceaccount";

/** Whether this process runs in a Pod. */
export function isInCluster(options: InClusterOptions): boolean {
  return Boolean(options.env["KUBERNETES_SERVICE_HOST"]) && Boolean(options.env["KUBERNETES_SERVICE_PORT"]);
}

/** As a Pod's own ServiceAccount. @throws KubernetesClientError saying what a Pod would have */
export async function loadInCluster(options: InClusterOptions): Promise<ClusterConfig> {
  const { env, folder = FOLDER, clock = systemClock } = options;
  const host = env["KUBERNETES_SERVICE_HOST"] ?? "";
  const port = env["KUBERNETES_SERVICE_PORT"] ?? "";
  if (host === "" || port === "") {
    const text =
      "Cannot use the Pod's own configuration: KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set";
    throw new KubernetesClientError("CONFIG_INVALID", text);
  }
  const credentials = fileCredential({
    what: "the Pod's own configuration: it",
    clock,
    tokenFile: join(folder, "token"),
  });
  await credentials.get();
  const namespace = (await readOwn(join(folder, "namespace")).catch(() => "default")).trim();
  const server = `https://${isIPv6(host) ? `[${host}]` : host}:${port}`;
  const proxy = options.selectProxy?.(new URL(server))?.href;
  return {
    server,
    ...(proxy !== undefined && { proxy }),
    certificateAuthority: await readOwn(join(folder, "ca.crt")),
    namespace: namespace === "" ? "default" : namespace,
    credentials,
  };
}

async function readOwn(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const { code = "" } = cause as NodeJS.ErrnoException;
    const text = `Cannot use the Pod's own configuration: "${path}" can't be read (${code})`;
    throw new KubernetesClientError("CONFIG_UNREADABLE", text, { cause });
  }
}
