/** A ServiceAccount that lists which Secrets its Pods may use, and what is said to one that uses others. */
import type { JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import { objectsOf, textOf } from "../json.ts";
import { envSecrets, wholeSecrets } from "./secret-references.ts";

const ENFORCE_ANNOTATION = "kubernetes.io/enforce-mountable-secrets";
/** The words Go reads as true; anything else, also what it can't read, is false here. */
const TRUE = new Set(["1", "t", "T", "TRUE", "true", "True"]);

/** Whether the account asks for its list to be kept to. */
export function enforcesMountableSecrets(account: KubernetesObject): boolean {
  return TRUE.has(account.metadata.annotations?.[ENFORCE_ANNOTATION] ?? "");
}

/** What a new Pod uses that its account doesn't list; undefined when all is well. */
export function findForbiddenSecret(spec: JsonObject, account: KubernetesObject): string | undefined {
  const name = account.metadata.name ?? "";
  const mountable = namesOf(account["secrets"]);
  for (const { secret } of objectsOf(spec["volumes"])) {
    const secretName = secretNameOf(secret);
    if (secretName === undefined || mountable.has(secretName)) continue;
    return `volume with secret.secretName="${secretName}" is not allowed because service account ${name} does not reference that secret`;
  }
  const ofVariables =
    findForbiddenVariable(spec, account, "initContainers") ??
    findForbiddenVariable(spec, account, "containers");
  if (ofVariables !== undefined) return ofVariables;
  const pullable = namesOf(account["imagePullSecrets"]);
  for (const [index, reference] of objectsOf(spec["imagePullSecrets"]).entries()) {
    const secret = textOf(reference["name"]);
    if (pullable.has(secret)) continue;
    return `imagePullSecrets[${index}].name="${secret}" is not allowed because service account ${name} does not reference that imagePullSecret`;
  }
  return undefined;
}

const CONTAINER_WORDS = {
  initContainers: "init container",
  containers: "container",
  ephemeralContainers: "ephemeral container",
} as const;

export function findForbiddenVariable(
  spec: JsonObject,
  account: KubernetesObject,
  list: keyof typeof CONTAINER_WORDS,
): string | undefined {
  const mountable = namesOf(account["secrets"]);
  const says = `is not allowed because service account ${account.metadata.name ?? ""} does not reference that secret`;
  for (const container of objectsOf(spec[list])) {
    const subject = `${CONTAINER_WORDS[list]} ${textOf(container["name"])}`;
    const variable = envSecrets(container).find(({ secret }) => !mountable.has(secret));
    if (variable !== undefined) {
      return `${subject} with envVar ${variable.variable} referencing secret.secretName="${variable.secret}" ${says}`;
    }
    const whole = wholeSecrets(container).find((secret) => !mountable.has(secret));
    if (whole !== undefined)
      return `${subject} with envFrom referencing secret.secretName="${whole}" ${says}`;
  }
  return undefined;
}

function namesOf(references: unknown): ReadonlySet<string> {
  return new Set(objectsOf(references).map(({ name }) => textOf(name)));
}

function secretNameOf(source: unknown): string | undefined {
  const [secret] = objectsOf([source]);
  return secret === undefined ? undefined : textOf(secret["secretName"]);
}
