/** What the API server accepts and yet warns about, in the texts of its `Warning` headers. */
import { goQuote } from "../../internal/go/quote.ts";
import {
  entriesAt,
  isAbsent,
  numberAt,
  objectAt,
  objectsAt,
  sameJson,
  scalarText,
  textAt,
} from "../objects/fields.ts";
import type { JsonObject, KubernetesObject } from "../objects/object.ts";
import { ONE, parseQuantity } from "../objects/quantity.ts";
import { labelFaults } from "./names.ts";

const LISTS = ["initContainers", "containers", "ephemeralContainers"];

const DEPRECATED_LABELS: Readonly<Record<string, string>> = {
  "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
  "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
  "failure-domain.beta.kubernetes.io/region":
    'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
  "failure-domain.beta.kubernetes.io/zone":
    'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
  "beta.kubernetes.io/instance-type":
    'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
};

const ENFORCED = "kubernetes.io/enforce-mountable-secrets";

/** Where a kind keeps its template. */
const TEMPLATES: Readonly<Record<string, string>> = {
  PodTemplate: "template",
  ReplicationController: "spec.template",
  DaemonSet: "spec.template",
  Deployment: "spec.template",
  ReplicaSet: "spec.template",
  StatefulSet: "spec.template",
  Job: "spec.template",
  CronJob: "spec.jobTemplate.spec.template",
};

/** Kinds whose name goes on into their Pods' names. */
const NAMED_ON = new Set([
  "CronJob",
  "DaemonSet",
  "Deployment",
  "Job",
  "ReplicaSet",
  "ReplicationController",
  "StatefulSet",
]);

/** @param old what is stored, for an update */
export function warningsFor(object: KubernetesObject, old?: KubernetesObject): readonly string[] {
  if (object.kind === "Pod") return old === undefined ? warningsForPod(object) : [];
  if (object.kind === "ServiceAccount") return warningsForAccount(object, old);
  const path = Object.hasOwn(TEMPLATES, object.kind) ? TEMPLATES[object.kind] : undefined;
  if (path === undefined) return [];
  const [template, before] = [object, old].map((one) => find(one, path));
  const named =
    old === undefined && NAMED_ON.has(object.kind) ? nameWarnings(object, "Pod names and hostnames") : [];
  if (template === undefined || (old !== undefined && sameJson(template, before))) return named;
  return [...named, ...warningsForSpec(objectAt(template, "spec") ?? {}, `${path}.spec`)];
}

function warningsForPod(pod: KubernetesObject): readonly string[] {
  return [
    ...nameWarnings(pod, "the Pod's hostname"),
    ...warningsForSpec(objectAt(pod, "spec") ?? {}, "spec"),
  ];
}

function nameWarnings(object: KubernetesObject, where: string): readonly string[] {
  const faults = labelFaults(object.metadata.name ?? "");
  if (faults.length === 0) return [];
  return [
    `metadata.name: this is used in ${where}, which can result in surprising behavior; a DNS label is recommended: [${faults.join(" ")}]`,
  ];
}

function warningsForAccount(account: KubernetesObject, old: KubernetesObject | undefined): readonly string[] {
  const value = account.metadata.annotations?.[ENFORCED];
  if (value === undefined || value === old?.metadata.annotations?.[ENFORCED]) return [];
  return [
    `metadata.annotations[${ENFORCED}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`,
  ];
}

