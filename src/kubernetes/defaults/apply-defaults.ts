/**
 * What the API server fills in where an object says nothing, kind by kind. The same object comes back where
 * nothing is missing; what is there is never changed, right or wrong.
 */
import { entriesAt, flagAt, mapObject, objectAt, textAt, withMembers } from "../objects/fields.ts";
import type { Json, JsonObject, KubernetesObject, Metadata } from "../objects/object.ts";
import { canonicalAmounts, dropEmpty, fillAbsent, fillEmpty } from "./fill.ts";
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
  "v1 ConfigMap": (object) => dropEmpty(object, ["data", "binaryData"]),
  "v1 ServiceAccount": defaultServiceAccount,
  "v1 Event": defaultEvent,
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

const METADATA_OMITTED = [
  "name",
  "generateName",
  "namespace",
  "selfLink",
  "uid",
  "resourceVersion",
  "labels",
  "annotations",
  "ownerReferences",
  "finalizers",
  "managedFields",
  "creationTimestamp",
  "deletionTimestamp",
];

/** The object as it is stored, but for what admission and the server itself add. */
export function applyDefaults<T extends KubernetesObject>(object: T): T {
  const metadata = dropEmpty(object.metadata ?? {}, METADATA_OMITTED) as Metadata;
  const tidy = withMembers(object, { metadata });
  const complete = KINDS[`${object.apiVersion} ${object.kind}`];
  return complete === undefined ? tidy : (complete(tidy) as T);
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
  return dropEmpty(fillEmpty(withMembers(secret, { data, stringData: undefined }), { type: "Opaque" }), [
    "data",
  ]);
}

function defaultServiceAccount(account: JsonObject): JsonObject {
  const secrets = account["imagePullSecrets"];
  const imagePullSecrets = Array.isArray(secrets)
    ? (secrets as readonly JsonObject[]).map((one) => dropEmpty(one, ["name"]))
    : secrets;
  return dropEmpty(withMembers(account, { imagePullSecrets }), ["secrets", "imagePullSecrets"]);
}

function defaultNamespace(namespace: JsonObject): JsonObject {
  const metadata = objectAt(namespace, "metadata") ?? {};
  const name = textAt(metadata, "name");
  const labels = { ...objectAt(metadata, "labels"), "kubernetes.io/metadata.name": name };
  return withMembers(namespace, {
    metadata: name === "" ? metadata : withMembers(metadata, { labels }),
    spec: objectAt(namespace, "spec") ?? {},
    status: objectAt(namespace, "status") ?? {},
  });
}

function defaultNode(node: JsonObject): JsonObject {
  const status = objectAt(node, "status") ?? {};
  const capacity = canonicalAmounts(status, "capacity");
  const tidy = withMembers(status, { capacity, allocatable: canonicalAmounts(status, "allocatable") });
  return withMembers(node, {
    spec:
      mapObject(node, "spec", (spec) =>
        flagAt(spec, "unschedulable") ? spec : withMembers(spec, { unschedulable: undefined }),
      ) ?? {},
    // A node that doesn't say what it keeps for itself gives everything away.
    status: fillAbsent(tidy, { allocatable: capacity }),
  });
}

function defaultEvent(event: JsonObject): JsonObject {
  return fillAbsent(event, {
    involvedObject: {},
    source: {},
    firstTimestamp: null,
    lastTimestamp: null,
    eventTime: null,
    reportingComponent: "",
    reportingInstance: "",
  });
}
