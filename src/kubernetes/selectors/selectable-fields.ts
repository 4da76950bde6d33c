/** The fields that lists can be selected by: a short, closed table for each kind. */
import { goQuote } from "../../internal/go/quote.ts";
import { type Json, type JsonObject, type KubernetesObject, parseApiVersion } from "../objects/object.ts";

/** How a field's value is read from an object; always a text, empty where there's none. */
type Reader = (object: JsonObject) => string;

interface Kind {
  readonly fields: Readonly<Record<string, Reader>>;
  /** Old names of fields. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** What is said of a field that isn't here. */
  readonly refusal: (field: string) => string;
}

const METADATA: Readonly<Record<string, Reader>> = {
  "metadata.name": at("metadata", "name"),
  "metadata.namespace": at("metadata", "namespace"),
};

const notSupported = (field: string): string => `field label not supported: ${field}`;

const OTHERS: Kind = {
  fields: METADATA,
  refusal: (field) =>
    `${goQuote(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`,
};

const KINDS: Readonly<Record<string, Kind>> = {
  Pod: {
    fields: {
      ...METADATA,
      "spec.nodeName": at("spec", "nodeName"),
      "spec.restartPolicy": at("spec", "restartPolicy"),
      "spec.schedulerName": at("spec", "schedulerName"),
      "spec.serviceAccountName": at("spec", "serviceAccountName"),
      "spec.hostNetwork": flag("spec", "hostNetwork"),
      "status.phase": at("status", "phase"),
      "status.podIP": (pod) => at("status", "podIP")(pod) || firstAddress(pod),
      // Known, but compared with nothing.
      "status.podIPs": () => "",
      "status.nominatedNodeName": at("status", "nominatedNodeName"),
    },
    aliases: { "spec.host": "spec.nodeName" },
    refusal: notSupported,
  },
  Node: {
    fields: { "metadata.name": at("metadata", "name"), "spec.unschedulable": flag("spec", "unschedulable") },
    refusal: notSupported,
  },
  Namespace: {
    fields: { "metadata.name": at("metadata", "name"), "status.phase": at("status", "phase") },
    refusal: notSupported,
  },
  Secret: { fields: { ...METADATA, type: at("type") }, refusal: notSupported },
  ReplicationController: {
    fields: { ...METADATA, "status.replicas": number("status", "replicas") },
    refusal: notSupported,
  },
  "Job.batch": {
    fields: { ...METADATA, "status.successful": number("status", "succeeded") },
    refusal: (field) => `field label ${goQuote(field)} not supported for batchv1.Job`,
  },
  Event: {
    fields: {
      ...METADATA,
      ...involved("involvedObject", "involvedObject"),
      reason: at("reason"),
      reportingComponent: at("reportingComponent"),
      source: (event) => at("source", "component")(event) || at("reportingComponent")(event),
      type: at("type"),
    },
    refusal: notSupported,
  },
  "Event.events.k8s.io": {
    fields: {
      ...METADATA,
      ...involved("regarding", "regarding"),
      reason: at("reason"),
      reportingController: at("reportingController"),
      type: at("type"),
    },
    refusal: notSupported,
  },
};

export interface SelectableKind {
  /** The name the field goes by, or what is wrong with it. */
  resolve(field: string): { readonly field: string } | { readonly refusal: string };
  read(object: KubernetesObject, field: string): string;
}

export function selectableKind(kind: string, apiVersion: string): SelectableKind {
  const { group } = parseApiVersion(apiVersion);
  const name = group === "" ? kind : `${kind}.${group}`;
  const known = (Object.hasOwn(KINDS, name) ? KINDS[name] : undefined) ?? OTHERS;
  return {
    resolve(field) {
      const aliases = known.aliases ?? {};
      const real = (Object.hasOwn(aliases, field) ? aliases[field] : undefined) ?? field;
      return Object.hasOwn(known.fields, real) ? { field: real } : { refusal: known.refusal(field) };
    },
    read(object, field) {
      return (Object.hasOwn(known.fields, field) ? known.fields[field] : undefined)?.(object) ?? "";
    },
  };
}

function involved(prefix: string, member: string): Readonly<Record<string, Reader>> {
  const names = ["kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath"];
  return Object.fromEntries(names.map((name) => [`${prefix}.${name}`, at(member, name)]));
}

function at(...path: readonly string[]): Reader {
  return (object) => {
    const value = find(object, path);
    return typeof value === "string" ? value : "";
  };
}

function flag(...path: readonly string[]): Reader {
  return (object) => String(find(object, path) === true);
}

function number(...path: readonly string[]): Reader {
  return (object) => {
    const value = find(object, path);
    return typeof value === "number" ? String(value) : "0";
  };
}

function firstAddress(pod: JsonObject): string {
  const addresses = find(pod, ["status", "podIPs"]);
  const [first] = Array.isArray(addresses) ? (addresses as readonly Json[]) : [];
  const address = first === undefined ? undefined : find(first, ["ip"]);
  return typeof address === "string" ? address : "";
}

function find(object: Json, path: readonly string[]): Json | undefined {
  let value: Json | undefined = object;
  for (const name of path) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
    value = (value as JsonObject)[name];
  }
  return value;
}
