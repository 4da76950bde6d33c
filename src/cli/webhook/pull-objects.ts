/** What pulls need of the API: a Pod's Secrets, and what its ServiceAccount adds. */
import type { PullSecret } from "../../credentials/index.ts";
import { decodeBase64 } from "../../internal/go/base64.ts";
import type { KubernetesClient, KubernetesObject } from "../../kubernetes/index.ts";

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
      return found && toPullSecret(found, { namespace, name });
    },
    async accountSecrets({ namespace, name }, { signal }) {
      const found = await client.resource(ACCOUNTS).find(name, { namespace, signal });
      if (found === undefined) return undefined;
      const { imagePullSecrets = [] } = found as { readonly imagePullSecrets?: readonly { name?: string }[] };
      return imagePullSecrets.map((reference) => reference.name ?? "");
    },
  };
}

function toPullSecret(object: KubernetesObject, { namespace, name }: NamespacedName): PullSecret {
  const { type = "Opaque", data = {} } = object as {
    readonly type?: string;
    readonly data?: Readonly<Record<string, string>>;
  };
  const decoded = Object.entries(data).map(([key, text]) => [key, decodeBase64(text, { padded: true })]);
  const values = Object.fromEntries(decoded) as Record<string, Uint8Array>;
  return { name, namespace, uid: object.metadata.uid ?? "", type, data: values };
}

/** Without an API server there are no Secrets. */
export const noPullObjects: PullObjects = {
  secret: () => Promise.resolve(undefined),
  accountSecrets: () => Promise.resolve([]),
};
