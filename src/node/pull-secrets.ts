import { createHash } from "node:crypto";

import type { PullSecret } from "../credentials/index.ts";
import { GoError } from "../internal/go/errors.ts";
import { decodeJson, goCustom, goMap } from "../internal/go/json-decode.ts";
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

/** The key that must hold a JSON object, by type. */
const DOCUMENTS: Readonly<Record<string, string>> = {
  "kubernetes.io/dockercfg": ".dockercfg",
  "kubernetes.io/dockerconfigjson": ".dockerconfigjson",
};

const Anything = goCustom("interface {}", undefined, () => undefined);
const AnyObject = goMap("map[string]interface {}", Anything);

/**
 * Why the API wouldn't keep a pull Secret, in its words; nothing of its content is quoted. What only the kubelet
 * stumbles over, below the document's top, is no fault.
 */
export function findSecretFault({ type, data }: SecretObject): string | undefined {
  const key = Object.hasOwn(DOCUMENTS, type) ? (DOCUMENTS[type] ?? "") : undefined;
  if (key === undefined) return undefined;
  const bytes = Object.hasOwn(data, key) ? data[key] : undefined;
  if (bytes === undefined) return `data[${key}]: Required value`;
  try {
    decodeJson(bytes, AnyObject);
    return undefined;
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    return `data[${key}]: Invalid value: "<secret contents redacted>": ${error.message}`;
  }
}

/** What the API would have given an object of a file for good: it stays the same however its content changes. */
export function uidOf(...words: readonly string[]): string {
  return createHash("sha256").update(words.join("\0")).digest("hex").slice(0, 32);
}
