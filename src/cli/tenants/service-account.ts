/**
 * A tenant's entry among the Secrets that Pods of a namespace pull with: those of its `default` ServiceAccount. An
 * annotation says which entry was made for whom, so that no other is ever taken out.
 *
 * The list belongs to nobody as a whole and can't be merged by the server, so it is changed by a patch that holds for
 * the very account that was looked at, or not at all.
 */
import type { JsonObject, KubernetesObject } from "../../kubernetes/index.ts";

export const ACCOUNT = "default";

/** The annotation of a tenant; its value is the entry that was made for it. */
export function entryAnnotation(tenant: string): string {
  return `tenants.dray.dev/${tenant}`;
}

/** An account with nothing but the entry. */
export function accountWith(entry: string, tenant: string, namespace: string): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name: ACCOUNT, namespace, annotations: { [entryAnnotation(tenant)]: entry } },
    imagePullSecrets: [{ name: entry }],
  };
}

/** The patch that adds an entry; `undefined` where it is there. */
export function addEntry(
  account: KubernetesObject,
  entry: string,
  tenant: string,
): readonly JsonObject[] | undefined {
  const entries = entriesOf(account);
  if (entries?.some((one) => nameOf(one) === entry) === true) return undefined;
  const key = entryAnnotation(tenant);
  const { annotations } = account.metadata;
  return [
    unchanged(account),
    entries === undefined
      ? { op: "add", path: "/imagePullSecrets", value: [{ name: entry }] }
      : { op: "add", path: "/imagePullSecrets/-", value: { name: entry } },
    annotations === undefined
      ? { op: "add", path: "/metadata/annotations", value: { [key]: entry } }
      : { op: "add", path: `/metadata/annotations/${escape(key)}`, value: entry },
  ];
}

/** The patch that takes out the entry that was made for a tenant; `undefined` where none was. */
export function removeEntry(account: KubernetesObject, tenant: string): readonly JsonObject[] | undefined {
  const key = entryAnnotation(tenant);
  const { annotations = {} } = account.metadata;
  const entry = annotations[key];
  if (entry === undefined) return undefined;
  const entries = entriesOf(account) ?? [];
  const left = entries.filter((one) => nameOf(one) !== entry);
  const onlyAnnotation = Object.keys(annotations).length === 1;
  return [
    unchanged(account),
    ...(left.length === entries.length ? [] : [listLeft(left)]),
    { op: "remove", path: onlyAnnotation ? "/metadata/annotations" : `/metadata/annotations/${escape(key)}` },
  ];
}

function listLeft(left: readonly JsonObject[]): JsonObject {
  const path = "/imagePullSecrets";
  return left.length === 0 ? { op: "remove", path } : { op: "replace", path, value: left };
}

function unchanged({ metadata }: KubernetesObject): JsonObject {
  return { op: "test", path: "/metadata/resourceVersion", value: metadata.resourceVersion ?? "" };
}

function entriesOf(account: KubernetesObject): readonly JsonObject[] | undefined {
  const entries = account["imagePullSecrets"];
  return Array.isArray(entries) ? (entries as readonly JsonObject[]) : undefined;
}

function nameOf(entry: JsonObject): unknown {
  return entry["name"];
}

/** As JSON pointers want it. */
function escape(key: string): string {
  return key.replaceAll("~", "~0").replaceAll("/", "~1");
}
