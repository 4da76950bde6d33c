/** StatefulSets: Pods with numbers, made and removed in order. */
import type { EventRecorder, JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import type { ControllerContext } from "./context.ts";
import {
  canonical,
  isDeleting,
  listOf,
  member,
  nameOf,
  numberOf,
  specOf,
  splitKey,
  statusOf,
  textOf,
  withStatus,
} from "./objects.ts";
import { PodControl } from "./pod-control.ts";
import { isActive, isAvailable, isFinished, isReady, nextAvailability } from "./pods.ts";
import { hashTemplate } from "./template-hash.ts";
import { forgetRevisions, keepRevision, revisionName } from "./revisions.ts";
import { queueOf } from "./queue-of.ts";
import type { WorkQueue } from "./work-queue.ts";

const REVISION = "controller-revision-hash";
const HASH = "controller.kubernetes.io/hash";

export function statefulSets(context: ControllerContext): WorkQueue {
  const possessions = ["pods", "controllerrevisions"] as const;
  const own = { resource: "statefulsets", kind: "StatefulSet", possessions } as const;
  return queueOf(context, own, new StatefulSetController(context));
}

interface View {
  /** By ordinal. */
  readonly pods: ReadonlyMap<number, KubernetesObject>;
  readonly wanted: readonly number[];
  readonly revision: string;
  readonly minReady: number;
  readonly now: number;
}

class StatefulSetController {
  readonly #context: ControllerContext;
  readonly #recorder: EventRecorder;
  readonly #pods: PodControl;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#recorder = context.recorder("statefulset-controller");
    this.#pods = new PodControl(context, this.#recorder);
  }

  async reconcile(key: string): Promise<number | undefined> {
    const { namespace, name } = splitKey(key);
    const set = this.#context.informer("statefulsets").get(name, namespace);
    if (set === undefined || !this.#pods.isCurrent(key)) return undefined;
    const spec = specOf(set);
    const claimed = await this.#pods.claim(set, member(spec, "selector"));
    const pods = new Map<number, KubernetesObject>();
    for (const pod of claimed) {
      const ordinal = ordinalOf(pod, set);
      if (ordinal !== undefined) pods.set(ordinal, pod);
    }
    const start = numberOf(member(spec, "ordinals"), "start") ?? 0;
    const count = numberOf(spec, "replicas") ?? 1;
    const hash = hashTemplate(spec["template"], numberOf(statusOf(set), "collisionCount"));
    const view: View = {
      pods,
      wanted: Array.from({ length: count }, (_, index) => start + index),
      revision: revisionName(set, hash),
      minReady: numberOf(spec, "minReadySeconds") ?? 0,
      now: this.#context.clock.now(),
    };
    if (!isDeleting(set)) {
      await keepRevision(this.#context, { set, hash, labels: { [HASH]: hash } });
      await this.#advance(set, view);
      const used = claimed.map((pod) => pod.metadata.labels?.[REVISION]);
      const live = new Set([view.revision, textOf(statusOf(set), "currentRevision"), ...used]);
      await forgetRevisions(this.#context, { set, isLive: (one) => live.has(nameOf(one)) });
    }
    await this.#report(set, view);
    return nextAvailability(claimed, view.minReady, view.now);
  }

  /** In order, one step waits for the one before it, unless all may go at once. */
  async #advance(set: KubernetesObject, view: View): Promise<void> {
    const inOrder = textOf(specOf(set), "podManagementPolicy") !== "Parallel";
    let settled = true;
    for (const ordinal of view.wanted) {
      const pod = view.pods.get(ordinal);
      if (pod === undefined) await this.#create(set, ordinal, view);
      else if (isFinished(pod) && !isDeleting(pod)) await this.#remove(set, pod);
      if (pod !== undefined && isActive(pod) && isAvailable(pod, view.minReady, view.now)) continue;
      settled = false;
      if (inOrder) return;
    }
    const surplus = [...view.pods]
      .filter(([ordinal]) => !view.wanted.includes(ordinal))
      .toSorted(([a], [b]) => b - a);
    for (const [, pod] of surplus) {
      if (!isDeleting(pod)) await this.#remove(set, pod);
      if (inOrder) return;
    }
    if (settled && surplus.length === 0) await this.#update(set, view);
  }

  /** From the highest ordinal down, one at a time; what is below the partition stays as it is. */
  async #update(set: KubernetesObject, view: View): Promise<void> {
    const strategy = member(specOf(set), "updateStrategy");
    if (textOf(strategy, "type") === "OnDelete") return;
    const partition = numberOf(member(strategy, "rollingUpdate"), "partition") ?? 0;
    for (const ordinal of view.wanted.toReversed()) {
      const pod = view.pods.get(ordinal);
      if (ordinal < partition || pod === undefined) continue;
      if (pod.metadata.labels?.[REVISION] !== view.revision) return await this.#remove(set, pod);
      if (!isAvailable(pod, view.minReady, view.now)) return;
    }
  }

  async #create(set: KubernetesObject, ordinal: number, view: View): Promise<void> {
    const name = `${nameOf(set)}-${ordinal}`;
    const spec = specOf(set);
    const template = member(spec, "template");
    const podSpec = member(template, "spec");
    const claims = listOf(spec, "volumeClaimTemplates").map((claim) => claimVolume(claim, name));
    const claimed = new Set(claims.map((claim) => claim["name"]));
    const volumes = [...listOf(podSpec, "volumes").filter((one) => !claimed.has(one["name"])), ...claims];
    const subdomain = textOf(spec, "serviceName");
    await this.#pods.create(set, template, {
      metadata: {
        name,
        labels: {
          [REVISION]: view.revision,
          "statefulset.kubernetes.io/pod-name": name,
          "apps.kubernetes.io/pod-index": String(ordinal),
        },
      },
      spec: {
        hostname: name,
        ...(subdomain !== undefined && { subdomain }),
        ...(volumes.length > 0 && { volumes }),
      },
    });
    const message = `create Pod ${name} in StatefulSet ${nameOf(set)} successful`;
    this.#recorder.record(set, { type: "Normal", reason: "SuccessfulCreate", message });
  }

  async #remove(set: KubernetesObject, pod: KubernetesObject): Promise<void> {
    await this.#pods.remove(pod);
    const message = `delete Pod ${nameOf(pod)} in StatefulSet ${nameOf(set)} successful`;
    this.#recorder.record(set, { type: "Normal", reason: "SuccessfulDelete", message });
  }

  async #report(set: KubernetesObject, view: View): Promise<void> {
    const status = statusFor(set, view);
    if (canonical(status) === canonical(statusOf(set))) return;
    const { signal } = this.#context;
    await this.#context.resource("statefulsets").updateStatus(withStatus(set, status), { signal });
  }
}

