/** Where each kind keeps its Pod spec: the one table that says so. */
import type { GroupVersionResource, JsonObject, KubernetesObject } from "../kubernetes/index.ts";
import { isObject } from "./json.ts";

/** The folder of `spec` and `metadata`: of the Pod itself, or of a template for Pods. */
const PLACES: Readonly<Record<string, readonly string[]>> = {
  "/pods": [],
  "/podtemplates": ["template"],
  "/replicationcontrollers": ["spec", "template"],
  "apps/daemonsets": ["spec", "template"],
  "apps/deployments": ["spec", "template"],
  "apps/replicasets": ["spec", "template"],
  "apps/statefulsets": ["spec", "template"],
  "batch/cronjobs": ["spec", "jobTemplate", "spec", "template"],
  "batch/jobs": ["spec", "template"],
};

/** The resources that hold a Pod spec, as `group/plural`; the core group's begin with the slash. */
export const POD_RESOURCES: readonly string[] = Object.keys(PLACES);

export interface PodSpecPlace {
  /** Members on the way from the object to its Pod spec, `spec` included. */
  readonly path: readonly string[];
  /** The same as validation writes it: `spec.template.spec`. */
  readonly field: string;
}

const FOUND: ReadonlyMap<string, PodSpecPlace> = new Map(
  Object.entries(PLACES).map(([resource, folder]) => {
    const path = [...folder, "spec"];
    return [resource, { path, field: path.join(".") }];
  }),
);

/** Where objects of a resource keep their Pod spec, whatever the version; undefined for those that have none. */
export function podSpecPlace(resource: GroupVersionResource): PodSpecPlace | undefined {
  return FOUND.get(`${resource.group}/${resource.resource}`);
}

export function isPodResource({ group, resource }: GroupVersionResource): boolean {
  return group === "" && resource === "pods";
}

/** The Pod spec at a place; undefined where the object isn't made as its kind says. */
export function readPodSpec(
  object: KubernetesObject | undefined,
  place: PodSpecPlace,
): JsonObject | undefined {
  let found: unknown = object;
  for (const member of place.path) found = isObject(found) ? found[member] : undefined;
  return isObject(found) ? found : undefined;
}

/** The same object with another Pod spec. */
export function withPodSpec(
  object: KubernetesObject,
  place: PodSpecPlace,
  spec: JsonObject,
): KubernetesObject {
  return replace(object, place.path, spec) as KubernetesObject;
}

function replace(object: JsonObject, path: readonly string[], value: JsonObject): JsonObject {
  const [member = "", ...rest] = path;
  const child = object[member];
  return {
    ...object,
    [member]: rest.length === 0 ? value : replace(isObject(child) ? child : {}, rest, value),
  };
}
