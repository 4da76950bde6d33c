/** The groups of the API, each with one version. */
import { API_RESOURCES, type ApiResource, formatApiVersion } from "../../kubernetes/index.ts";

export interface ApiGroup {
  /** Empty for the core group. */
  readonly name: string;
  readonly version: string;
  /** `v1`, `apps/v1`. */
  readonly groupVersion: string;
  readonly resources: readonly ApiResource[];
}

/** As the API server orders them, for clients that take the first of two groups with the same resource. */
const ORDER: readonly string[] = [
  "",
  "apps",
  "events.k8s.io",
  "authentication.k8s.io",
  "authorization.k8s.io",
  "batch",
];

export const API_GROUPS: readonly ApiGroup[] = [...Map.groupBy(API_RESOURCES, ({ group }) => group)]
  .toSorted(([a], [b]) => rank(a) - rank(b))
  .map(([name, resources]) => {
    const version = resources[0]?.version ?? "v1";
    return { name, version, groupVersion: formatApiVersion({ group: name, version }), resources };
  });

export const CORE_GROUP: ApiGroup = API_GROUPS.find(({ name }) => name === "") as ApiGroup;
export const NAMED_GROUPS: readonly ApiGroup[] = API_GROUPS.filter(({ name }) => name !== "");

/** `api/v1`, `apis/apps/v1`. */
export function rootOf(group: ApiGroup): string {
  return group.name === "" ? `api/${group.version}` : `apis/${group.groupVersion}`;
}

function rank(group: string): number {
  const place = ORDER.indexOf(group);
  return place === -1 ? ORDER.length : place;
}
