import { GoError } from "../../internal/go/errors.ts";
import type { Secret } from "../../internal/secret.ts";
import { type BinaryKey, hashToken, serviceAccountKey } from "./cache-key.ts";
import type { TokenAttributes } from "./provider-config.ts";
import type { Coordinates } from "./tracked-credential.ts";

/** The Pod an image is for. All texts are empty when Pods aren't to be told apart. */
export interface PodIdentity {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly serviceAccountName: string;
}

export interface ServiceAccount {
  readonly uid: string;
  readonly annotations: Readonly<Record<string, string>>;
}

/** A TokenRequest, bound to the Pod. */
export interface ServiceAccountTokenRequest {
  readonly namespace: string;
  readonly serviceAccountName: string;
  readonly serviceAccountUID: string;
  readonly audiences: readonly string[];
  readonly pod: { readonly name: string; readonly uid: string };
}

/** The API, as far as tokens go. Both reject with the reason as their message. */
export interface ServiceAccounts {
  get(namespace: string, name: string): Promise<ServiceAccount>;
  requestToken(request: ServiceAccountTokenRequest): Promise<Secret>;
}

const STANDALONE = "cannot get ServiceAccounts when kubelet is in standalone mode";

/** For a node without an API. */
export const standaloneServiceAccounts: ServiceAccounts = {
  get: () => Promise.reject(new GoError(STANDALONE)),
  requestToken: () => Promise.reject(new GoError(STANDALONE)),
};

export interface TokenMode {
  readonly audience: string;
  readonly requireServiceAccount: boolean;
  readonly requiredAnnotationKeys: readonly string[];
  readonly optionalAnnotationKeys: readonly string[];
  readonly cacheType: string;
}

/** Undefined for a provider that gets no tokens. */
export function tokenModeOf(attributes: TokenAttributes | undefined): TokenMode | undefined {
  if (attributes === undefined || attributes.serviceAccountTokenAudience === "") return undefined;
  return {
    audience: attributes.serviceAccountTokenAudience,
    requireServiceAccount: attributes.requireServiceAccount ?? false,
    requiredAnnotationKeys: attributes.requiredServiceAccountAnnotationKeys ?? [],
    optionalAnnotationKeys: attributes.optionalServiceAccountAnnotationKeys ?? [],
    cacheType: attributes.cacheType,
  };
}

/** What a provider is told of a Pod's ServiceAccount. */
export interface ServiceAccountGrant {
  readonly token: Secret;
  readonly tokenHash: string;
  readonly annotations: ReadonlyMap<string, string>;
  readonly coordinates: Coordinates;
  /** Part of the key under which a response is kept. */
  readonly key: BinaryKey;
}

/** A workload that doesn't ask for tokens, since its ServiceAccount lacks an annotation. */
export class AnnotationMissingError extends GoError {
  constructor(annotation: string) {
    super(`required annotation ${annotation} not found`);
  }
}

/** @throws AnnotationMissingError, or GoError in the kubelet's words */
export async function grantServiceAccount(
  mode: TokenMode,
  pod: PodIdentity,
  accounts: ServiceAccounts,
): Promise<ServiceAccountGrant> {
  const { namespace, serviceAccountName } = pod;
  const account = await attempt("failed to get service account", accounts.get(namespace, serviceAccountName));
  const annotations = pickAnnotations(mode, account.annotations);
  const request = {
    namespace,
    serviceAccountName,
    serviceAccountUID: account.uid,
    audiences: [mode.audience],
    pod: { name: pod.name, uid: pod.uid },
  };
  const token = await attempt("failed to get service account token", accounts.requestToken(request));
  const tokenHash = hashToken(token);
  return {
    token,
    tokenHash,
    annotations,
    coordinates: { uid: account.uid, namespace, name: serviceAccountName },
    key: serviceAccountKey({
      namespace,
      serviceAccountName,
      serviceAccountUID: account.uid,
      annotations,
      cacheType: mode.cacheType,
      tokenHash,
    }),
  };
}

function pickAnnotations(
  { requiredAnnotationKeys, optionalAnnotationKeys }: TokenMode,
  annotations: Readonly<Record<string, string>>,
): ReadonlyMap<string, string> {
  const picked = new Map<string, string>();
  for (const [keys, required] of [
    [requiredAnnotationKeys, true],
    [optionalAnnotationKeys, false],
  ] as const) {
    for (const key of keys) {
      const value = Object.hasOwn(annotations, key) ? annotations[key] : undefined;
      if (value !== undefined) picked.set(key, value);
      else if (required) throw new AnnotationMissingError(key);
    }
  }
  return picked;
}

async function attempt<T>(what: string, act: Promise<T>): Promise<T> {
  try {
    return await act;
  } catch (cause) {
    throw new GoError(`${what}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
