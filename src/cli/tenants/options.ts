/** What the command line says of tenants. */
import { parseSize } from "../../internal/size.ts";
import type { TenantNamespace, TenantQuota } from "../../registry/index.ts";
import { UsageError } from "../errors.ts";
import { FOLDER_OPTIONS, type FolderValues } from "../registry/options.ts";
import { readCount } from "../settings.ts";

export { FOLDER_OPTIONS, type FolderValues };

export const QUOTA_OPTIONS = {
  quota: {
    type: "string",
    value: "SIZE",
    summary: "What all its repositories may hold, as in 50GB, 10GiB; none for no limit",
  },
  tags: { type: "string", value: "NUMBER", summary: "Tags all its repositories may have; none for no limit" },
} as const;

export interface QuotaValues {
  readonly quota?: string;
  readonly tags?: string;
}

export const NAMESPACE_OPTIONS = {
  namespace: {
    type: "string",
    short: "n",
    value: "NAME",
    multiple: true,
    summary: "A namespace where it works: Pods pull, and builds find a login to push with",
  },
  "pull-only-namespace": {
    type: "string",
    value: "NAME",
    multiple: true,
    summary: "A namespace where its images only run: Pods pull",
  },
  "create-namespaces": { type: "boolean", summary: "Make those that are missing" },
} as const;

export interface NamespaceValues {
  readonly namespace?: readonly string[];
  readonly "pull-only-namespace"?: readonly string[];
  readonly "create-namespaces"?: boolean;
}

export const CLUSTER_OPTIONS = {
  kubeconfig: {
    type: "string",
    value: "FILE",
    summary: "Reach the cluster as this file says; by default the API of dray up on the same data directory",
  },
  context: { type: "string", value: "NAME", summary: "Which context of the kubeconfig" },
  print: { type: "boolean", summary: "Print what would be applied, and touch no cluster" },
} as const;

export interface ClusterValues {
  readonly kubeconfig?: string;
  readonly context?: string;
  readonly print?: boolean;
}

export const CHECK_OPTIONS = {
  registry: {
    type: "string",
    value: "HOST[:PORT]",
    summary: "How Pods call the registry; by default that of dray up on the same data directory",
  },
  "plain-http": { type: "boolean", summary: "Speak http to a registry that has no configuration of its own" },
  insecure: { type: "boolean", summary: "Accept any certificate of the registry" },
  "tls-ca": {
    type: "string",
    value: "FILE",
    summary: "Trust the certificates in this PEM file for the registry, too",
  },
  "hosts-dir": {
    type: "string",
    value: "DIR",
    multiple: true,
    summary: "Read hosts.toml from this folder, as containerd does from certs.d",
  },
} as const;

/** `undefined` for what the command line doesn't speak of. */
export function readQuota(values: QuotaValues): TenantQuota {
  const { quota, tags } = values;
  return {
    ...(quota !== undefined && { maxBytes: quota === "none" ? undefined : readSize(quota) }),
    ...(tags !== undefined && { maxTags: tags === "none" ? undefined : readCount(tags, "--tags") }),
  };
}

function readSize(text: string): number {
  const bytes = parseSize(text);
  if (bytes !== undefined) return bytes;
  throw new UsageError(
    `Option --quota does not take ${JSON.stringify(text)}: write 50GB, 10GiB, 1.5TB or none`,
  );
}

/** Each namespace once; one that is named both ways pushes. */
export function readNamespaces(values: NamespaceValues): readonly TenantNamespace[] {
  const pushing = values.namespace ?? [];
  const names = new Set([...pushing, ...(values["pull-only-namespace"] ?? [])]);
  for (const name of names) {
    if (/^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) continue;
    throw new UsageError(
      `There can be no namespace ${JSON.stringify(name)}: names are of a-z, 0-9 and "-" between them`,
    );
  }
  return [...names].map((name) => ({ name, pushes: pushing.includes(name) }));
}

/** @throws UsageError for what can't be in the name of an image */
export function readRegistry(text: string): string {
  if (/^(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?$/.test(text))
    return text;
  const how = "write HOST or HOST:PORT, as images are called, without https:// and path";
  throw new UsageError(`Option --registry does not take ${JSON.stringify(text)}: ${how}`);
}