function warningsForSpec(spec: JsonObject, path: string): readonly string[] {
  const grace = numberAt(spec, "terminationGracePeriodSeconds") ?? 0;
  return [
    ...entriesAt(spec, "nodeSelector").flatMap(([name]) => {
      const why = Object.hasOwn(DEPRECATED_LABELS, name) ? DEPRECATED_LABELS[name] : undefined;
      return why === undefined ? [] : [`${path}.nodeSelector[${name}]: ${why}`];
    }),
    ...objectsAt(spec, "volumes").flatMap((volume, index) =>
      isAbsent(volume["gitRepo"])
        ? []
        : [`${path}.volumes[${index}].gitRepo: deprecated in v1.11, and disabled by default in v1.33+`],
    ),
    ...duplicates(objectsAt(spec, "hostAliases"), "ip", `${path}.hostAliases`, "ip"),
    ...duplicates(objectsAt(spec, "imagePullSecrets"), "name", `${path}.imagePullSecrets`, "name"),
    ...emptyNames(spec, `${path}.imagePullSecrets`),
    ...LISTS.flatMap((list) =>
      objectsAt(spec, list).flatMap((one, index) => containerWarnings(one, `${path}.${list}[${index}]`)),
    ),
    ...(grace < 0
      ? [
          `${path}.terminationGracePeriodSeconds: must be >= 0; negative values are invalid and will be treated as 1`,
        ]
      : []),
    ...portWarnings(spec, path),
  ];
}

function emptyNames(spec: JsonObject, path: string): readonly string[] {
  return objectsAt(spec, "imagePullSecrets").flatMap((secret, index) =>
    textAt(secret, "name") === "" ? [`${path}[${index}].name: invalid empty name ""`] : [],
  );
}

function duplicates(
  items: readonly JsonObject[],
  member: string,
  path: string,
  word: string,
): readonly string[] {
  const seen = new Set<string>();
  return items.flatMap((item, index) => {
    const value = textAt(item, member);
    if (!seen.has(value)) {
      seen.add(value);
      return [];
    }
    return [`${path}[${index}].${member}: duplicate ${word} ${goQuote(value)}`];
  });
}

function containerWarnings(container: JsonObject, path: string): readonly string[] {
  return [...fractions(container, path), ...hiddenVariables(container, path)];
}

/** Bytes don't come in parts. */
function fractions(container: JsonObject, path: string): readonly string[] {
  const resources = objectAt(container, "resources");
  return ["limits", "requests"].flatMap((member) =>
    entriesAt(resources, member).flatMap(([name, value]) => {
      const amount = parseQuantity(scalarText(value));
      if (name !== "memory" && name !== "ephemeral-storage") return [];
      if (amount === undefined || amount % ONE === 0n) return [];
      return [
        `${path}.resources.${member}[${name}]: fractional byte value ${goQuote(scalarText(value))} is invalid, must be an integer`,
      ];
    }),
  );
}

/** A second definition is meant where it builds on the first. */
function hiddenVariables(container: JsonObject, path: string): readonly string[] {
  const seen = new Set<string>();
  return objectsAt(container, "env").flatMap((variable, index) => {
    const name = textAt(variable, "name");
    const again = seen.has(name);
    seen.add(name);
    const builds = isAbsent(variable["valueFrom"]) && textAt(variable, "value").includes(`$(${name})`);
    if (!again || builds) return [];
    return [
      `${path}.env[${index}]: hides previous definition of ${goQuote(name)}, which may be dropped when using apply`,
    ];
  });
}

function portWarnings(spec: JsonObject, path: string): readonly string[] {
  const named = new Map<string, string>();
  return ["containers"].flatMap((list) =>
    objectsAt(spec, list).flatMap((container, index) => {
      const known = new Map<string, string>();
      return objectsAt(container, "ports").flatMap((port, place) => {
        const at = `${path}.${list}[${index}].ports[${place}]`;
        const warnings: string[] = [];
        const key = ["containerPort", "hostPort", "hostIP", "protocol"].map((name) => scalarText(port[name]));
        const same = known.get(key.join("/"));
        if (same === undefined) known.set(key.join("/"), at);
        else warnings.push(`${at}: duplicate port definition with ${same}`);
        const name = textAt(port, "name");
        const other = named.get(name);
        if (name !== "" && other === undefined) named.set(name, at);
        else if (name !== "") {
          warnings.push(
            `${at}: duplicate port name ${goQuote(name)} with ${other ?? ""}, services and probes that select ports by name will use ${other ?? ""}`,
          );
        }
        return warnings;
      });
    }),
  );
}

function find(object: KubernetesObject | undefined, path: string): JsonObject | undefined {
  let at: JsonObject | undefined = object;
  for (const name of path.split(".")) at = objectAt(at, name);
  return at;
}
