/** Which Secrets a Pod names, wherever it may. */
import type { JsonObject } from "../../kubernetes/index.ts";
import { isObject, objectsOf, textOf } from "../json.ts";
import { CONTAINER_LISTS } from "../pod-images.ts";

/** Members of a volume whose `secretRef` or `nodePublishSecretRef` names a Secret of the Pod's namespace. */
const SECRET_REF_VOLUMES = [
  "azureFile",
  "cephfs",
  "cinder",
  "csi",
  "flexVolume",
  "rbd",
  "scaleIO",
  "iscsi",
  "storageos",
];

/** Every Secret a Pod spec names, in the order Kubernetes visits them. Empty names of pull secrets count, too. */
export function* secretNames(spec: JsonObject): Generator<string> {
  for (const reference of objectsOf(spec["imagePullSecrets"])) yield textOf(reference["name"]);
  for (const list of CONTAINER_LISTS) {
    for (const container of objectsOf(spec[list])) {
      yield* wholeSecrets(container);
      for (const { secret } of envSecrets(container)) yield secret;
    }
  }
  for (const volume of objectsOf(spec["volumes"])) yield* volumeSecrets(volume);
}

/** Environment variables whose value is one key of a Secret. */
export function envSecrets(
  container: JsonObject,
): readonly { readonly variable: string; readonly secret: string }[] {
  return objectsOf(container["env"]).flatMap((variable) => {
    const { name, valueFrom } = variable;
    const reference = isObject(valueFrom) ? valueFrom["secretKeyRef"] : undefined;
    return isObject(reference) ? [{ variable: textOf(name), secret: textOf(reference["name"]) }] : [];
  });
}

/** Secrets all of whose keys become environment variables. */
export function wholeSecrets(container: JsonObject): readonly string[] {
  return objectsOf(container["envFrom"]).flatMap(({ secretRef }) =>
    isObject(secretRef) ? [textOf(secretRef["name"])] : [],
  );
}

/** Whether a volume of the Pod holds a token of a ServiceAccount. */
export function projectsToken(spec: JsonObject): boolean {
  return objectsOf(spec["volumes"]).some((volume) =>
    projectedSources(volume).some(({ serviceAccountToken }) => isObject(serviceAccountToken)),
  );
}

function* volumeSecrets(volume: JsonObject): Generator<string> {
  const { secret } = volume;
  if (isObject(secret)) yield textOf(secret["secretName"]);
  for (const source of projectedSources(volume)) {
    if (isObject(source["secret"])) yield textOf(source["secret"]["name"]);
  }
  for (const member of SECRET_REF_VOLUMES) {
    const source = volume[member];
    if (!isObject(source)) continue;
    if (member === "azureFile") yield textOf(source["secretName"]);
    const reference = source["secretRef"] ?? source["nodePublishSecretRef"];
    if (isObject(reference)) yield textOf(reference["name"]);
  }
}

function projectedSources(volume: JsonObject): readonly JsonObject[] {
  const { projected } = volume;
  return isObject(projected) ? objectsOf(projected["sources"]) : [];
}
