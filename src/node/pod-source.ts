/**
 * Where Pods come from, and what is looked up for them: a folder of manifests, or the Kubernetes API.
 *
 * ```text
 * PodSource ── podSet, podGone, credentialsChanged, problems ──► ImageNode ──► PodSink: statuses, events
 *                                            PullSecretLookup ◄──┘
 * ```
 */
import type { PullSecret } from "../credentials/index.ts";
import type { CredentialsChange } from "../images/index.ts";
import type { JsonObject, Pod } from "../kubernetes/index.ts";
import type { PodStatus, QosClass } from "./status/pod-status.ts";

/** A Pod of this node, as the API has it: admitted, with its defaults filled in. */
export interface NodePod {
  /** `namespace/name`. */
  readonly key: string;
  /** Another one under the same key is another Pod: its back-off and its containers begin afresh. */
  readonly uid: string;
  readonly pod: Pod;
  /** The file it stands in, if it stands in one. */
  readonly file?: string | undefined;
  /** The whole manifest, for those who show it; absent where the Pod is the API's own. */
  readonly manifest?: JsonObject | undefined;
  /** Of its specification, as the API counts them. */
  readonly generation?: number | undefined;
  /** Being deleted: nothing is started for it any more. */
  readonly deleting?: boolean | undefined;
  /** What was last said of it, maybe before this process began. */
  readonly status?: PodStatus | undefined;
  /** Found out from its containers where absent. */
  readonly qosClass?: QosClass | undefined;
}

/** Hears of everything a source knows. */
export interface PodListener {
  /** A Pod that is new, or isn't what it was. */
  podSet(pod: NodePod): void;
  podGone(pod: Pick<NodePod, "key" | "uid">): void;
  /** Something credentials come from isn't what it was. */
  credentialsChanged(change: CredentialsChange): void;
  /** All that is wrong now, a sentence each; replaces what was wrong before. */
  problems(list: readonly string[]): void;
}

export interface PodSource {
  /** Tells of all Pods there are, then of each change. Resolves once those there are have been told. */
  start(listener: PodListener): Promise<void>;
  close(): Promise<void>;
}

/** Finds Secrets as they are now. */
export interface PullSecretLookup {
  /** Rejects where there is none. */
  getSecret(namespace: string, name: string): Promise<PullSecret>;
}
