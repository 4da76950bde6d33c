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
  const { kind, apiVersion, ...rest } = object;
  return JSON.stringify({ kind, apiVersion, ...rest });
}

/** The same text as it stands in a list, where the list says the kind for all. */
export function stripKind(
  text: string,
  object: { readonly kind: string; readonly apiVersion: string },
): string {
  const head = `{"kind":${JSON.stringify(object.kind)},"apiVersion":${JSON.stringify(object.apiVersion)},`;
  return text.startsWith(head) ? `{${text.slice(head.length)}` : text;
}

/** Puts `resourceVersion` where Kubernetes has it: behind the names and the uid. */
export function withRevision(
  object: KubernetesObject,
  resourceVersion: string | undefined,
): KubernetesObject {
  const { name, generateName, namespace, uid, resourceVersion: _, ...rest } = object.metadata;
  const members: Readonly<Record<string, Json | undefined>> = {
    name,
    generateName,
    namespace,
    uid,
    resourceVersion,
  };
  const metadata: Record<string, Json | undefined> = {};
  for (const [member, value] of Object.entries(members)) if (value !== undefined) metadata[member] = value;
  return { ...object, metadata: { ...metadata, ...rest } as Metadata };
}
