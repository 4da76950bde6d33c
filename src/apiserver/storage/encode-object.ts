import type { Json, KubernetesObject, Metadata } from "../../kubernetes/index.ts";
import type { ObjectKey, StoredObject } from "./storage.ts";

/** A state whose text is known; the object behind it is parsed on first use. */
export class EncodedObject implements StoredObject {
  readonly key: ObjectKey;
  readonly revision: number;
  readonly text: string;
  #object: KubernetesObject | undefined;

  constructor(key: ObjectKey, revision: number, text: string, object?: KubernetesObject) {
    this.key = key;
    this.revision = revision;
    this.text = text;
    this.#object = object;
  }

  get object(): KubernetesObject {
    return (this.#object ??= JSON.parse(this.text) as KubernetesObject);
  }
}

/** Puts the revision into an object and writes it down. */
export function encodeRevision(key: ObjectKey, object: KubernetesObject, revision: number): StoredObject {
  const stamped = withRevision(object, String(revision));
  return new EncodedObject(key, revision, encodeObject(stamped), stamped);
}

/** JSON that begins with `kind` and `apiVersion`, as answers of an API server do. */
export function encodeObject(object: KubernetesObject): string {
  const { kind, apiVersion, metadata, ...rest } = object;
  return JSON.stringify({ kind, apiVersion, metadata, ...rest });
}

/** The same text as it stands in a list, where the list says the kind for all. */
export function stripKind(
  text: string,
  object: { readonly kind: string; readonly apiVersion: string },
): string {
  const head = `{"kind":${JSON.stringify(object.kind)},"apiVersion":${JSON.stringify(object.apiVersion)},`;
  return text.startsWith(head) ? `{${text.slice(head.length)}` : text;
}

/** The members of metadata as Kubernetes orders them; a stranger goes last. */
const ORDER = [
  "name",
  "generateName",
  "namespace",
  "selfLink",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "deletionTimestamp",
  "deletionGracePeriodSeconds",
  "labels",
  "annotations",
  "ownerReferences",
  "finalizers",
  "managedFields",
] as const;

/** The object with that revision, or without any. */
export function withRevision(
  object: KubernetesObject,
  resourceVersion: string | undefined,
): KubernetesObject {
  const { metadata } = object;
  const ordered: Record<string, Json | undefined> = {};
  for (const member of ORDER) {
    const value = member === "resourceVersion" ? resourceVersion : metadata[member];
    if (value !== undefined) ordered[member] = value;
  }
  for (const [member, value] of Object.entries(metadata)) {
    if (!(member in ordered) && member !== "resourceVersion") ordered[member] = value;
  }
  return { ...object, metadata: ordered as Metadata };
}
