/** What to paste: commands and YAML in the user's own names. */
import type { PullSecret } from "../../credentials/index.ts";
import type { Advice, CredentialSourceTrace, ImageTrace, PodTrace } from "../trace.ts";

export type Place = Pick<PodTrace, "subject" | "account" | "pullSecrets">;

/** Docker Hub's logins are kept under the address of its first API. */
export function serverOf(registry: string): string {
  return registry === "docker.io" ? "https://index.docker.io/v1/" : registry;
}

/** Points the container at another image. */
export function changeImage(place: Place, image: ImageTrace, to: string): Advice {
  const { slot } = image;
  const { subject } = place;
  const target = targetOf(subject);
  if (slot.kind === "ephemeral" && subject.kind === "Pod") {
    // One that is there can't be changed, only joined by another.
    const command = `kubectl debug ${shell(subject.name)} -n ${shell(subject.namespace)} -c ${shell(`${slot.name}-2`)} --image=${shell(to)}`;
    return { text: "Add another one with an image that is there", command };
  }
  if (slot.kind === "volume" || target === undefined) {
    const text = "Name an image that is there";
    const yaml =
      slot.kind === "volume"
        ? `volumes:\n  - name: ${slot.name}\n    image: { reference: ${quoteYaml(to)} }`
        : `${LISTS[slot.kind]}:\n  - name: ${slot.name}\n    image: ${quoteYaml(to)}`;
    return { text, yaml };
  }
  return {
    text: "Name an image that is there",
    command: `kubectl set image ${target} ${slot.name}=${shell(to)} -n ${shell(subject.namespace)}`,
  };
}

export function makeSecret(place: Place, registries: readonly string[], name: string): Advice {
  const { namespace } = place.subject;
  const text = `Make Secret ${namespace}/${name}${sharedWords(registries)}`;
  return { text, command: createLine(place, registries, name) };
}

/** Puts another login into a Secret that is there. What else it holds goes. */
export function rewriteSecret(
  place: Place,
  registries: readonly string[],
  { name = "", type, entries }: Pick<CredentialSourceTrace, "name" | "type" | "entries">,
): Advice {
  if (type === "kubernetes.io/dockercfg") return remakeSecret(place, registries, name);
  const { namespace } = place.subject;
  const others = entries.length > 1 ? `; its other entries (${entries.length - 1}) go with it` : "";
  return {
    text: `Write Secret ${namespace}/${name} anew${sharedWords(registries)}${others}`,
    command: `${createLine(place, registries, name)} --dry-run=client -o yaml | kubectl apply -f -`,
  };
}

/** A Secret's type can't be changed, so it goes first. */
export function remakeSecret(place: Place, registries: readonly string[], name: string): Advice {
  const { namespace } = place.subject;
  return {
    text: `Delete Secret ${namespace}/${name} and make it anew${sharedWords(registries)}`,
    command: `kubectl delete secret ${shell(name)} -n ${shell(namespace)} && ${createLine(place, registries, name)}`,
  };
}

function sharedWords(registries: readonly string[]): string {
  return registries.length === 1 ? "" : `, with a login for each of ${registries.join(", ")}`;
}

/** kubectl's own command for it knows one registry. */
function createLine({ subject }: Place, registries: readonly string[], name: string): string {
  const [registry = "", ...more] = registries;
  if (more.length > 0) {
    const login = { username: "USER", password: "PASSWORD" };
    const auths = Object.fromEntries(registries.map((one) => [serverOf(one), login]));
    return `kubectl create secret generic ${shell(name)} -n ${shell(subject.namespace)} --type=kubernetes.io/dockerconfigjson --from-literal=.dockerconfigjson=${shell(JSON.stringify({ auths }))}`;
  }
  return `kubectl create secret docker-registry ${shell(name)} -n ${shell(subject.namespace)} --docker-server=${shell(serverOf(registry))} --docker-username=USER --docker-password=PASSWORD`;
}

