/**
 * Bring the Pods' images to this machine, and say how it goes.
 *
 * ```ts
 * import { ImageNode } from "dray/node";
 *
 * await using node = new ImageNode({ folder: "pods", images, onChange: () => show(node.state) });
 * await node.start();
 * ```
 *
 * `images` is the images room's `ImageManager`. Nothing a file says stops the node: faults become
 * `state.problems`, and everything beside them goes on.
 */
export {
  ImageNode,
  type ImageNodeOptions,
  type NodeChange,
  type TagChange,
  type TagChanges,
} from "./image-node.ts";
export {
  type ContainerState,
  type ImagePhase,
  type ImageRole,
  type NodeState,
  type PodState,
} from "./pod-state.ts";
export { type PodEvent } from "./pod-events.ts";
export { START_METRICS } from "./start-metrics.ts";
export { type ImageEnsurer } from "./pod-worker.ts";
