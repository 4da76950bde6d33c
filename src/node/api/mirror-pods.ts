/**
 * Pods that stand in files are nothing the API decides about, but it can show them: each has a mirror there, made as the
 * kubelet makes them. Deleting a mirror deletes nothing; it comes back.
 */
import {
  type JsonObject,
  type KubernetesClient,
  type KubernetesObject,
  type ResourceClient,
  StatusError,
} from "../../kubernetes/index.ts";
import type { NodePod, PodSource } from "../pod-source.ts";
import type { ShownAs, ShownPod } from "./api-sink.ts";
import { MIRROR_ANNOTATION } from "./api-pod.ts";
import { resource } from "./api-source.ts";

export interface MirrorPodsOptions {
  readonly client: KubernetesClient;
  /** This node's name; mirrors are called after it. */
  readonly node: string;
  /** The uid of the Node object, which owns the mirrors. */
  readonly nodeUid: () => string;
  /** A mirror is there now: what was said of its Pod before can be said of it. */
  readonly onShown?: ((uid: string) => void) | undefined;
  /** The Pod is gone, and with it its mirror. */
  readonly onRemoved?: ((uid: string) => void) | undefined;
  /** Told why a Pod can't be shown; it runs all the same. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

interface Mirror {
  readonly pod: NodePod;
  /** The uid that the API gave the mirror; absent while there is none. */
  shown: string | undefined;
}

const HASH_ANNOTATION = "kubernetes.io/config.hash";

export class MirrorPods {
  readonly #options: MirrorPodsOptions;
  readonly #pods: ResourceClient;
  readonly #namespaces: ResourceClient;
  /** By uid of the Pod in the file. */
  readonly #mirrors = new Map<string, Mirror>();
  readonly #stop = new AbortController();
  #working: Promise<void> = Promise.resolve();

  constructor(options: MirrorPodsOptions) {
    this.#options = options;
    this.#pods = resource(options.client, "pods");
    this.#namespaces = resource(options.client, "namespaces");
  }

  /** What the API calls a Pod of a file, or the Pod itself where it's of no file. */
  readonly shownAs: ShownAs = (pod, purpose) => {
    const mirror = this.#mirrors.get(pod.uid);
    if (mirror === undefined) return pod;
    if (mirror.shown === undefined) return undefined;
    const name = mirrorName(pod.name, this.#options.node);
    // An event is about the Pod of the file; those who look for it know its uid from the mirror's annotation.
    return purpose === "event" ? { ...pod, name } : { ...pod, name, uid: mirror.shown };
  };

  set(pod: NodePod): void {
    if (this.#mirrors.has(pod.uid)) return;
    this.#mirrors.set(pod.uid, { pod, shown: undefined });
    this.#enqueue(() => this.#show(pod.uid));
  }

  remove({ key, uid }: Pick<NodePod, "key" | "uid">): void {
    const mirror = this.#mirrors.get(uid);
    if (mirror === undefined) return;
    this.#mirrors.delete(uid);
    this.#options.onRemoved?.(uid);
    const [namespace = "", name = ""] = key.split("/");
    this.#enqueue(() =>
      this.#delete({ namespace, name: mirrorName(name, this.#options.node), uid: mirror.shown ?? "" }),
    );
  }

  /** A mirror as the API shows it, or that it is gone there. One of no file's Pod is left from before: it goes. */
  seen(object: KubernetesObject, isGone: boolean): void {
    const { name = "", namespace = "", uid = "", annotations = {}, deletionTimestamp } = object.metadata;
    const mirror = this.#mirrors.get(annotations[MIRROR_ANNOTATION] ?? "");
    if (isGone) {
      if (mirror?.shown !== uid) return;
      mirror.shown = undefined;
      return this.#enqueue(() => this.#show(mirror.pod.uid));
    }
    if (mirror === undefined || deletionTimestamp !== undefined) {
      this.#enqueue(() => this.#delete({ namespace, name, uid }));
    } else if (mirror.shown !== uid) this.#found(mirror, uid);
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("the node stops"));
    await this.#working;
  }

