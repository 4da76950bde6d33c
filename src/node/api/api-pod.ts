/** Pods of the API, as this node needs them: the API has checked them and filled in what they left out. */
import {
  type Container,
  type ImageVolume,
  type Json,
  type JsonObject,
  type KubernetesObject,
  PULL_POLICIES,
  RESTART_POLICIES,
} from "../../kubernetes/index.ts";
import type { NodePod } from "../pod-source.ts";
import type { PodStatus, QosClass } from "../status/pod-status.ts";

/** On a Pod that only shows what stands in a file of its node. */
export const MIRROR_ANNOTATION = "kubernetes.io/config.mirror";

export function isMirror(pod: KubernetesObject): boolean {
  return pod.metadata.annotations?.[MIRROR_ANNOTATION] !== undefined;
}

export function toNodePod(object: KubernetesObject): NodePod {
  const { name = "", namespace = "default", uid = "", annotations = {}, deletionTimestamp } = object.metadata;
  const spec = record(object["spec"]);
  const status = object["status"];
  const qosClass = record(status)["qosClass"];
  const serviceAccountName = text(spec["serviceAccountName"]);
  const restartPolicy = RESTART_POLICIES.find((known) => known === spec["restartPolicy"]);
  return {
    key: `${namespace}/${name}`,
    uid,
    pod: {
      kind: "Pod",
      metadata: { name, namespace, uid, annotations },
      spec: {
        initContainers: records(spec["initContainers"]).map((one) => toContainer(one)),
        containers: records(spec["containers"]).map((one) => toContainer(one)),
        ephemeralContainers: records(spec["ephemeralContainers"]).map((one) => toContainer(one)),
        imageVolumes: records(spec["volumes"]).flatMap((volume) => toImageVolume(volume)),
        imagePullSecrets: records(spec["imagePullSecrets"]).map((one) => text(one["name"])),
        ...(serviceAccountName !== "" && { serviceAccountName }),
        ...(typeof spec["priority"] === "number" && { priority: spec["priority"] }),
        ...(restartPolicy && { restartPolicy }),
      },
    },
    ...(deletionTimestamp !== undefined && { deleting: true }),
    ...(hasStatus(status) && { status: status as unknown as PodStatus }),
    ...(typeof qosClass === "string" && { qosClass: qosClass as QosClass }),
  };
}

/** One that a node has written before, not the few words the API begins with. */
function hasStatus(status: Json | undefined): boolean {
  const { startTime, conditions, containerStatuses } = record(status);
  return typeof startTime === "string" && Array.isArray(conditions) && Array.isArray(containerStatuses);
}

function toContainer(container: JsonObject): Container {
  const volumeMounts = records(container["volumeMounts"]).map((one) => text(one["name"]));
  const restartPolicy = RESTART_POLICIES.find((known) => known === container["restartPolicy"]);
  const { limits, requests } = record(container["resources"]);
  const hasResources = limits !== undefined || requests !== undefined;
  return {
    name: text(container["name"]),
    image: text(container["image"]),
    imagePullPolicy: policy(container["imagePullPolicy"]),
    ...(volumeMounts.length > 0 && { volumeMounts }),
    ...(restartPolicy && { restartPolicy }),
    ...(hasResources && { resources: { limits: quantities(limits), requests: quantities(requests) } }),
  };
}

function toImageVolume(volume: JsonObject): readonly ImageVolume[] {
  const image = volume["image"];
  if (image === undefined || image === null) return [];
  const { reference, pullPolicy } = record(image);
  return [{ name: text(volume["name"]), reference: text(reference), pullPolicy: policy(pullPolicy) }];
}

function policy(value: Json | undefined): Container["imagePullPolicy"] {
  return PULL_POLICIES.find((known) => known === value) ?? "IfNotPresent";
}

function quantities(value: Json | undefined): Record<string, string> {
  const entries = Object.entries(record(value));
  return Object.fromEntries(
    entries.map(([name, one]) => [name, typeof one === "number" ? `${one}` : text(one)]),
  );
}

function record(value: Json | undefined): JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};
}

function records(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? value.map((one: Json) => record(one)) : [];
}

function text(value: Json | undefined): string {
  return typeof value === "string" ? value : "";
}
