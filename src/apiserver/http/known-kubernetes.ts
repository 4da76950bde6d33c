/** What a whole Kubernetes has and dray doesn't, so that a refusal can say that it isn't a slip of the pen. */
import { failure, type StatusError } from "../../kubernetes/index.ts";

const GROUPS: ReadonlySet<string> = new Set([
  "admissionregistration.k8s.io",
  "apiextensions.k8s.io",
  "apiregistration.k8s.io",
  "autoscaling",
  "certificates.k8s.io",
  "discovery.k8s.io",
  "flowcontrol.apiserver.k8s.io",
  "internal.apiserver.k8s.io",
  "metrics.k8s.io",
  "networking.k8s.io",
  "node.k8s.io",
  "policy",
  "rbac.authorization.k8s.io",
  "resource.k8s.io",
  "scheduling.k8s.io",
  "storage.k8s.io",
  "storagemigration.k8s.io",
]);

const RESOURCES: Readonly<Record<string, readonly string[]>> = {
  "": [
    "componentstatuses",
    "endpoints",
    "limitranges",
    "nodes/proxy",
    "persistentvolumeclaims",
    "persistentvolumes",
    "pods/resize",
    "replicationcontrollers/scale",
    "resourcequotas",
    "services",
  ],
  "authentication.k8s.io": ["tokenreviews"],
  "authorization.k8s.io": ["localsubjectaccessreviews", "subjectaccessreviews"],
  "coordination.k8s.io": ["leasecandidates"],
};

/** What of a Pod only its running containers could answer. */
const OF_CONTAINERS: readonly string[] = ["pods/attach", "pods/exec", "pods/portforward", "pods/proxy"];

/** Whether a path below `/apis/` is of a group that Kubernetes has and we don't. */
export function isKnownGroup(group: string): boolean {
  return GROUPS.has(group);
}

/** The answer for a resource we don't have, or for a whole group where that is empty. */
export function unknownResource(group: string, resource: string): StatusError {
  const text = "the server could not find the requested resource";
  if (group === "" && OF_CONTAINERS.includes(resource)) {
    return failure("NotFound", `${text}: dray brings images to nodes and runs no containers`, {});
  }
  const name = [resource, group].filter((part) => part !== "").join(".");
  const known = GROUPS.has(group) || RESOURCES[group]?.includes(resource) === true;
  if (!known) return failure("NotFound", text, {});
  return failure(
    "NotFound",
    `${text}: dray keeps only kinds that have to do with images, and not ${name}`,
    {},
  );
}
