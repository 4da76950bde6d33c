/** Which columns each kind has. A star marks those that only wide output shows, a number sign those of whole numbers. */
import type { Json, KubernetesObject } from "../../kubernetes/index.ts";
import * as objectRows from "./object-rows.ts";
import { podCells } from "./pod-row.ts";
import * as workloadRows from "./workload-rows.ts";

export interface Column {
  readonly name: string;
  readonly type: "string" | "integer";
  readonly format: "name" | "";
  readonly description: string;
  /** 0 is always shown, 1 in wide output. */
  readonly priority: number;
}

export interface TableLayout {
  readonly columns: readonly Column[];
  readonly cells: (it: KubernetesObject, now: number) => readonly Json[];
}

const TEMPLATE = ["*Containers: names of the containers", "*Images: what the containers run"] as const;
const NAME = "Name: unique within its namespace and kind";
const AGE = "Age: time since it was created";
const SELECTOR = "*Selector: labels of the Pods it counts as its own";

const LAYOUTS: Readonly<Record<string, TableLayout>> = {
  Pod: layout(podCells, [
    NAME,
    "Ready: containers that are ready, of all",
    "Status: what the Pod is doing, or what keeps it from running",
    "Restarts: how often its containers were restarted, and when last",
    AGE,
    "*IP: address of the Pod",
    "*Node: where it runs",
    "*Nominated Node: where it'll run once there is room",
    "*Readiness Gates: gates that are open, of all",
  ]),
  Deployment: layout(workloadRows.deploymentCells, [
    NAME,
    "Ready: Pods that are ready, of those wanted",
    "Up-to-date: Pods made from the present template",
    "Available: Pods ready for long enough",
    AGE,
    ...TEMPLATE,
    SELECTOR,
  ]),
  Scale: layout(workloadRows.scaleCells, [NAME, "#Desired: Pods wanted", "#Available: Pods there are", AGE]),
  ReplicaSet: layout(workloadRows.replicaSetCells, replicas()),
  ReplicationController: layout(workloadRows.replicationControllerCells, replicas()),
  StatefulSet: layout(workloadRows.statefulSetCells, [
    NAME,
    "Ready: Pods that are ready, of those wanted",
    AGE,
    ...TEMPLATE,
  ]),
  DaemonSet: layout(workloadRows.daemonSetCells, [
    NAME,
    "#Desired: nodes that should run it",
    "#Current: nodes that run it",
    "#Ready: nodes where it's ready",
    "#Up-to-date: nodes with the present template",
    "#Available: nodes where it has been ready for long enough",
    "Node Selector: labels of the nodes it wants",
    AGE,
    ...TEMPLATE,
    SELECTOR,
  ]),
  Job: layout(workloadRows.jobCells, [
    NAME,
    "Status: how the Job stands",
    "Completions: Pods that succeeded, of those wanted",
    "Duration: from start to end, or till now",
    AGE,
    ...TEMPLATE,
    SELECTOR,
  ]),
  CronJob: layout(workloadRows.cronJobCells, [
    NAME,
    "Schedule: when Jobs start, in cron's notation",
    "Timezone: of the schedule",
    "Suspend: whether no Jobs are started",
    "#Active: Jobs that run now",
    "Last Schedule: time since the last start",
    AGE,
    ...TEMPLATE,
    SELECTOR,
  ]),
  ControllerRevision: layout(workloadRows.revisionCells, [
    NAME,
    "Controller: what it's a state of",
    "#Revision: the higher, the later",
    AGE,
  ]),
  PodTemplate: layout(workloadRows.podTemplateCells, [
    NAME,
    "Containers: names of the containers",
    "Images: what the containers run",
    "Pod Labels: of the Pods made from it",
  ]),
  Event: layout(objectRows.eventCells, [
    "Last Seen: time since it happened last",
    "Type: Normal or Warning",
    "Reason: in one word",
    "Object: what it's about",
    "*Subobject: the part of the object it's about",
    "*Source: who reported it",
    "Message: what happened",
    "*First Seen: time since it happened first",
    "*#Count: how often it happened",
    "*Name: of the event itself",
  ]),
  Secret: layout(objectRows.secretCells, [
    NAME,
    "Type: what its data are for",
    "Data: number of entries",
    AGE,
  ]),
  ServiceAccount: layout(objectRows.serviceAccountCells, [NAME, "Secrets: number it lists", AGE]),
  ConfigMap: layout(objectRows.configMapCells, [NAME, "Data: number of entries", AGE]),
  Namespace: layout(objectRows.namespaceCells, [NAME, "Status: Active or Terminating", AGE]),
  Lease: layout(objectRows.leaseCells, [NAME, "Holder: who holds it", AGE]),
  Node: layout(objectRows.nodeCells, [
    NAME,
    "Status: whether it takes Pods",
    "Roles: from its labels",
    AGE,
    "Version: of its kubelet",
    "*Internal-IP: address within the cluster",
    "*External-IP: address from outside",
    "*OS-Image: operating system",
    "*Kernel-Version: kernel and architecture",
    "*Container-Runtime: name and version",
  ]),
};

/** For a kind of which nothing more is known than its name and age. */
const PLAIN: TableLayout = layout(
  (it) => [it.metadata.name ?? "", it.metadata.creationTimestamp ?? ""],
  [NAME, "Created At: when it was created"],
);

export function layoutOf(kind: string): TableLayout {
  return Object.hasOwn(LAYOUTS, kind) ? (LAYOUTS[kind] ?? PLAIN) : PLAIN;
}

function replicas(): readonly string[] {
  return [
    NAME,
    "#Desired: Pods wanted",
    "#Current: Pods made",
    "#Ready: Pods that are ready",
    AGE,
    ...TEMPLATE,
    SELECTOR,
  ];
}

function layout(cells: TableLayout["cells"], columns: readonly string[]): TableLayout {
  return { cells, columns: columns.map((column) => readColumn(column)) };
}

function readColumn(column: string): Column {
  const [, marks = "", name = "", description = ""] = /^([*#]*)([^:]+): (.*)$/.exec(column) ?? [];
  return {
    name,
    type: marks.includes("#") ? "integer" : "string",
    format: name === "Name" ? "name" : "",
    description,
    priority: marks.includes("*") ? 1 : 0,
  };
}
