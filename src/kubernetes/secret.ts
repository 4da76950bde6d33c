import type { ObjectMetadata } from "./pod.ts";

/** A Secret, decoded. Whoever prints one prints its name. */
export interface SecretObject {
  readonly kind: "Secret";
  readonly metadata: ObjectMetadata;
  /** `Opaque` where the manifest names none. */
  readonly type: string;
  readonly data: Readonly<Record<string, Uint8Array>>;
}

/** A ServiceAccount, as far as images go. */
export interface ServiceAccountObject {
  readonly kind: "ServiceAccount";
  readonly metadata: ObjectMetadata;
  /** Names of Secrets, in order. */
  readonly imagePullSecrets: readonly string[];
}

export interface NamespaceObject {
  readonly kind: "Namespace";
  readonly name: string;
}