function statusFor(set: KubernetesObject, view: View): JsonObject {
  const old = statusOf(set);
  const pods = [...view.pods.values()];
  const active = pods.filter((pod) => isActive(pod));
  const updated = active.filter((pod) => pod.metadata.labels?.[REVISION] === view.revision);
  const ready = active.filter((pod) => isReady(pod)).length;
  const done =
    updated.length === view.wanted.length && active.length === updated.length && ready === updated.length;
  const currentRevision = done ? view.revision : (textOf(old, "currentRevision") ?? view.revision);
  const current = active.filter((pod) => pod.metadata.labels?.[REVISION] === currentRevision);
  return {
    observedGeneration: set.metadata.generation ?? 0,
    replicas: pods.length,
    ...(ready > 0 && { readyReplicas: ready }),
    ...(current.length > 0 && { currentReplicas: current.length }),
    ...(updated.length > 0 && { updatedReplicas: updated.length }),
    currentRevision,
    updateRevision: view.revision,
    collisionCount: numberOf(old, "collisionCount") ?? 0,
    availableReplicas: active.filter((pod) => isAvailable(pod, view.minReady, view.now)).length,
  };
}

/** The number at the end of a Pod's name, when the rest is the set's. */
function ordinalOf(pod: KubernetesObject, set: KubernetesObject): number | undefined {
  const prefix = `${nameOf(set)}-`;
  const rest = nameOf(pod).slice(prefix.length);
  return nameOf(pod).startsWith(prefix) && /^(?:0|[1-9]\d*)$/v.test(rest) ? Number(rest) : undefined;
}

function claimVolume(claim: JsonObject, pod: string): JsonObject {
  const name = textOf(member(claim, "metadata"), "name") ?? "";
  return { name, persistentVolumeClaim: { claimName: `${name}-${pod}` } };
}
