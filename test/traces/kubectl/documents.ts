/**
 * Discovery and OpenAPI documents are recorded once, whole. Ours speak of fewer kinds: what they say of those has to
 * be what the recorded ones say.
 */
import { differences, isRecord, type Json, type JsonObject, list, member } from "./json.ts";

/** By the name other recordings call them: `aggregated-core`. */
export type Documents = Readonly<Record<string, JsonObject>>;

/** @param reference as a recording quotes it: `discovery.json: aggregated-core` */
export function compareDocument(documents: Documents, reference: string, text: string): readonly string[] {
  const name = reference.split(": ")[1] ?? reference;
  const recorded = member(documents[name], "body");
  const ours = parse(text);
  if (ours === undefined) return [`not JSON: ${text.slice(0, 100)}`];
  if (!isRecord(recorded)) return [];
  if (ours["kind"] !== (recorded as JsonObject)["kind"]) {
    return [
      `kind: ${String((recorded as JsonObject)["kind"] as string)} ≠ ${String(ours["kind"] as string)}`,
    ];
  }
  switch (String(ours["kind"] as string)) {
    case "APIGroupDiscoveryList":
      return list(ours["items"]).flatMap((group) => compareGroup(recorded, group));
    case "APIResourceList":
      return list(ours["resources"]).flatMap((one) =>
        compareEntry(member(recorded, "resources"), one, "name"),
      );
    case "APIGroupList":
      return list(ours["groups"]).flatMap((one) => compareNames(member(recorded, "groups"), one));
    default:
      return isRecord(ours["paths"]) ? comparePaths(recorded, ours["paths"] as JsonObject) : [];
  }
}

function parse(text: string): JsonObject | undefined {
  try {
    return JSON.parse(text) as JsonObject;
  } catch {
    return undefined;
  }
}

function compareGroup(recorded: Json, group: JsonObject): readonly string[] {
  const name = member(group, "metadata", "name");
  const same = list(member(recorded, "items")).find((one) => member(one, "metadata", "name") === name);
  if (same === undefined) return [`group ${JSON.stringify(name) ?? ""}: unknown to the recording`];
  return list(group["versions"]).flatMap((version) => {
    const other = list(same["versions"]).find((one) => one["version"] === version["version"]);
    return list(version["resources"]).flatMap((one) =>
      compareEntry(member(other, "resources"), one, "resource"),
    );
  });
}

/** Subresources that ours doesn't serve may be missing; nothing else may. */
function compareEntry(recorded: Json | undefined, entry: JsonObject, key: string): readonly string[] {
  const name = entry[key];
  const same = list(recorded).find((one) => one[key] === name);
  if (same === undefined) return [`${JSON.stringify(name) ?? ""}: unknown to the recording`];
  const served = new Set(list(entry["subresources"]).map((one) => one["subresource"]));
  const subresources = list(same["subresources"]).filter((one) => served.has(one["subresource"]));
  const wanted = served.size === 0 ? without(same, "subresources") : { ...same, subresources };
  return differences(wanted, entry).map((one) => `${JSON.stringify(name) ?? ""}: ${one}`);
}

function compareNames(recorded: Json | undefined, group: JsonObject): readonly string[] {
  const same = list(recorded).find((one) => one["name"] === group["name"]);
  return same === undefined
    ? [`group ${JSON.stringify(group["name"]) ?? ""}: unknown to the recording`]
    : differences(same["preferredVersion"], group["preferredVersion"]);
}

function comparePaths(recorded: Json, paths: JsonObject): readonly string[] {
  const known = member(recorded, "paths");
  return Object.keys(paths)
    .filter((path) => isRecord(known) && !(path in known))
    .map((path) => `${path}: unknown to the recording`);
}

function without(value: JsonObject, name: string): JsonObject {
  return Object.fromEntries(Object.entries(value).filter(([one]) => one !== name));
}
