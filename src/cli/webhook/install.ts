/** Brings a webhook into a cluster, or prints what that would take. */
import { formatYaml } from "../../internal/yaml.ts";
import {
  type KubernetesClient,
  type KubernetesObject,
  parseApiVersion,
  type ResourceName,
} from "../../kubernetes/index.ts";
import { CliError } from "../errors.ts";
import type { InstallObjects } from "./install-objects.ts";

/** A document each, in the order they are to be applied. */
export function formatManifests({ server, configurations }: InstallObjects): string {
  return [...server, ...configurations].map((object) => formatYaml(object)).join("---\n");
}

export interface ApplyOptions {
  readonly onApplied: (name: string) => void;
  readonly signal: AbortSignal;
  /** How often to look whether the webhook runs, a second apart; two minutes by default. */
  readonly looks?: number | undefined;
}

/**
 * Applies all, and has the API server ask the webhook only when somebody is there to answer: until then no Pod of
 * another namespace could be made.
 *
 * @throws StatusError for what the API server refuses; CliError `WEBHOOK_UNAVAILABLE`
 */
export async function applyInstall(
  client: KubernetesClient,
  { server, configurations }: InstallObjects,
  options: ApplyOptions,
): Promise<void> {
  for (const object of server) await apply(client, object, options);
  const deployment = server.find(({ kind }) => kind === "Deployment");
  if (deployment !== undefined) await available(client, deployment, options);
  for (const object of configurations) await apply(client, object, options);
}

async function apply(
  client: KubernetesClient,
  object: KubernetesObject,
  { onApplied, signal }: ApplyOptions,
): Promise<void> {
  const { name = "", namespace } = object.metadata;
  const patch = { type: "apply", body: object } as const;
  const resource = client.resource(resourceOf(object));
  await resource.patch(name, patch, { namespace, fieldManager: "dray", force: true, signal });
  onApplied(`${object.kind.toLowerCase()}/${name}`);
}

async function available(
  client: KubernetesClient,
  { metadata: { name = "", namespace = "" }, ...object }: KubernetesObject,
  { signal, looks = 120 }: ApplyOptions,
): Promise<void> {
  const resource = client.resource(resourceOf({ ...object, metadata: {} } as KubernetesObject));
  for (let look = 0; look < looks; look++) {
    if (look > 0) await client.clock.wait(1000, signal);
    const found = await resource.find(name, { namespace, signal });
    const { status, metadata } = (found ?? {}) as {
      readonly status?: { readonly availableReplicas?: number; readonly observedGeneration?: number };
      readonly metadata?: { readonly generation?: number };
    };
    const current = (status?.observedGeneration ?? 0) >= (metadata?.generation ?? 1);
    if (current && (status?.availableReplicas ?? 0) > 0) return;
  }
  throw new CliError(
    "WEBHOOK_UNAVAILABLE",
    `Cannot turn the webhook on: deployment ${JSON.stringify(name)} in namespace ${JSON.stringify(namespace)} has no Pod that is available; see kubectl -n ${namespace} describe pods, then run this again`,
  );
}

const CLUSTER_WIDE = /^(?:Namespace|ClusterRole|ClusterRoleBinding|\w+WebhookConfiguration)$/;

function resourceOf({ apiVersion, kind }: KubernetesObject): ResourceName {
  const { group, version } = parseApiVersion(apiVersion);
  return { group, version, resource: `${kind.toLowerCase()}s`, namespaced: !CLUSTER_WIDE.test(kind) };
}
