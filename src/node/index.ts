/**
 * Bring the Pods' images to this machine, and say how it goes, as a kubelet does.
 *
 * ```ts
 * import { FolderSource, ImageNode } from "dray/node";
 *
 * const pods = new FolderSource({ folder: "pods" });
 * await using node = new ImageNode({ pods, secrets: pods, images, onChange: () => show(node.state) });
 * await node.start();
 * ```
 *
 * `images` is the images room's `ImageManager`. Pods come from a {@link PodSource}, Secrets from a
 * {@link PullSecretLookup}: a folder is both. What there is to say goes to a {@link NodeSink}: each Pod's status as the
 * API has it, and events. Containers are run by a {@link ContainerRuntime}, or by nobody: then one whose image is here
 * counts as running.
 *
 * ```text
 * Pod comes ─► status ─► look ─► rest ─► look ─► … ─► Pod goes      rest: 10 to 15 s after a failure, else until woken
 * ```
 *
 * Nothing a file says stops the node: faults become `state.problems`, and everything beside them goes on.
 */
export { pullSecretOf } from "./api/api-secret.ts";
export { ApiSink, type ApiSinkOptions, type ShownAs, type ShownPod } from "./api/api-sink.ts";
export { ApiSource, type ApiSourceOptions } from "./api/api-source.ts";
export { ApiTokenIssuer } from "./api/api-token-issuer.ts";
export {
  makeMirror,
  mirrorName,
  MirrorPods,
  type MirrorPodsOptions,
  mirrorSource,
} from "./api/mirror-pods.ts";
export { type NodeFacts, NodeRegistration, type NodeRegistrationOptions } from "./api/node-registration.ts";
export { PodSources, SecretLookups } from "./api/pod-sources.ts";
export { type ApiEvent, toApiEvent } from "./api-event.ts";
export {
  type ContainerKind,
  type ContainerRuntime,
  type PodContainer,
  type StartContainer,
} from "./container-runtime.ts";
export {
  type CorrelatedEvent,
  EventCorrelator,
  type EventObject,
  type EventText,
} from "./event-correlator.ts";
export { FolderSource, type FolderSourceOptions } from "./folder-source.ts";
export {
  ImageNode,
  type ImageNodeOptions,
  type NodeChange,
  type TagChange,
  type TagChanges,
} from "./image-node.ts";
export { NoContainers } from "./no-containers.ts";
export { type NodeSink } from "./node-sink.ts";
export { kubeletPace, type Pace, type Rest } from "./pace.ts";
export { type PodEvent } from "./pod-events.ts";
export { type NodePod, type PodListener, type PodSource, type PullSecretLookup } from "./pod-source.ts";
export {
  type ContainerState,
  type ImagePhase,
  type ImageRole,
  type NodeState,
  type PodState,
} from "./pod-state.ts";
export { type ImageEnsurer } from "./pod-worker.ts";
export { START_METRICS } from "./start-metrics.ts";
export { formatTime } from "./status/make-pod-status.ts";
export {
  type ContainerStateStatus,
  type ContainerStatus,
  type PodCondition,
  type PodPhase,
  type PodStatus,
  type QosClass,
} from "./status/pod-status.ts";
