/** The part of a Pod that says which images it needs. Everything else in a manifest is left unread. */

export type PullPolicy = "Always" | "IfNotPresent" | "Never";

export const PULL_POLICIES: readonly PullPolicy[] = ["Always", "IfNotPresent", "Never"];

export type RestartPolicy = "Always" | "OnFailure" | "Never";

export const RESTART_POLICIES: readonly RestartPolicy[] = ["Always", "OnFailure", "Never"];

export interface ObjectMetadata {
  readonly name: string;
  /** `default` where the manifest names none. */
  readonly namespace: string;
  readonly uid?: string;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface Container {
  readonly name: string;
  /** As written; never normalised. */
  readonly image: string;
  /** As the API server would have filled it in. */
  readonly imagePullPolicy: PullPolicy;
  /** Names of the volumes it mounts; absent where there are none. */
  readonly volumeMounts?: readonly string[];
  /** Of its own; `Always` makes an init container a sidecar. */
  readonly restartPolicy?: RestartPolicy;
  /** As written; absent where there are none. */
  readonly resources?: ContainerResources;
}

/** Quantities by resource, such as `cpu: 500m`. */
export interface ContainerResources {
  readonly limits: Readonly<Record<string, string>>;
  readonly requests: Readonly<Record<string, string>>;
}

/** A volume whose content is an image. */
export interface ImageVolume {
  readonly name: string;
  readonly reference: string;
  readonly pullPolicy: PullPolicy;
}

export interface Pod {
  readonly kind: "Pod";
  readonly metadata: ObjectMetadata;
  readonly spec: {
    readonly initContainers: readonly Container[];
    readonly containers: readonly Container[];
    readonly ephemeralContainers: readonly Container[];
    readonly imageVolumes: readonly ImageVolume[];
    readonly imagePullSecrets: readonly string[];
    readonly serviceAccountName?: string;
    /** As written, or that of the class Kubernetes itself brings along. */
    readonly priority?: number;
    /** `Always` where absent. */
    readonly restartPolicy?: RestartPolicy;
  };
}

/** An object that nothing here is made of, such as a Deployment; `images` are those of its Pod template. */
export interface OtherObject {
  readonly kind: string;
  readonly apiVersion: string;
  readonly name: string;
  readonly namespace: string;
  readonly images: readonly string[];
}
