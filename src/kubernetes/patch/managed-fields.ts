/**
 * `metadata.managedFields`: who set which fields. Those who apply are told apart by name and subresource, those who
 * update by version as well.
 */
import { encodeJson } from "../../internal/go/json-encode.ts";
import { compareBytes } from "../../internal/go/utf8.ts";
import { goQuote } from "../../internal/go/quote.ts";
import type { Json, JsonObject, KubernetesObject } from "../objects/object.ts";
import { type FieldSet, formatFields, isEmptySet, parseFields, union } from "./field-set.ts";
import { isList, isObject, memberOf, membersOf, withMember, withoutMember } from "./json.ts";

export interface Manager {
  readonly name: string;
  readonly operation: "Apply" | "Update";
  readonly apiVersion: string;
  /** Empty for the object itself. */
  readonly subresource: string;
}

export interface ManagedEntry extends Manager {
  readonly fields: FieldSet;
  /** Absent where an apply changed nothing. */
  readonly time?: string;
}

/** By what tells managers apart. */
export type Managed = ReadonlyMap<string, ManagedEntry>;

/** More who update are put together, the oldest first, whenever one of them comes. */
const MAX_UPDATERS = 10;
const OLD_UPDATERS = "ancient-changes";

/** In an order that messages keep. */
export function managerKey(manager: Manager): string {
  const { name, operation, apiVersion, subresource } = manager;
  return encodeJson({
    manager: name,
    operation,
    ...(operation === "Update" && { apiVersion }),
    ...(subresource !== "" && { subresource }),
  });
}

export function formatTime(time: Date): string {
  return `${time.toISOString().slice(0, 19)}Z`;
}

/** Undefined where any entry isn't what it should be; nothing managed where there's no list. */
export function parseManaged(list: Json | undefined): Managed | undefined {
  if (list === undefined || list === null) return new Map();
  if (!isList(list)) return undefined;
  const entries = list.map((one) => parseEntry(one));
  if (entries.includes(undefined)) return undefined;
  return new Map((entries as ManagedEntry[]).map((entry) => [managerKey(entry), entry]));
}

function parseEntry(entry: Json): ManagedEntry | undefined {
  if (!isObject(entry)) return undefined;
  const operation = textIn(entry, "operation");
  const apiVersion = textIn(entry, "apiVersion");
  const written = memberOf(entry, "fieldsV1");
  const fields = written === undefined ? parseFields({}) : parseFields(written);
  if (operation !== "Apply" && operation !== "Update") return undefined;
  if (apiVersion === "" || textIn(entry, "fieldsType") !== "FieldsV1" || fields === undefined) {
    return undefined;
  }
  const time = textIn(entry, "time");
  return {
    name: textIn(entry, "manager"),
    operation,
    apiVersion,
    subresource: textIn(entry, "subresource"),
    fields,
    ...(time !== "" && { time }),
  };
}

export function formatManaged(managed: Managed): readonly JsonObject[] {
  return [...managed.values()].toSorted(compareEntries).map((entry) => ({
    manager: entry.name,
    operation: entry.operation,
    apiVersion: entry.apiVersion,
    ...(entry.time !== undefined && { time: entry.time }),
    fieldsType: "FieldsV1",
    fieldsV1: formatFields(entry.fields),
    ...(entry.subresource !== "" && { subresource: entry.subresource }),
  }));
}

function compareEntries(a: ManagedEntry, b: ManagedEntry): number {
  return (
    compareBytes(a.operation, b.operation) ||
    secondsOf(a) - secondsOf(b) ||
    compareBytes(a.name, b.name) ||
    compareBytes(a.apiVersion, b.apiVersion) ||
    compareBytes(a.subresource, b.subresource)
  );
}

/** As it stands in messages: `"kubectl-edit" with subresource "status" using v1`. */
export function describeManager(manager: Manager): string {
  const place = manager.subresource === "" ? "" : ` with subresource ${goQuote(manager.subresource)}`;
  const version = manager.operation === "Update" ? ` using ${manager.apiVersion}` : "";
  return `${goQuote(manager.name)}${place}${version}`;
}

/** Without entries that own nothing, and with few updaters. */
export function settle(managed: Managed): Managed {
  const kept = new Map([...managed].filter(([, entry]) => !isEmptySet(entry.fields)));
  const updaters = [...kept]
    .filter(([, entry]) => entry.operation === "Update")
    .toSorted(([a, one], [b, other]) => secondsOf(one) - secondsOf(other) || compareBytes(a, b));
  const firsts = new Map<string, string>();
  let count = updaters.length;
  for (const [key, entry] of updaters) {
    if (count <= MAX_UPDATERS) break;
    const { apiVersion } = entry;
    const bucket: Manager = { name: OLD_UPDATERS, operation: "Update", apiVersion, subresource: "" };
    const bucketKey = managerKey(bucket);
    const first = firsts.get(apiVersion);
    if (first === undefined) {
      firsts.set(apiVersion, key);
      continue;
    }
    const old = kept.get(bucketKey) ?? kept.get(first);
    kept.delete(first);
    kept.delete(key);
    const fields = old === undefined ? entry.fields : union(old.fields, entry.fields);
    kept.set(bucketKey, { ...bucket, fields, ...(entry.time !== undefined && { time: entry.time }) });
    firsts.set(apiVersion, bucketKey);
    count--;
  }
  return kept;
}

export function managedFieldsOf(object: KubernetesObject | undefined): Json | undefined {
  return isObject(object?.metadata) ? memberOf(object.metadata, "managedFields") : undefined;
}

/** The very object where nothing has to change. */
export function withManaged(object: KubernetesObject, managed: Managed): KubernetesObject {
  if (managed.size === 0) return withoutManaged(object);
  const metadata = isObject(object.metadata) ? object.metadata : {};
  const list = formatManaged(managed);
  return withMember(object, "metadata", withMember(metadata, "managedFields", list)) as KubernetesObject;
}

export function withoutManaged(object: KubernetesObject): KubernetesObject {
  if (!isObject(object.metadata) || !Object.hasOwn(object.metadata, "managedFields")) return object;
  const metadata = withoutMember(object.metadata, "managedFields");
  return withMember(object, "metadata", metadata) as KubernetesObject;
}

/** `[{}]`: the one way to have all ownership forgotten. An empty list is what clients that know nothing of it send. */
export function isReset(list: Json | undefined): boolean {
  const [only] = isList(list) && list.length === 1 ? list : [];
  return isObject(only) && membersOf(only).length === 0;
}

function secondsOf(entry: ManagedEntry): number {
  const time = entry.time === undefined ? Number.NaN : Date.parse(entry.time);
  return Number.isNaN(time) ? 0 : Math.floor(time / 1000);
}

function textIn(object: JsonObject, name: string): string {
  const value = memberOf(object, name);
  return typeof value === "string" ? value : "";
}
