import type { ResourceName } from "./client.ts";

export interface ObjectPlace {
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly subresource?: string | undefined;
}

/** `/apis/apps/v1/namespaces/shop/deployments/web/status` */
export function pathOf(resource: ResourceName, place: ObjectPlace = {}): string {
  const { group, version, namespaced } = resource;
  const root = group === "" ? `/api/${version}` : `/apis/${group}/${version}`;
  const inside = namespaced && place.namespace !== undefined && place.namespace !== "";
  const namespace = inside ? `/namespaces/${encodeURIComponent(place.namespace ?? "")}` : "";
  const name = place.name === undefined ? "" : `/${encodeURIComponent(place.name)}`;
  const subresource = place.subresource === undefined ? "" : `/${place.subresource}`;
  return `${root}${namespace}/${resource.resource}${name}${subresource}`;
}
