import type { PullSecret } from "../../credentials/index.ts";
import {
  type Change,
  findResource,
  Informer,
  type KubernetesClient,
  type KubernetesObject,
  type ResourceClient,
} from "../../kubernetes/index.ts";
import type { PodListener, PodSource, PullSecretLookup } from "../pod-source.ts";
import { isMirror, toNodePod } from "./api-pod.ts";
import { pullSecretOf } from "./api-secret.ts";

export interface ApiSourceOptions {
  readonly client: KubernetesClient;
  /** Pods bound to the node of this name are ours. */
  readonly node: string;
  /**
   * Whether Secrets and ServiceAccounts are watched, so that one that is mended is noticed before a back-off has run
   * out. That needs the right to list them everywhere.
   */
  readonly watchCredentials?: boolean | undefined;
  /** Told of the mirrors among the Pods, which stand in files. */
  readonly onMirror?: ((pod: KubernetesObject, isGone: boolean) => void) | undefined;
  /** Told of what went wrong on the way to the API; the source goes on trying. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

/** The Pods that the Kubernetes API has bound to this node, and the Secrets beside them. */
export class ApiSource implements PodSource, PullSecretLookup {
  readonly #options: ApiSourceOptions;
  readonly #pods: ResourceClient;
  readonly #secrets: ResourceClient;
  readonly #stop = new AbortController();
  readonly #running = new Set<Promise<void>>();
  /** Deletions being confirmed, by uid. */
  readonly #ending = new Set<string>();

  constructor(options: ApiSourceOptions) {
    this.#options = options;
    this.#pods = resource(options.client, "pods");
    this.#secrets = resource(options.client, "secrets");
  }

  async start(listener: PodListener): Promise<void> {
    const { node, watchCredentials, onError } = this.#options;
    const { signal } = this.#stop;
    const pods = new Informer(this.#pods, { fieldSelector: `spec.nodeName=${node}`, onError });
    this.#running.add(pods.run(signal));
    await pods.synced(signal);
    pods.subscribe((change) => this.#podChanged(change, listener));
    if (watchCredentials !== true) return;
    for (const kind of ["secret", "service-account"] as const) {
      const name = kind === "secret" ? "secrets" : "serviceaccounts";
      const watched = new Informer(resource(this.#options.client, name), { onError });
      this.#running.add(watched.run(signal));
      await watched.synced(signal);
      watched.subscribe((change) => {
        if (change.type === "deleted") return;
        const { namespace = "", name: own = "" } = change.object.metadata;
        listener.credentialsChanged({ kind, namespace, name: own });
      });
    }
  }

  async getSecret(namespace: string, name: string): Promise<PullSecret> {
    return pullSecretOf(await this.#secrets.get(name, { namespace, signal: this.#stop.signal }));
  }

  async close(): Promise<void> {
    this.#stop.abort(new Error("the node stops"));
    await Promise.allSettled(this.#running);
  }

  #podChanged(change: Change, listener: PodListener): void {
    const { object } = change;
    // It stands in a file; the API only shows it.
    if (isMirror(object)) return this.#options.onMirror?.(object, change.type === "deleted");
    const pod = toNodePod(object);
    if (change.type === "deleted") return listener.podGone(pod);
    if (change.type === "updated" && change.old.metadata.uid !== pod.uid)
      listener.podGone(toNodePod(change.old));
    if (pod.deleting !== true) return listener.podSet(pod);
    listener.podGone(pod);
    this.#confirmDeletion(object);
  }

  /** Nothing runs here for the Pod any more, so the API may forget it. */
  #confirmDeletion({ metadata }: KubernetesObject): void {
    const { name = "", namespace, uid = "" } = metadata;
    if (this.#ending.has(uid)) return;
    this.#ending.add(uid);
    const { signal } = this.#stop;
    const deletion = this.#pods
      .delete(name, { namespace, gracePeriodSeconds: 0, preconditions: { uid }, signal })
      .then(
        () => {},
        (error: unknown) => {
          if (!signal.aborted && !isGone(error)) this.#options.onError?.(error);
        },
      )
      .finally(() => {
        this.#ending.delete(uid);
        this.#running.delete(deletion);
      });
    this.#running.add(deletion);
  }
}

function isGone(error: unknown): boolean {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  return code === "NotFound" || code === "Conflict";
}

export function resource(client: KubernetesClient, name: string, group: string = ""): ResourceClient {
  const found = findResource({ group, version: "v1", resource: name });
  if (found === undefined) throw new TypeError(`unknown resource ${name}`);
  return client.resource(found);
}
