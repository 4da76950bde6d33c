/** DaemonSets: one Pod on every Node that takes it. */
import type { EventRecorder, JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import type { ControllerContext } from "./context.ts";
import {
  canonical,
  isDeleting,
  keyOf,
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
import { findMisfit } from "./node-fit.ts";
import { PodControl } from "./pod-control.ts";
import { isActive, isAvailable, isFinished, isReady, nextAvailability, nodeOf } from "./pods.ts";
import { hashTemplate } from "./template-hash.ts";
import { resolveCount } from "./counts.ts";
import { forgetRevisions, keepRevision } from "./revisions.ts";
import { queueOf } from "./queue-of.ts";
import type { WorkQueue } from "./work-queue.ts";

const HASH = "controller-revision-hash";
const GENERATION = "pod-template-generation";

export function daemonSets(context: ControllerContext): WorkQueue {
  const possessions = ["pods", "controllerrevisions"] as const;
  const own = { resource: "daemonsets", kind: "DaemonSet", possessions } as const;
  const queue = queueOf(context, own, new DaemonSetController(context));
  context.informer("nodes").subscribe((change) => {
    if (change.type === "updated" && !mattersToPods(change.old, change.object)) return;
    for (const set of context.informer("daemonsets").list()) queue.add(keyOf(set));
  });
  return queue;
}

/** Nodes write their status every few seconds. */
function mattersToPods(old: KubernetesObject, node: KubernetesObject): boolean {
  return canonical([old.metadata.labels, old["spec"]]) !== canonical([node.metadata.labels, node["spec"]]);
}

class DaemonSetController {
  readonly #context: ControllerContext;
  readonly #recorder: EventRecorder;
  readonly #pods: PodControl;

  constructor(context: ControllerContext) {
    this.#context = context;
    this.#recorder = context.recorder("daemonset-controller");
    this.#pods = new PodControl(context, this.#recorder);
  }

  async reconcile(key: string): Promise<number | undefined> {
    const { namespace, name } = splitKey(key);
    const set = this.#context.informer("daemonsets").get(name, namespace);
    if (set === undefined || !this.#pods.isCurrent(key)) return undefined;
    const spec = specOf(set);
    const claimed = await this.#pods.claim(set, member(spec, "selector"));
    const hash = hashTemplate(spec["template"], numberOf(statusOf(set), "collisionCount"));
    const nodes = this.#context
      .informer("nodes")
      .list()
      .filter((node) => takes(node, set));
    if (!isDeleting(set)) {
      await keepRevision(this.#context, { set, hash, labels: { [HASH]: hash } });
      await this.#place(set, { claimed, nodes, hash });
      const live = new Set([hash, ...claimed.map((pod) => pod.metadata.labels?.[HASH])]);
      const isLive = ({ metadata }: KubernetesObject): boolean => live.has(metadata.labels?.[HASH]);
      await forgetRevisions(this.#context, { set, isLive });
    }
    await this.#report(set, { claimed, nodes, hash });
    const minReady = numberOf(spec, "minReadySeconds") ?? 0;
    return nextAvailability(claimed, minReady, this.#context.clock.now());
  }

  async #place(set: KubernetesObject, view: View): Promise<void> {
    const names = new Set(view.nodes.map((node) => nameOf(node)));
    for (const pod of view.claimed) {
      const node = targetOf(pod);
      const settled = view.claimed.find((other) => targetOf(other) === node && isActive(other));
      // On a Node that went or doesn't take it, dead, or one too many.
      if (!names.has(node) || isFinished(pod) || (isActive(pod) && settled !== pod))
        await this.#remove(set, pod);
    }
    await this.#replaceOld(set, view);
    const taken = new Set(view.claimed.filter((pod) => !isFinished(pod)).map((pod) => targetOf(pod)));
    for (const node of view.nodes.filter((one) => !taken.has(nameOf(one)))) {
      const pod = await this.#pods.create(
        set,
        member(specOf(set), "template"),
        shapeFor(set, node, view.hash),
      );
      const message = `Created pod: ${nameOf(pod)}`;
      this.#recorder.record(set, { type: "Normal", reason: "SuccessfulCreate", message });
    }
  }

  /** No more old Pods go at a time than may be missing. */
  async #replaceOld(set: KubernetesObject, view: View): Promise<void> {
    const strategy = member(specOf(set), "updateStrategy");
    if (textOf(strategy, "type") === "OnDelete") return;
    const limit = member(strategy, "rollingUpdate")["maxUnavailable"] ?? 1;
    const allowed = Math.max(1, resolveCount(limit, view.nodes.length, "up"));
    const active = view.claimed.filter((pod) => isActive(pod));
    const ready = active.filter((pod) => isReady(pod));
    let missing = view.nodes.length - ready.length;
    for (const pod of active.filter((one) => one.metadata.labels?.[HASH] !== view.hash)) {
      if (isReady(pod) && missing >= allowed) continue;
      if (isReady(pod)) missing++;
      await this.#remove(set, pod);
    }
  }

  async #remove(set: KubernetesObject, pod: KubernetesObject): Promise<void> {
    if (isDeleting(pod)) return;
    await this.#pods.remove(pod);
    const message = `Deleted pod: ${nameOf(pod)}`;
    this.#recorder.record(set, { type: "Normal", reason: "SuccessfulDelete", message });
  }

  async #report(set: KubernetesObject, view: View): Promise<void> {
    const now = this.#context.clock.now();
    const minReady = numberOf(specOf(set), "minReadySeconds") ?? 0;
    const names = new Set(view.nodes.map((node) => nameOf(node)));
    const active = view.claimed.filter((pod) => isActive(pod));
    const placed = active.filter((pod) => names.has(targetOf(pod)));
    const available = placed.filter((pod) => isAvailable(pod, minReady, now)).length;
    const updated = placed.filter((pod) => pod.metadata.labels?.[HASH] === view.hash).length;
    const { collisionCount } = statusOf(set);
    const status: JsonObject = {
      currentNumberScheduled: placed.length,
      numberMisscheduled: active.length - placed.length,
      desiredNumberScheduled: view.nodes.length,
      numberReady: placed.filter((pod) => isReady(pod)).length,
      observedGeneration: set.metadata.generation ?? 0,
      ...(updated > 0 && { updatedNumberScheduled: updated }),
      ...(available > 0 && { numberAvailable: available }),
      ...(view.nodes.length > available && { numberUnavailable: view.nodes.length - available }),
      ...(collisionCount !== undefined && { collisionCount }),
    };
    if (canonical(status) === canonical(statusOf(set))) return;
    const { signal } = this.#context;
    await this.#context.resource("daemonsets").updateStatus(withStatus(set, status), { signal });
  }
}

interface View {
  readonly claimed: readonly KubernetesObject[];
  readonly nodes: readonly KubernetesObject[];
  readonly hash: string;
}

function takes(node: KubernetesObject, set: KubernetesObject): boolean {
  const spec = member(member(specOf(set), "template"), "spec");
  const tolerations = tolerationsFor(spec);
  return !isDeleting(node) && findMisfit(node, { ...spec, tolerations }) === undefined;
}

/** What belongs to a Node stays on it, and comes to it, whatever its state. */
function tolerationsFor(podSpec: JsonObject): readonly JsonObject[] {
  const own = listOf(podSpec, "tolerations");
  const host = podSpec["hostNetwork"] === true ? ["network-unavailable"] : [];
  const states = ["disk-pressure", "memory-pressure", "pid-pressure", "unschedulable", ...host];
  const added: JsonObject[] = [
    ...["not-ready", "unreachable"].map((state) => ({ state, effect: "NoExecute" })),
    ...states.map((state) => ({ state, effect: "NoSchedule" })),
  ].map(({ state, effect }) => ({ key: `node.kubernetes.io/${state}`, operator: "Exists", effect }));
  const missing = added.filter(
    ({ key, effect }) => !own.some((one) => one["key"] === key && one["effect"] === effect),
  );
  return [...own, ...missing];
}

/** The Node a Pod was made for, bound to it or not. */
function targetOf(pod: KubernetesObject): string {
  const bound = nodeOf(pod);
  if (bound !== undefined) return bound;
  const [term] = listOf(
    member(member(member(specOf(pod), "affinity"), "nodeAffinity"), REQUIRED),
    "nodeSelectorTerms",
  );
  const [field] = listOf(term ?? {}, "matchFields");
  const [value] = Array.isArray(field?.["values"]) ? (field["values"] as readonly unknown[]) : [];
  return typeof value === "string" ? value : "";
}

const REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution";

function shapeFor(
  set: KubernetesObject,
  node: KubernetesObject,
  hash: string,
): { readonly metadata: JsonObject; readonly spec: JsonObject } {
  const generation = String(set.metadata.generation ?? 1);
  const podSpec = member(member(specOf(set), "template"), "spec");
  const affinity = member(podSpec, "affinity");
  const nodeAffinity = member(affinity, "nodeAffinity");
  const matchFields = [{ key: "metadata.name", operator: "In", values: [nameOf(node)] }];
  return {
    metadata: { generateName: `${nameOf(set)}-`, labels: { [HASH]: hash, [GENERATION]: generation } },
    // The scheduler binds it, as it does all Pods; there is but one Node that it can choose.
    spec: {
      tolerations: tolerationsFor(podSpec),
      affinity: {
        ...affinity,
        nodeAffinity: { ...nodeAffinity, [REQUIRED]: { nodeSelectorTerms: [{ matchFields }] } },
      },
    },
  };
}
