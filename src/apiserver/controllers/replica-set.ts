/** ReplicaSets and ReplicationControllers: as many Pods as were asked for, no matter which. */
import {
  type EventRecorder,
  type JsonObject,
  type KubernetesObject,
  matchesLabels,
} from "../../kubernetes/index.ts";
import { conditionsIn, dropCondition, setCondition } from "./conditions.ts";
import type { ControllerContext, WatchedResource } from "./context.ts";
import { asSelector, readSelector } from "./label-selector.ts";
import {
  canonical,
  isDeleting,
  keyOf,
  member,
  nameOf,
  numberOf,
  specOf,
  splitKey,
  statusOf,
  withStatus,
} from "./objects.ts";
import { isEnding, PodControl } from "./pod-control.ts";
import { byDispensability, isActive, isAvailable, isReady, nextAvailability } from "./pods.ts";
import { queueOf } from "./queue-of.ts";
import type { WorkQueue } from "./work-queue.ts";

/** No more at a time: a mistake of ten thousand Pods should be seen while it can be stopped. */
const BURST = 500;

export function replicaSets(context: ControllerContext): WorkQueue {
  return replicas(context, {
    resource: "replicasets",
    kind: "ReplicaSet",
    component: "replicaset-controller",
  });
}

export function replicationControllers(context: ControllerContext): WorkQueue {
  const component = "replication-controller";
  return replicas(context, { resource: "replicationcontrollers", kind: "ReplicationController", component });
}

interface Flavour {
  readonly resource: WatchedResource;
  readonly kind: string;
  readonly component: string;
}

function replicas(context: ControllerContext, flavour: Flavour): WorkQueue {
  const own = { ...flavour, possessions: ["pods"] } as const;
  const queue = queueOf(context, own, new ReplicaController(context, flavour));
  // A Pod of nobody's may be one that is looked for.
  context.informer("pods").subscribe(({ type, object }) => {
    if (type === "deleted" || object.metadata.ownerReferences !== undefined) return;
    for (const owner of context.informer(flavour.resource).list(object.metadata.namespace ?? "")) {
      if (matchesLabels(readSelector(selectorOf(owner)), object.metadata.labels)) queue.add(keyOf(owner));
    }
  });
  return queue;
}

function selectorOf(owner: KubernetesObject): JsonObject {
  const selector = specOf(owner)["selector"];
  return owner.kind === "ReplicationController" ? asSelector(selector) : member(specOf(owner), "selector");
}

class ReplicaController {
  readonly #context: ControllerContext;
  readonly #flavour: Flavour;
  readonly #recorder: EventRecorder;
  readonly #pods: PodControl;

  constructor(context: ControllerContext, flavour: Flavour) {
    this.#context = context;
    this.#flavour = flavour;
    this.#recorder = context.recorder(flavour.component);
    this.#pods = new PodControl(context, this.#recorder);
  }

  async reconcile(key: string): Promise<number | undefined> {
    const { namespace, name } = splitKey(key);
    const owner = this.#context.informer(this.#flavour.resource).get(name, namespace);
    if (owner === undefined || !this.#pods.isCurrent(key)) return undefined;
    const claimed = await this.#pods.claim(owner, selectorOf(owner));
    const active = claimed.filter((pod) => isActive(pod));
    let failed: Error | undefined;
    if (!isDeleting(owner)) {
      try {
        await this.#scale(owner, active);
      } catch (error) {
        if (isEnding(error)) return undefined;
        failed = error instanceof Error ? error : new Error("unknown", { cause: error });
      }
    }
    await this.#report(owner, claimed, failed);
    if (failed !== undefined) throw failed;
    const minReady = numberOf(specOf(owner), "minReadySeconds") ?? 0;
    return nextAvailability(active, minReady, this.#context.clock.now());
  }

  async #scale(owner: KubernetesObject, active: readonly KubernetesObject[]): Promise<void> {
    const wanted = numberOf(specOf(owner), "replicas") ?? 1;
    const missing = wanted - active.length;
    if (missing > 0) await this.#createMany(owner, Math.min(missing, BURST));
    else if (missing < 0) {
      const surplus = active.toSorted(byDispensability).slice(0, Math.min(-missing, BURST));
      for (const pod of surplus) {
        await this.#pods.remove(pod);
        const message = `Deleted pod: ${nameOf(pod)}`;
        this.#recorder.record(owner, { type: "Normal", reason: "SuccessfulDelete", message });
      }
    }
  }

  /** In growing batches: where one is refused, most likely all would be. */
  async #createMany(owner: KubernetesObject, count: number): Promise<void> {
    const template = member(specOf(owner), "template");
    const generateName = `${nameOf(owner)}-`;
    let left = count;
    for (let size = 1; left > 0; size *= 2) {
      const batch = Array.from({ length: Math.min(size, left) }, async () => {
        const pod = await this.#pods.create(owner, template, { metadata: { generateName } });
        const message = `Created pod: ${nameOf(pod)}`;
        this.#recorder.record(owner, { type: "Normal", reason: "SuccessfulCreate", message });
      });
      left -= batch.length;
      const refused = (await Promise.allSettled(batch)).find((result) => result.status === "rejected");
      if (refused !== undefined) throw refused.reason;
    }
  }

  async #report(
    owner: KubernetesObject,
    claimed: readonly KubernetesObject[],
    failed: Error | undefined,
  ): Promise<void> {
    const status = this.#statusOf(owner, claimed, failed);
    if (canonical(status) === canonical(statusOf(owner))) return;
    const { signal } = this.#context;
    await this.#context.resource(this.#flavour.resource).updateStatus(withStatus(owner, status), { signal });
  }

  #statusOf(
    owner: KubernetesObject,
    claimed: readonly KubernetesObject[],
    failed: Error | undefined,
  ): JsonObject {
    const spec = specOf(owner);
    const now = this.#context.clock.now();
    const minReady = numberOf(spec, "minReadySeconds") ?? 0;
    const active = claimed.filter((pod) => isActive(pod));
    const labels = Object.entries(member(member(member(spec, "template"), "metadata"), "labels"));
    const labelled = active.filter((pod) =>
      labels.every(([name, value]) => pod.metadata.labels?.[name] === value),
    );
    const ready = active.filter((pod) => isReady(pod));
    const available = active.filter((pod) => isAvailable(pod, minReady, now));
    const conditions = replicaFailure(conditionsIn(statusOf(owner)), { failed, now });
    return {
      replicas: active.length,
      ...(labelled.length > 0 && { fullyLabeledReplicas: labelled.length }),
      ...(ready.length > 0 && { readyReplicas: ready.length }),
      ...(available.length > 0 && { availableReplicas: available.length }),
      ...(this.#flavour.kind === "ReplicaSet" && {
        terminatingReplicas: claimed.filter((pod) => isDeleting(pod)).length,
      }),
      observedGeneration: owner.metadata.generation ?? 0,
      ...(conditions.length > 0 && { conditions }),
    };
  }
}

function replicaFailure(
  conditions: readonly JsonObject[],
  about: { readonly failed: Error | undefined; readonly now: number },
): readonly JsonObject[] {
  if (about.failed === undefined) return dropCondition(conditions, "ReplicaFailure");
  const { message } = about.failed;
  const text = { type: "ReplicaFailure", status: "True", reason: "FailedCreate", message } as const;
  return setCondition(conditions, text, { now: about.now });
}
