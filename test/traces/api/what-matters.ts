/** The part of an object that decides about images, in the form of the recordings. */
import type { Json, JsonObject } from "../../../src/kubernetes/index.ts";
import { isAbsent, listAt, objectAt, objectsAt, textAt } from "../../../src/kubernetes/objects/fields.ts";

const CONTAINER = ["name", "image", "imagePullPolicy", "restartPolicy"];
const LISTS = ["initContainers", "containers", "ephemeralContainers"];

export function whatMatters(object: JsonObject): JsonObject {
  switch (textAt(object, "kind")) {
    case "Pod":
      return ofPodSpec(objectAt(object, "spec") ?? {});
    case "Secret":
      return pick(object, ["type", "data", "immutable"]);
    case "ServiceAccount":
      return pick(object, ["imagePullSecrets"]);
    default: {
      const template = templateOf(object);
      return template === undefined ? {} : { template: ofPodSpec(objectAt(template, "spec") ?? {}) };
    }
  }
}

function templateOf(object: JsonObject): JsonObject | undefined {
  const spec = objectAt(object, "spec");
  const job = objectAt(objectAt(spec, "jobTemplate"), "spec");
  return objectAt(object, "template") ?? objectAt(spec, "template") ?? objectAt(job, "template");
}

function ofPodSpec(spec: JsonObject): JsonObject {
  const containers = LISTS.filter((list) => listAt(spec, list).length > 0).map((list) => [
    list,
    objectsAt(spec, list).map((one) => pick(one, CONTAINER)),
  ]);
  const volumes = objectsAt(spec, "volumes").filter((volume) => !isAbsent(volume["image"]));
  return {
    ...Object.fromEntries(containers),
    ...pick(spec, ["imagePullSecrets", "serviceAccountName", "restartPolicy"]),
    ...(volumes.length > 0 && { imageVolumes: volumes }),
  };
}

function pick(object: JsonObject, names: readonly string[]): Record<string, Json | undefined> {
  return Object.fromEntries(names.filter((name) => name in object).map((name) => [name, object[name]]));
}
