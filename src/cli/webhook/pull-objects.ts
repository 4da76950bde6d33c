/** What pulls need of the API: a Pod's Secrets, and what its ServiceAccount adds. */
import type { PullSecret } from "../../credentials/index.ts";
import type { KubernetesClient } from "../../kubernetes/index.ts";
import { pullSecretOf } from "../../node/index.ts";

export interface NamespacedName {
  readonly namespace: string;
  readonly name: string;
}

export interface PullObjects {
  /** Undefined where there is none. */
  secret(of: NamespacedName, options: { readonly signal: AbortSignal }): Promise<PullSecret | undefined>;
  /** The names of its pull secrets; undefined where there is no such account. */
  accountSecrets(
    of: NamespacedName,
    options: { readonly signal: AbortSignal },
  ): Promise<readonly string[] | undefined>;
}

const SECRETS = { group: "", version: "v1", resource: "secrets", namespaced: true } as const;
const ACCOUNTS = { group: "", version: "v1", resource: "serviceaccounts", namespaced: true } as const;

/** Each read is a question to the API server: a Secret that was mended or taken away counts at once. */
export function clusterPullObjects(client: KubernetesClient): PullObjects {
  return {
    async secret({ namespace, name }, { signal }) {
      const found = await client.resource(SECRETS).find(name, { namespace, signal });
      return found && pullSecretOf(found);
    },
    async accountSecrets({ namespace, name }, { signal }) {
      const found = await client.resource(ACCOUNTS).find(name, { namespace, signal });
      if (found === undefined) return undefined;
      const { imagePullSecrets = [] } = found as { readonly imagePullSecrets?: readonly { name?: string }[] };
      return imagePullSecrets.map((reference) => reference.name ?? "");
    },
  };
}

/** Without an API server there are no Secrets. */
export const noPullObjects: PullObjects = {
  secret: () => Promise.resolve(undefined),
  accountSecrets: () => Promise.resolve([]),
};
