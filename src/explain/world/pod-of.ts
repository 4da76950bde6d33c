/** The Pod that an object is, or that its template makes. */
import { podSpecPlace } from "../../admission/index.ts";
import {
  applyDefaults,
  findKind,
  type JsonObject,
  type KubernetesObject,
  parseApiVersion,
} from "../../kubernetes/index.ts";
import { isObject, objectAt, textAt } from "../json.ts";

/** Where kinds that nobody here knows usually keep their template. */
const GUESSES: readonly (readonly string[])[] = [
  ["spec", "template"],
  ["spec", "jobTemplate", "spec", "template"],
  ["template"],
  ["spec", "podTemplate"],
];

/** The members that lead to a Pod's template; empty for a Pod itself, undefined for what makes no Pods. */
export function templatePath(object: KubernetesObject): readonly string[] | undefined {
  const { apiVersion, kind } = object;
  const resource = findKind({ ...parseApiVersion(apiVersion), kind });
  const place = resource === undefined ? undefined : podSpecPlace(resource);
  if (place !== undefined) return place.path.slice(0, -1);
  if (resource !== undefined) return undefined;
  return GUESSES.find((path) => Array.isArray(objectAt(object, ...path, "spec")["containers"]));
}

/**
 * The Pod as it would be sent to the API server, completed with its defaults. One made of a template gets its owner's
 * name. Undefined for objects without Pods.
 */
export function podOf(object: KubernetesObject): KubernetesObject | undefined {
  const path = templatePath(object);
  if (path === undefined) return undefined;
  const owner = applyDefaults(withNamespace(object));
  if (path.length === 0) return owner;
  const template = objectAt(owner, ...path);
  const { labels, annotations } = objectAt(template, "metadata");
  const pod: KubernetesObject = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: textAt(object, "metadata", "name") || textAt(object, "metadata", "generateName") || "pod",
      namespace: namespaceOf(object),
      ...(isObject(labels) && { labels: labels as { readonly [name: string]: string } }),
      ...(isObject(annotations) && { annotations: annotations as { readonly [name: string]: string } }),
    },
    spec: objectAt(template, "spec"),
  };
  return applyDefaults(pod);
}

/** As it is written, before any default. */
export function writtenSpec(object: KubernetesObject): JsonObject {
  return objectAt(object, ...(templatePath(object) ?? []), "spec");
}

/** Whether an API server made this object what it is. */
export function isStored(object: KubernetesObject): boolean {
  const { uid, creationTimestamp } = objectAt(object, "metadata");
  return typeof uid === "string" && uid !== "" && typeof creationTimestamp === "string";
}

export function namespaceOf(object: KubernetesObject): string {
  return textAt(object, "metadata", "namespace") || "default";
}

export interface Maker {
  readonly kind: string;
  readonly name: string;
}

/**
 * What has to be changed for other Pods to be made: the last of the makers, also where it couldn't be looked at. A
 * Deployment marks its Pods with what it puts behind its own name for its ReplicaSets.
 *
 * @param owner the last maker that was found
 */
export function makerOf(pod: KubernetesObject, owner: KubernetesObject | undefined): Maker | undefined {
  const maker =
    controllerOf(owner ?? pod) ?? (owner && { kind: owner.kind, name: owner.metadata.name ?? "" });
  const hash = pod.metadata.labels?.["pod-template-hash"] ?? "";
  if (maker?.kind !== "ReplicaSet" || hash === "" || !maker.name.endsWith(`-${hash}`)) return maker;
  return { kind: "Deployment", name: maker.name.slice(0, -hash.length - 1) };
}

/** Of a Pod, or of what made it. */
export function controllerOf(
  object: KubernetesObject,
): (Maker & { readonly apiVersion: string }) | undefined {
  const { ownerReferences = [] } = object.metadata;
  const controller = ownerReferences.find((owner) => owner.controller === true);
  return controller && { apiVersion: controller.apiVersion, kind: controller.kind, name: controller.name };
}

function withNamespace(object: KubernetesObject): KubernetesObject {
  return { ...object, metadata: { ...objectAt(object, "metadata"), namespace: namespaceOf(object) } };
}
