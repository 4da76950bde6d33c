/** Tells the API server whom to trust: writes the authority into the configurations of the webhook itself. */
import type { JsonObject, KubernetesClient } from "../../kubernetes/index.ts";

const GROUP = { group: "admissionregistration.k8s.io", version: "v1", namespaced: false } as const;
const RESOURCES = ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"] as const;

export interface CaBundleOptions {
  /** The configurations' name. */
  readonly name: string;
  /** PEM. */
  readonly bundle: string;
  readonly signal?: AbortSignal | undefined;
}

/** Those that call a Service get the bundle where they have another; resolves with how many there were. */
export async function writeCaBundle(client: KubernetesClient, options: CaBundleOptions): Promise<number> {
  const { name, signal } = options;
  const caBundle = Buffer.from(options.bundle).toString("base64");
  let found = 0;
  for (const resource of RESOURCES) {
    const configurations = client.resource({ ...GROUP, resource });
    const configuration = await configurations.find(name, { signal });
    if (configuration === undefined) continue;
    found++;
    const { webhooks = [] } = configuration as { readonly webhooks?: readonly Webhook[] };
    const body = webhooks.flatMap((webhook, index) => patchOf(webhook, index, caBundle));
    if (body.length === 0) continue;
    await configurations.patch(name, { type: "json", body }, { fieldManager: "dray-webhook", signal });
  }
  return found;
}

interface Webhook {
  readonly name: string;
  readonly clientConfig: { readonly caBundle?: string; readonly service?: JsonObject };
}

/** The name is tested along: somebody may have put another webhook in this place meanwhile. */
function patchOf({ name, clientConfig }: Webhook, index: number, caBundle: string): readonly JsonObject[] {
  if (clientConfig.service === undefined || clientConfig.caBundle === caBundle) return [];
  return [
    { op: "test", path: `/webhooks/${index}/name`, value: name },
    { op: "add", path: `/webhooks/${index}/clientConfig/caBundle`, value: caBundle },
  ];
}