  #enqueue(work: () => Promise<void>): void {
    this.#working = this.#working.then(async () => {
      if (this.#stop.signal.aborted) return;
      try {
        await work();
      } catch (error) {
        if (!this.#stop.signal.aborted) this.#options.onError?.(error);
      }
    });
  }

  async #show(uid: string): Promise<void> {
    const mirror = this.#mirrors.get(uid);
    if (mirror === undefined || mirror.shown !== undefined) return;
    const object = makeMirror(mirror.pod, { node: this.#options.node, nodeUid: this.#options.nodeUid() });
    const { signal } = this.#stop;
    const { namespace } = mirror.pod.pod.metadata;
    await this.#ensureNamespace(namespace);
    try {
      const made = await this.#pods.create(object, { namespace, signal });
      this.#found(mirror, made.metadata.uid ?? "");
    } catch (error) {
      if (!(error instanceof StatusError) || error.code !== "AlreadyExists") throw error;
      // Of the file as it was before, or of another Pod altogether; the first makes way.
      const there = await this.#pods.find(object.metadata.name ?? "", { namespace, signal });
      const hash = there?.metadata.annotations?.[MIRROR_ANNOTATION];
      if (there === undefined || hash === undefined) throw error;
      if (hash === uid) return this.#found(mirror, there.metadata.uid ?? "");
      await this.#delete({ namespace, name: there.metadata.name ?? "", uid: there.metadata.uid ?? "" });
      const made = await this.#pods.create(object, { namespace, signal });
      this.#found(mirror, made.metadata.uid ?? "");
    }
  }

  #found(mirror: Mirror, shown: string): void {
    mirror.shown = shown;
    this.#options.onShown?.(mirror.pod.uid);
  }

  /** Folders name namespaces that nobody has made; here nobody else would. */
  async #ensureNamespace(name: string): Promise<void> {
    const { signal } = this.#stop;
    if ((await this.#namespaces.find(name, { signal })) !== undefined) return;
    try {
      await this.#namespaces.create({ apiVersion: "v1", kind: "Namespace", metadata: { name } }, { signal });
    } catch (error) {
      if (!(error instanceof StatusError) || error.code !== "AlreadyExists") throw error;
    }
  }

  async #delete({ namespace, name, uid }: ShownPod): Promise<void> {
    const { signal } = this.#stop;
    const preconditions = uid === "" ? {} : { preconditions: { uid } };
    try {
      await this.#pods.delete(name, { namespace, gracePeriodSeconds: 0, ...preconditions, signal });
    } catch (error) {
      const isGone = error instanceof StatusError && (error.code === "NotFound" || error.code === "Conflict");
      if (!isGone) throw error;
    }
  }
}

/** A source whose Pods all have mirrors. */
export function mirrorSource(source: PodSource, mirrors: MirrorPods): PodSource {
  return {
    start: (listener) =>
      source.start({
        podSet: (pod) => {
          mirrors.set(pod);
          listener.podSet(pod);
        },
        podGone: (pod) => {
          mirrors.remove(pod);
          listener.podGone(pod);
        },
        credentialsChanged: (change) => listener.credentialsChanged(change),
        problems: (list) => listener.problems(list),
      }),
    close: () => source.close(),
  };
}

export function mirrorName(name: string, node: string): string {
  return `${name}-${node}`.toLowerCase();
}

/** The mirror of a Pod; what the API takes from no mirror stays behind: its ServiceAccount and pull secrets. */
export function makeMirror(
  { uid, pod, manifest }: NodePod,
  { node, nodeUid }: { readonly node: string; readonly nodeUid: string },
): KubernetesObject {
  const { name, namespace, annotations } = pod.metadata;
  const { spec = {}, metadata = {} } = (manifest ?? {}) as { spec?: JsonObject; metadata?: JsonObject };
  const {
    serviceAccountName: _,
    serviceAccount: __,
    imagePullSecrets: ___,
    automountServiceAccountToken: ____,
    ...rest
  } = spec;
  const labels = metadata["labels"];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: mirrorName(name, node),
      namespace,
      ...(labels !== undefined && { labels: labels as Readonly<Record<string, string>> }),
      annotations: {
        ...annotations,
        [HASH_ANNOTATION]: uid,
        [MIRROR_ANNOTATION]: uid,
        "kubernetes.io/config.source": "file",
      },
      ...(nodeUid !== "" && {
        ownerReferences: [{ apiVersion: "v1", kind: "Node", name: node, uid: nodeUid, controller: true }],
      }),
    },
    spec: {
      ...rest,
      nodeName: node,
      tolerations: [{ operator: "Exists", effect: "NoExecute" }],
    },
  };
}
