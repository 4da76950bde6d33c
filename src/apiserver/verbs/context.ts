/** What every verb works with: the server's parts, and one request once it is understood. */
import type { AdmissionPlugin } from "../../admission/index.ts";
import type { ApiResource, ServiceAccountKey } from "../../kubernetes/index.ts";
import type { ApiUser } from "../auth/user.ts";
import type { ApiClock } from "../clock.ts";
import type { ApiRules, FieldValidation } from "../rules.ts";
import type { ApiStorage } from "../storage/storage.ts";

export interface ApiContext {
  readonly storage: ApiStorage;
  readonly rules: ApiRules;
  readonly plugins: readonly AdmissionPlugin[];
  readonly clock: ApiClock;
  /** From 0 up to, but without, 1. */
  readonly random: () => number;
  readonly newUid: () => string;
  readonly serviceAccountKey: ServiceAccountKey;
  /** After a Namespace was created: what every one of them begins with. */
  readonly furnishNamespace: (name: string) => Promise<void>;
}

/** One request to a resource. */
export interface ApiCall {
  readonly resource: ApiResource;
  /** Empty for what belongs to the cluster, and for all namespaces. */
  readonly namespace: string;
  /** Empty where the request is about the collection. */
  readonly name: string;
  /** Empty for the object itself. */
  readonly subresource: string;
  readonly user: ApiUser;
  readonly query: URLSearchParams;
  /** Read from the query, and checked. */
  readonly dryRun: boolean;
  readonly fieldValidation: FieldValidation;
  /** `fieldManager`, or the first word of the client's name. */
  readonly manager: string;
  /** Goes out in the answer's headers. */
  readonly warnings: Set<string>;
  readonly signal: AbortSignal;
}

export interface CallBody {
  readonly bytes: Uint8Array;
  /** Empty where the client said none. */
  readonly contentType: string;
}
