/** Who runs containers. Bringing their images here is a node's own work; this is what comes after. */
import type { RuntimeContainer } from "../images/index.ts";
import type { Container } from "../kubernetes/index.ts";
import type { PodEventText } from "./pod-events.ts";
import type { NodePod } from "./pod-source.ts";

export type ContainerKind = "init" | "container" | "ephemeral";

/** One run of a container. */
export interface PodContainer extends RuntimeContainer {
  /** The image of the Pod it was started for. */
  readonly image: string;
  /** What a status calls that image: a name that leads to it, or its id. */
  readonly imageName: string;
  /** A name with a digest where it has one, or else its id. */
  readonly imageID: string;
  /** Runs before this one. */
  readonly restartCount: number;
}

export interface StartContainer {
  readonly pod: NodePod;
  readonly kind: ContainerKind;
  readonly container: Container;
  /** The image's id, as ensuring it gave it. */
  readonly imageRef: string;
  /** What the name points at, where known. */
  readonly digest: string | undefined;
  /** Told what becomes of it, about this container. */
  readonly tell: (text: Omit<PodEventText, "fieldPath">) => void;
}

export interface ContainerRuntime {
  /** Whether the Pod has what its containers are to share. */
  hasSandbox(podUid: string): boolean;
  createSandbox(pod: NodePod): Promise<void>;
  /** The Pod's addresses, once it has any. */
  podIPs?(podUid: string): readonly string[];
  /** The runs of a Pod's containers, the newest first. */
  list(podUid: string): readonly PodContainer[];
  start(request: StartContainer): Promise<void>;
  /** Ends a container, whose definition changed. */
  kill(podUid: string, container: string): Promise<void>;
  /** The Pod is over: what its containers shared isn't needed any more. Their runs stay known. */
  stopSandbox?(podUid: string): Promise<void>;
  /** The Pod is gone. */
  remove(podUid: string): void;
  /** Milliseconds for which a container that ended too often isn't started again; absent when it may be. */
  crashBackOff?(podUid: string, container: string): number | undefined;
  /** Tells whose containers aren't what they were. Returns what ends the subscription. */
  subscribe?(listener: (podUid: string) => void): () => void;
}
