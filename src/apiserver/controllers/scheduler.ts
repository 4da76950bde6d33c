/** Binds Pods to a Node: the one there is, or the one with the fewest Pods. */
import {
  type EventRecorder,
  formatTime,
  isRefusal,
  type KubernetesObject,
  referenceTo,
} from "../../kubernetes/index.ts";
import { conditionsIn, setCondition } from "./conditions.ts";
import type { ControllerContext } from "./context.ts";
import { keyOf, listOf, nameOf, specOf, splitKey, statusOf, textOf, withStatus } from "./objects.ts";
import { findMisfit } from "./node-fit.ts";
import { conditionOf, isActive, nodeOf } from "./pods.ts";
import { WorkQueue } from "./work-queue.ts";

const NAME = "default-scheduler";
/** A Pod without a Node is looked at again when a Node changes, and at the latest after this. */
const RETRY_MS = 60_000;

export function scheduler(context: ControllerContext): WorkQueue {
  const recorder = context.recorder(NAME);
  const { clock, onError } = context;
  const queue = new WorkQueue({ clock, onError, reconcile: (key) => schedule(context, key, recorder) });
  context.informer("pods").subscribe(({ type, object }) => {
    if (type !== "deleted" && isOurs(object)) queue.add(keyOf(object));
  });
  context.informer("nodes").subscribe(({ type }) => {
    if (type === "deleted") return;
    for (const pod of context.informer("pods").list()) if (isOurs(pod)) queue.add(keyOf(pod));
  });
  return queue;
}

function isOurs(pod: KubernetesObject): boolean {
  const spec = specOf(pod);
  const gated = listOf(spec, "schedulingGates").length > 0;
  return (
    nodeOf(pod) === undefined && isActive(pod) && !gated && (textOf(spec, "schedulerName") ?? NAME) === NAME
  );
}

async function schedule(
  context: ControllerContext,
  key: string,
  recorder: EventRecorder,
): Promise<number | undefined> {
  const { namespace, name } = splitKey(key);
  const pod = context.informer("pods").get(name, namespace);
  if (pod === undefined || !isOurs(pod)) return undefined;
  const nodes = context.informer("nodes").list();
  const [node] = nodes
    .filter((one) => findMisfit(one, specOf(pod)) === undefined)
    .toSorted(
      (one, other) => load(context, one) - load(context, other) || (nameOf(one) < nameOf(other) ? -1 : 1),
    );
  if (node === undefined) {
    await refuse(context, pod, { nodes, recorder });
    return RETRY_MS;
  }
  await bind(context, pod, node);
  return undefined;
}

function load(context: ControllerContext, node: KubernetesObject): number {
  return context
    .informer("pods")
    .list()
    .filter((pod) => nodeOf(pod) === nameOf(node)).length;
}

async function bind(
  context: ControllerContext,
  pod: KubernetesObject,
  node: KubernetesObject,
): Promise<void> {
  const { namespace = "", uid } = pod.metadata;
  const binding: KubernetesObject = {
    apiVersion: "v1",
    kind: "Binding",
    metadata: { name: nameOf(pod), namespace, ...(uid !== undefined && { uid }) },
    target: { kind: "Node", name: nameOf(node) },
  };
  const { signal } = context;
  try {
    await context.resource("pods").post(nameOf(pod), binding, { namespace, subresource: "binding", signal });
  } catch (error) {
    // Gone, or bound meanwhile: either way there is nothing left to do.
    if (isRefusal(error, 404) || isRefusal(error, 409)) return;
    throw error;
  }
  await tell(context, pod, node).catch(context.onError);
}

/** As the scheduler writes it: a time of its own and no count, which is the newer kind of event. */
async function tell(
  context: ControllerContext,
  pod: KubernetesObject,
  node: KubernetesObject,
): Promise<void> {
  const { namespace = "" } = pod.metadata;
  const now = context.clock.now();
  const stamp = (BigInt(Math.round(now)) * 1_000_000n).toString(16);
  const events = context.client.resource({ group: "", version: "v1", resource: "events", namespaced: true });
  const event: KubernetesObject = {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: `${nameOf(pod)}.${stamp}`, namespace },
    involvedObject: referenceTo(pod),
    reason: "Scheduled",
    message: `Successfully assigned ${namespace}/${nameOf(pod)} to ${nameOf(node)}`,
    source: {},
    firstTimestamp: null,
    lastTimestamp: null,
    type: "Normal",
    eventTime: formatTime(now).replace("Z", `.${String(Math.floor(now % 1000)).padStart(3, "0")}000Z`),
    action: "Binding",
    reportingComponent: NAME,
    reportingInstance: NAME,
  };
  await events.create(event, { signal: context.signal });
}

async function refuse(
  context: ControllerContext,
  pod: KubernetesObject,
  about: { readonly nodes: readonly KubernetesObject[]; readonly recorder: EventRecorder },
): Promise<void> {
  const message = explain(about.nodes, pod);
  const known = conditionOf(pod, "PodScheduled");
  if (known?.["status"] === "False" && known["message"] === message) return;
  about.recorder.record(pod, { type: "Warning", reason: "FailedScheduling", message });
  const status = statusOf(pod);
  const text = { type: "PodScheduled", status: "False", reason: "Unschedulable", message } as const;
  const conditions = setCondition(conditionsIn(status), text, { now: context.clock.now(), touch: true });
  await context
    .resource("pods")
    .updateStatus(withStatus(pod, { ...status, conditions }), { signal: context.signal });
}

/** Each reason with the number of Nodes it keeps the Pod from. */
function explain(nodes: readonly KubernetesObject[], pod: KubernetesObject): string {
  if (nodes.length === 0) return "no nodes available to schedule pods";
  const counts = new Map<string, number>();
  for (const node of nodes) {
    const misfit = findMisfit(node, specOf(pod)) ?? "";
    counts.set(misfit, (counts.get(misfit) ?? 0) + 1);
  }
  const reasons = [...counts]
    .map(([reason, count]) => `${count} ${reason}`)
    .toSorted((a, b) => (a < b ? -1 : 1));
  return `0/${nodes.length} nodes are available: ${reasons.join(", ")}.`;
}
