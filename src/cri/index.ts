/**
 * The image service of the CRI, with gRPC over a unix socket, for kubelets and for people with `crictl`.
 *
 * ```ts
 * import { openCriClient, serveCri } from "dray/cri";
 *
 * await using server = await serveCri({ socket: { path: "/run/dray/cri.sock" }, backend, runtime, now: Date.now });
 * using client = openCriClient("/run/dray/cri.sock");
 * const { imageRef } = await client.images.pullImage({ image: { image: "busybox" } });
 * ```
 *
 * ```text
 * kubelet ─► serveCri ─► ImageService ─► ImageBackend ─┬► StoreBackend: a store of ours
 *                   │                                  └► ContainerdBackend: containerd's images
 *                   ├──► RuntimeService: as much as clients ask of an endpoint without containers
 *                   └──► Pulls: how far pulls are
 * ```
 *
 * Answers are containerd's to the letter where a kubelet could tell: ids, names and their order, sizes, codes. Messages
 * of failures are our own.
 */
export { type CriClient, openCriClient } from "./client.ts";
export {
  type EndpointFileSystem,
  EndpointImages,
  type EndpointVersion,
  measureMountpoint,
} from "./endpoint-images.ts";
export { ContainerdBackend, type ContainerdBackendOptions } from "./containerd/containerd-backend.ts";
export { ContainerdPins } from "./containerd-pins.ts";
export { CriError, type CriErrorCode } from "./errors.ts";
export { type FolderUsage, measureFolders } from "./folder-usage.ts";
export {
  type BackendPullOptions,
  type CriImage,
  type FileSystemUsage,
  type ImageBackend,
  type PullingPod,
  type PullRequest,
} from "./image-backend.ts";
export { CRI_METRICS } from "./metrics.ts";
export { type PullAuthOptions, PullAuths } from "./pull-auth.ts";
export { type RuntimeFacts } from "./runtime-calls.ts";
export { type RunningPull, RunningPulls, type RunningPullsOptions } from "./running-pulls.ts";
export { type CriServer, type CriServerOptions, serveCri } from "./serve.ts";
export { type SocketOptions } from "./socket-file.ts";
export { CODE_TRAILER, codeName } from "./status-codes.ts";
export { type NamedContent, StoreBackend, type StoreBackendOptions } from "./store-backend.ts";
