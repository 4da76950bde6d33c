/**
 * What the API has, in the two forms that clients ask for: a document for each group and version, or all of `/api` and
 * of `/apis` in one.
 */
import { createHash } from "node:crypto";

import type { ApiResource, GroupVersionKind, JsonObject, Subresource } from "../../kubernetes/index.ts";
import { API_GROUPS, type ApiGroup, CORE_GROUP, NAMED_GROUPS, rootOf } from "./groups.ts";

/** @param serverAddress host and port, for clients that would come in another way */
export function plainDiscovery(path: string, serverAddress: string): JsonObject | undefined {
  if (path === "/api") {
    return {
      kind: "APIVersions",
      versions: [CORE_GROUP.version],
      serverAddressByClientCIDRs: [{ clientCIDR: "0.0.0.0/0", serverAddress }],
    };
  }
  if (path === "/apis") {
    return { kind: "APIGroupList", apiVersion: "v1", groups: NAMED_GROUPS.map((group) => describe(group)) };
  }
  const named = NAMED_GROUPS.find(({ name }) => path === `/apis/${name}`);
  if (named !== undefined) return { kind: "APIGroup", apiVersion: "v1", ...describe(named) };
  const group = API_GROUPS.find((one) => path === `/${rootOf(one)}`);
  return group === undefined ? undefined : resourceList(group);
}

export type AggregatedVersion = "v2" | "v2beta1";

/** @returns undefined for any path but `/api` and `/apis` */
export function aggregatedDiscovery(path: string, version: AggregatedVersion): JsonObject | undefined {
  const groups = path === "/api" ? [CORE_GROUP] : path === "/apis" ? NAMED_GROUPS : undefined;
  if (groups === undefined) return undefined;
  return {
    kind: "APIGroupDiscoveryList",
    apiVersion: `apidiscovery.k8s.io/${version}`,
    metadata: {},
    items: groups.map((group) => ({
      metadata: group.name === "" ? {} : { name: group.name },
      versions: [
        { version: group.version, resources: group.resources.map(aggregated), freshness: "Current" },
      ],
    })),
  };
}

function describe(group: ApiGroup): JsonObject {
  const version = { groupVersion: group.groupVersion, version: group.version };
  return { name: group.name, versions: [version], preferredVersion: version };
}

function resourceList(group: ApiGroup): JsonObject {
  return {
    kind: "APIResourceList",
    ...(group.name !== "" && { apiVersion: "v1" }),
    groupVersion: group.groupVersion,
    resources: group.resources.flatMap((resource) => [
      plain(resource),
      ...bySubresource(resource).map((subresource) => plainSubresource(resource, subresource)),
    ]),
  };
}

function plain(resource: ApiResource): JsonObject {
  return {
    name: resource.resource,
    singularName: resource.singular,
    namespaced: resource.namespaced,
    kind: resource.kind,
    verbs: resource.verbs,
    ...names(resource),
    ...(resource.stored && { storageVersionHash: storageVersionHash(resource) }),
  };
}

function plainSubresource(resource: ApiResource, subresource: Subresource): JsonObject {
  const kind = subresource.kind ?? resource;
  const foreign = kind.group !== resource.group || kind.version !== resource.version;
  return {
    name: `${resource.resource}/${subresource.name}`,
    singularName: "",
    namespaced: resource.namespaced,
    ...(foreign && { group: kind.group, version: kind.version }),
    kind: kind.kind,
    verbs: subresource.verbs,
  };
}

function aggregated(resource: ApiResource): JsonObject {
  const subresources = bySubresource(resource).map((subresource) => ({
    subresource: subresource.name,
    responseKind: responseKind(subresource.kind ?? resource, resource),
    verbs: subresource.verbs,
  }));
  return {
    resource: resource.resource,
    responseKind: responseKind(resource, resource),
    scope: resource.namespaced ? "Namespaced" : "Cluster",
    singularResource: resource.singular,
    verbs: resource.verbs,
    ...names(resource),
    ...(subresources.length > 0 && { subresources }),
  };
}

/** Group and version are left empty where they are those of the list itself. */
function responseKind(kind: GroupVersionKind, resource: ApiResource): JsonObject {
  const own = kind.group === resource.group && kind.version === resource.version;
  return { group: own ? "" : kind.group, version: own ? "" : kind.version, kind: kind.kind };
}

function names(resource: ApiResource): JsonObject {
  return {
    ...(resource.shortNames.length > 0 && { shortNames: resource.shortNames }),
    ...(resource.categories.length > 0 && { categories: resource.categories }),
  };
}

function bySubresource(resource: ApiResource): readonly Subresource[] {
  return resource.subresources.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Changes with the version that objects are stored in. */
function storageVersionHash(resource: ApiResource): string {
  const name = `${resource.group}/${resource.version}/${resource.kind}`;
  return createHash("sha256").update(name).digest().subarray(0, 8).toString("base64");
}
