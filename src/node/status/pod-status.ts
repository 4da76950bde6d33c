/** A Pod's status as the Kubernetes API has it, as far as a node writes it. Times are RFC 3339, whole seconds. */

import type { QosClass } from "../../kubernetes/index.ts";

export type { QosClass } from "../../kubernetes/index.ts";

export type PodPhase = "Pending" | "Running" | "Succeeded" | "Failed";

export interface PodCondition {
  readonly type: "PodReadyToStartContainers" | "Initialized" | "Ready" | "ContainersReady" | "PodScheduled";
  /** The specification it is about, where the API counts them. */
  readonly observedGeneration?: number;
  readonly status: "True" | "False";
  readonly lastProbeTime: null;
  readonly lastTransitionTime: string;
  readonly reason?: string;
  readonly message?: string;
}

export interface ContainerStateStatus {
  readonly waiting?:
    | { readonly reason?: string | undefined; readonly message?: string | undefined }
    | undefined;
  readonly running?: { readonly startedAt?: string | undefined } | undefined;
  readonly terminated?:
    | {
        readonly exitCode: number;
        readonly reason?: string | undefined;
        readonly message?: string | undefined;
        readonly startedAt?: string | undefined;
        readonly finishedAt?: string | undefined;
        readonly containerID?: string | undefined;
      }
    | undefined;
}

export interface ContainerStatus {
  readonly name: string;
  readonly state: ContainerStateStatus;
  readonly lastState: ContainerStateStatus;
  readonly ready: boolean;
  readonly restartCount: number;
  readonly image: string;
  /** Empty until an image is here. */
  readonly imageID: string;
  readonly containerID?: string;
  /** Absent for ephemeral containers. */
  readonly started?: boolean;
}

export interface PodStatus {
  readonly observedGeneration?: number;
  readonly phase: PodPhase;
  readonly conditions: readonly PodCondition[];
  readonly hostIP?: string;
  readonly hostIPs?: readonly { readonly ip: string }[];
  readonly podIP?: string;
  readonly podIPs?: readonly { readonly ip: string }[];
  readonly startTime: string;
  readonly initContainerStatuses?: readonly ContainerStatus[];
  readonly containerStatuses: readonly ContainerStatus[];
  readonly ephemeralContainerStatuses?: readonly ContainerStatus[];
  readonly qosClass: QosClass;
}
