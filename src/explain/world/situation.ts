/** What an explanation is given: objects, nodes, and what is known of them. All of it may be partial. */
import type { AdmissionPlugin } from "../../admission/index.ts";
import type { HostResolver, HttpSend } from "../../client/index.ts";
import type { PullSecret } from "../../credentials/index.ts";
import type { PullRecords, RuntimeImage, VerificationPolicy } from "../../images/index.ts";
import type { JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import type { Platform } from "../../oci/index.ts";
import type { NodeSources } from "../replay/node-sources.ts";

/** Something looked for: there, not there, or out of sight. */
export type Seen<T> =
  | { readonly state: "found"; readonly value: T }
  | { readonly state: "missing" }
  | { readonly state: "unseen"; readonly why: string };

/** One may be given and missing all the same: the API server wouldn't take it. */
export type SeenSecret =
  | Seen<PullSecret>
  | { readonly state: "refused"; readonly value: PullSecret; readonly why: string };

export interface ObjectName {
  readonly namespace: string;
  readonly name: string;
}

export interface LookOptions {
  readonly signal?: AbortSignal | undefined;
}

/** The objects around a Pod. */
export interface Surroundings {
  secret(of: ObjectName, options: LookOptions): Promise<SeenSecret>;
  account(of: ObjectName, options: LookOptions): Promise<Seen<KubernetesObject>>;
  /** Other Secrets that might have been meant: those of the namespace, and any of these names elsewhere. */
  otherSecrets(
    namespace: string,
    options: LookOptions & { readonly missing: readonly string[] },
  ): Promise<readonly PullSecret[]>;
  /** About one Pod, in any order. */
  events(pod: KubernetesObject, options: LookOptions): Promise<Seen<readonly JsonObject[]>>;
  /** The object that keeps the template a stored Pod was made from. */
  ownerOf(
    pod: KubernetesObject,
    options: LookOptions,
  ): Promise<{ readonly object: KubernetesObject } | undefined>;
}

/** A Pod, or something Pods are made of. */
export interface Workload {
  readonly object: KubernetesObject;
  readonly file?: string | undefined;
  readonly line?: number | undefined;
}

export interface NodeSituation {
  readonly name?: string | undefined;
  readonly platform: Platform;
  /** As the API has it. */
  readonly object?: KubernetesObject | undefined;
  /** Undefined where nobody knows what the node has. */
  readonly images?: NodeImages | undefined;
  /** Who pulled what with which credentials; without them, what is here is everybody's. */
  readonly records?: { readonly shelves: PullRecords; readonly policy: VerificationPolicy } | undefined;
}

export interface NodeImages {
  /** Where this is known from, for people. */
  readonly source: string;
  find(image: string, options: LookOptions): Promise<Seen<RuntimeImage>>;
  /** Whether one content is there already; undefined where that isn't known. */
  has?(digest: string): Promise<boolean>;
}

export interface Situation {
  readonly workloads: readonly Workload[];
  readonly nodes: readonly NodeSituation[];
  /** Each Pod on each node; otherwise on its own one, or on the first. */
  readonly everyNode?: boolean | undefined;
  readonly surroundings: Surroundings;
  /** The node's own credentials. */
  readonly sources: NodeSources;
  /** After the standard ones. */
  readonly admission: readonly AdmissionPlugin[];
  /** A resolver that tells `log` what it left out. */
  readonly hosts: (log: (message: string) => void) => HostResolver;
  /** Undefined: nobody is asked. */
  readonly send: HttpSend | undefined;
  readonly problems: readonly string[];
  /** What nobody let us see, besides what is found out on the way. */
  readonly unseen?: readonly string[] | undefined;
  /** The gate KubeletEnsureSecretPulledImages; on by default. */
  readonly ensureSecretPulled?: boolean | undefined;
  /** Bytes a second, for estimates. */
  readonly rate: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly userAgent?: string | undefined;
}
