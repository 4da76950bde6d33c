import { createHash } from "node:crypto";

import type { PullSecret } from "../credentials/index.ts";
import type { Pod, SecretObject, ServiceAccountObject } from "../kubernetes/index.ts";

/** ServiceAccounts by `namespace/name`. */
export type AccountsByKey = ReadonlyMap<string, ServiceAccountObject>;

export interface Admitted {
  readonly pod: Pod;
  /** The ServiceAccount it names and that isn't there; the API would refuse the Pod. */
  readonly missingAccount: string | undefined;
}

/**
 * The Pod as the API would have stored it: under the ServiceAccount `default` where it names none, and with the
 * account's pull secrets where it has none of its own. Lists are never merged.
 */
export function admitPod(pod: Pod, accounts: AccountsByKey): Admitted {
  const { namespace } = pod.metadata;
  const serviceAccountName = pod.spec.serviceAccountName ?? "default";
  const account = accounts.get(`${namespace}/${serviceAccountName}`);
  const own = pod.spec.imagePullSecrets;
  const imagePullSecrets = own.length > 0 ? own : (account?.imagePullSecrets ?? []);
  // Every namespace has a ServiceAccount `default`, written down or not.
  const missing = account === undefined && serviceAccountName !== "default";
  return {
    pod: { ...pod, spec: { ...pod.spec, serviceAccountName, imagePullSecrets } },
    missingAccount: missing ? serviceAccountName : undefined,
  };
}

/** A Secret as pulls use it. Its uid stays the same however its content changes, as that of an object of the API. */
export function toPullSecret({ metadata, type, data }: SecretObject): PullSecret {
  const { namespace, name } = metadata;
  return { name, namespace, uid: metadata.uid ?? uidOf("Secret", namespace, name), type, data };
}

/** What the API would have given an object of a file for good: it stays the same however its content changes. */
export function uidOf(...words: readonly string[]): string {
  return createHash("sha256").update(words.join("\0")).digest("hex").slice(0, 32);
}
