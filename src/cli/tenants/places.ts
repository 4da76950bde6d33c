/** Where a tenant's namespaces and its registry are, as far as nobody says so. */
import { join, resolve } from "node:path";

import type { TenantCluster, TenantNamespace } from "../../registry/index.ts";
import type { CommandContext } from "../context.ts";
import { CliError } from "../errors.ts";
import { dataDir } from "../settings.ts";
import { isAlive, type NodeStatus, readStatus } from "../up/status-file.ts";
import type { ClusterValues, FolderValues } from "./options.ts";

type Values = ClusterValues & FolderValues;

/** What the command line says, then what was so before, then the API of `dray up`. `undefined`: it is printed. */
export async function findCluster(
  values: Values,
  tenant: {
    readonly name: string;
    readonly namespaces: readonly TenantNamespace[];
    readonly cluster?: TenantCluster | undefined;
  },
  context: CommandContext,
): Promise<TenantCluster | undefined> {
  if (values.print === true || tenant.namespaces.length === 0) return undefined;
  const given = givenCluster(values, context);
  if (given !== undefined) return given;
  if (tenant.cluster !== undefined) return tenant.cluster;
  const kubeconfig = (await findRunning(values, context))?.api?.kubeconfig;
  if (kubeconfig !== undefined) return { kubeconfig };
  const where = JSON.stringify(dataDir(values, context));
  const how = "add --kubeconfig FILE, start dray up, or add --print and apply what that prints";
  throw new CliError(
    "CLUSTER_UNKNOWN",
    `Cannot reach the namespaces of tenant ${JSON.stringify(tenant.name)}: no cluster is named, and no dray up serves one from ${where}; ${how}`,
  );
}

function givenCluster(
  { kubeconfig, context: name }: ClusterValues,
  { cwd, env, home }: CommandContext,
): TenantCluster | undefined {
  if (kubeconfig === undefined && name === undefined) return undefined;
  const [first] = (env["KUBECONFIG"] ?? "").split(":").filter((path) => path !== "");
  const file = kubeconfig ?? first ?? join(env["HOME"] ?? home, ".kube", "config");
  return { kubeconfig: resolve(cwd, file), ...(name !== undefined && { context: name }) };
}

/** How Pods call the registry that `dray up` serves. */
export async function findRegistry(values: FolderValues, context: CommandContext): Promise<string> {
  const registry = (await findRunning(values, context))?.registry;
  if (registry === undefined || registry === null) {
    const where = JSON.stringify(dataDir(values, context));
    throw new CliError(
      "USAGE",
      `Cannot tell how Pods call the registry: no dray up serves one from ${where}; add --registry HOST[:PORT]`,
    );
  }
  const { address, port } = registry;
  if (LOOPBACK.has(address) || ANY.has(address)) return `localhost:${port}`;
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

const LOOPBACK: ReadonlySet<string> = new Set(["127.0.0.1", "::1", "localhost"]);
const ANY: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);

/** All names of a registry: on one machine people call it now this, now that, and credentials go by the name. */
export function namesOf(registry: string): readonly string[] {
  const [, host = "", port = ""] = /^(.*?)(:[0-9]+)?$/.exec(registry) ?? [];
  if (!LOOPBACK.has(host)) return [registry];
  return [
    registry,
    ...["localhost", "127.0.0.1"].map((name) => name + port).filter((name) => name !== registry),
  ];
}

/** `undefined` unless one runs. */
async function findRunning(values: FolderValues, context: CommandContext): Promise<NodeStatus | undefined> {
  try {
    const status = await readStatus(dataDir(values, context));
    return status.running && isAlive(status.pid) ? status : undefined;
  } catch (error) {
    if (error instanceof CliError && error.code === "STATUS_UNKNOWN") return undefined;
    throw error;
  }
}
