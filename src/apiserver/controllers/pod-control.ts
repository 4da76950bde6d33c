import {
  type EventRecorder,
  formatTime,
  isRefusal,
  type JsonObject,
  type KubernetesObject,
} from "../../kubernetes/index.ts";
import type { ControllerContext } from "./context.ts";
import { claim } from "./claim.ts";
import { isDeleting, keyOf, member, nameOf, ownerReference, uidOf } from "./objects.ts";
import { podFrom } from "./pods.ts";

/** What one controller does to Pods, and what it remembers of it until its cache shows it. */
export class PodControl {
  readonly #context: ControllerContext;
  readonly #recorder: EventRecorder;
  readonly #written = new Map<string, string>();

  constructor(context: ControllerContext, recorder: EventRecorder) {
    this.#context = context;
    this.#recorder = recorder;
  }

  /** Whether the cache shows all that was made for this key; if not, the Pods that are missing will ring for it. */
  isCurrent(key: string): boolean {
    const version = this.#written.get(key);
    if (version === undefined) return true;
    if (!this.#context.informer("pods").reached(version)) return false;
    this.#written.delete(key);
    return true;
  }

  /** The Pods that belong to an owner, those on their way out included. */
  async claim(owner: KubernetesObject, selector: JsonObject): Promise<readonly KubernetesObject[]> {
    const owned = await claim(this.#context, "pods", { owner, selector });
    return owned.map((pod) => this.#asItWillBe(pod));
  }

  /** What was asked to go is on its way, though the cache doesn't show it yet. */
  #asItWillBe(pod: KubernetesObject): KubernetesObject {
    if (isDeleting(pod) || !this.#context.leaving.has(uidOf(pod))) return pod;
    const deletionTimestamp = formatTime(this.#context.clock.now());
    return { ...pod, metadata: { ...pod.metadata, deletionTimestamp } };
  }

  /** @param shape what the Pod has beyond its template: a name, further labels */
  async create(
    owner: KubernetesObject,
    template: JsonObject,
    shape: { readonly metadata: JsonObject; readonly spec?: JsonObject },
  ): Promise<KubernetesObject> {
    const { metadata, spec } = podFrom(template);
    const namespace = owner.metadata.namespace ?? "";
    const ownerReferences = [ownerReference(owner)];
    const pod: KubernetesObject = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: {
        ...metadata,
        ...shape.metadata,
        ...mergeTexts("labels", metadata, shape.metadata),
        ...mergeTexts("annotations", metadata, shape.metadata),
        namespace,
        ownerReferences,
      },
      spec: { ...spec, ...shape.spec },
    };
    try {
      const made = await this.#context
        .resource("pods")
        .create(pod, { namespace, signal: this.#context.signal });
      this.#written.set(keyOf(owner), made.metadata.resourceVersion ?? "");
      return made;
    } catch (error) {
      if (!isRefusal(error, 409) && !isEnding(error) && !this.#context.signal.aborted) {
        const message = `Error creating: ${error instanceof Error ? error.message : String(error)}`;
        this.#recorder.record(owner, { type: "Warning", reason: "FailedCreate", message });
      }
      throw error;
    }
  }

  /** Asks a Pod to go, unless it has been asked. */
  async remove(pod: KubernetesObject): Promise<void> {
    const { leaving, signal } = this.#context;
    const uid = uidOf(pod);
    if (isDeleting(pod) || leaving.has(uid)) return;
    leaving.add(uid);
    try {
      const { namespace } = pod.metadata;
      await this.#context.resource("pods").delete(nameOf(pod), { namespace, preconditions: { uid }, signal });
    } catch (error) {
      leaving.delete(uid);
      if (!isRefusal(error, 404) && !isRefusal(error, 409)) throw error;
    }
  }
}

/** Whether the namespace is on its way out: the owner will follow, and until then there is nothing to complain about. */
export function isEnding(error: unknown): boolean {
  const causes = isRefusal(error, 403) ? (error.status.details?.causes ?? []) : [];
  return causes.some(({ reason }) => reason === "NamespaceTerminating");
}

/** Absent where there are none, as people write it. */
function mergeTexts(name: "labels" | "annotations", one: JsonObject, other: JsonObject): JsonObject {
  const merged = { ...member(one, name), ...member(other, name) };
  return Object.keys(merged).length === 0 ? {} : { [name]: merged };
}