/** The account's Secrets are copied into Pods that name none; a Pod that names some has to name this one, too. */
export function nameSecret(place: Place, name: string): readonly Advice[] {
  const { subject, account, pullSecrets } = place;
  if (pullSecrets.from === "pod" && pullSecrets.names.length > 0) {
    const names = [...new Set([...pullSecrets.names.filter((one) => one !== name), name])];
    return [nameInPod(subject, names)];
  }
  const names = new Set([...account.pullSecrets, name]);
  const body = JSON.stringify({ imagePullSecrets: [...names].map((one) => ({ name: one })) });
  const patch: Advice = {
    text: `Have ServiceAccount ${account.name} bring it along to all its new Pods`,
    command: `kubectl patch serviceaccount ${shell(account.name)} -n ${shell(subject.namespace)} -p ${shell(body)}`,
  };
  if (!subject.stored) return [patch];
  const text = "Then make this Pod anew: one that is there keeps the pull secrets it was made with";
  return [patch, { ...startAnew(place), text }];
}

const IN_TEMPLATE: ReadonlySet<string> = new Set([
  "Deployment",
  "StatefulSet",
  "DaemonSet",
  "ReplicaSet",
  "ReplicationController",
]);

function nameInPod(subject: Place["subject"], names: readonly string[]): Advice {
  const { kind, namespace, owner, stored } = subject;
  const made = kind === "Pod" ? owner : subject;
  const imagePullSecrets = names.map((name) => ({ name }));
  if (stored && made !== undefined && IN_TEMPLATE.has(made.kind)) {
    const body = JSON.stringify({ spec: { template: { spec: { imagePullSecrets } } } });
    return {
      text: `Have ${made.kind} ${made.name} name it for its Pods`,
      command: `kubectl patch ${made.kind.toLowerCase()} ${shell(made.name)} -n ${shell(namespace)} -p ${shell(body)}`,
    };
  }
  return {
    text: "Name it among the Pod's own pull secrets",
    yaml: `imagePullSecrets:\n${names.map((one) => `  - name: ${one}`).join("\n")}`,
  };
}

/** With nothing but kubectl; what is copied is seen by nobody. */
export function copySecret({ name, namespace, type }: PullSecret, to: string): Advice {
  const key = type === "kubernetes.io/dockercfg" ? ".dockercfg" : ".dockerconfigjson";
  const get = `kubectl get secret ${shell(name)} -n ${shell(namespace)} -o go-template='{{index .data "${key}" | base64decode}}'`;
  const make = `kubectl create secret generic ${shell(name)} -n ${shell(to)} --type=${shell(type)} --from-file=${key}=/dev/stdin`;
  return { text: `Copy the Secret from ${namespace} to ${to}`, command: `${get} | ${make}` };
}

/** Pods that wait take up what was mended at their next attempt; a new one at once. */
export function startAnew(place: Place): Advice {
  const { subject } = place;
  const namespace = shell(subject.namespace);
  return { text: "Start anew without the back-off", command: makeAnew(subject, namespace) };
}

function makeAnew(subject: Place["subject"], namespace: string): string {
  const { kind, name, owner } = subject;
  if (kind !== "Pod") return `kubectl rollout restart ${targetOf(subject) ?? ""} -n ${namespace}`;
  // Nobody would make it again.
  if (owner === undefined) {
    return `kubectl get pod ${shell(name)} -n ${namespace} -o yaml | kubectl replace --force -f -`;
  }
  return `kubectl delete pod ${shell(name)} -n ${namespace}`;
}

export function lookAt(text: string, command: string): Advice {
  return { text, command };
}

const LISTS = { container: "containers", init: "initContainers", ephemeral: "ephemeralContainers" } as const;

const SETTABLE: ReadonlySet<string> = new Set([...IN_TEMPLATE, "Pod", "CronJob"]);

/** What `kubectl set image` takes: a Pod's maker rather than the Pod, which would be made again as it was. */
function targetOf({ kind, name, owner }: Place["subject"]): string | undefined {
  const of = kind === "Pod" && owner !== undefined ? owner : { kind, name };
  return SETTABLE.has(of.kind) ? `${of.kind.toLowerCase()}/${shell(of.name)}` : undefined;
}

export function shell(word: string): string {
  return /^[\w./@%+=:,-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

function quoteYaml(text: string): string {
  return /^[\w./-]+(:[\w./-]+)*(@[\w:]+)?$/.test(text) ? text : JSON.stringify(text);
}
