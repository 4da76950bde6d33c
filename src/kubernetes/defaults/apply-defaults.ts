/**
 * What the API server fills in where an object says nothing, kind by kind. The same object comes back where
 * nothing is missing; what is there is never changed, right or wrong.
 */
import { entriesAt, objectAt, textAt, withMembers } from "../objects/fields.ts";
import type { Json, JsonObject, KubernetesObject } from "../objects/object.ts";
import { fillAbsent, fillEmpty } from "./fill.ts";
import { defaultPod, defaultTemplate } from "./pod.ts";
import {
  defaultCronJob,
  defaultDaemonSet,
  defaultDeployment,
  defaultJob,
  defaultReplicaSet,
  defaultReplicationController,
  defaultStatefulSet,
} from "./workloads.ts";

/** By `apiVersion` and `kind`, since some kinds share a name. */
const KINDS: Readonly<Record<string, (object: JsonObject) => JsonObject>> = {
  "v1 Namespace": defaultNamespace,
  "v1 Node": defaultNode,
  "v1 Pod": defaultPod,
  "v1 PodTemplate": (object) =>
    withMembers(object, { template: defaultTemplate(objectAt(object, "template") ?? {}) }),
  "v1 ReplicationController": defaultReplicationController,
  "v1 Secret": defaultSecret,
  "apps/v1 DaemonSet": defaultDaemonSet,
  "apps/v1 Deployment": defaultDeployment,
  "apps/v1 ReplicaSet": defaultReplicaSet,
  "apps/v1 StatefulSet": defaultStatefulSet,
  "batch/v1 CronJob": defaultCronJob,
  "batch/v1 Job": defaultJob,
  "authentication.k8s.io/v1 TokenRequest": (object) =>
    withMembers(object, {
      spec: fillAbsent(objectAt(object, "spec") ?? {}, { expirationSeconds: 3600 }),
    }),
};

/** The object as it is stored, but for what admission and the server itself add. */
export function applyDefaults<T extends KubernetesObject>(object: T): T {
  const complete = KINDS[`${object.apiVersion} ${object.kind}`];
  return complete === undefined ? object : (complete(object) as T);
}

function defaultSecret(secret: JsonObject): JsonObject {
  const texts = entriesAt(secret, "stringData");
  const encoded = texts.map(([key, text]): [string, Json] => [
    key,
    Buffer.from(typeof text === "string" ? text : "").toString("base64"),
  ]);
  // What is given as text replaces what is given as base64, and is never given back.
  const data =
    encoded.length === 0 ? secret["data"] : { ...objectAt(secret, "data"), ...Object.fromEntries(encoded) };
  return fillEmpty(withMembers(secret, { data, stringData: undefined }), { type: "Opaque" });
}

function defaultNamespace(namespace: JsonObject): JsonObject {
  const metadata = objectAt(namespace, "metadata") ?? {};
  const name = textAt(metadata, "name");
  const labels = withMembers(objectAt(metadata, "labels") ?? {}, { "kubernetes.io/metadata.name": name });
  return withMembers(namespace, {
    metadata: name === "" ? metadata : withMembers(metadata, { labels }),
    spec: objectAt(namespace, "spec") ?? {},
    status: objectAt(namespace, "status") ?? {},
  });
}

function defaultNode(node: JsonObject): JsonObject {
  const status = objectAt(node, "status") ?? {};
  return withMembers(node, {
    spec: objectAt(node, "spec") ?? {},
    // A node that doesn't say what it keeps for itself gives everything away.
    status: fillAbsent(status, { allocatable: status["capacity"] }),
  });
}
