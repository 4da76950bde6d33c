/** Which resource a path of the API names. */
export interface Target {
  readonly group: string;
  readonly resource: string;
  readonly namespace: string;
  /** Empty for the collection. */
  readonly name: string;
  readonly subresource: string;
  /** As the storage names it: `deployments.apps`. */
  readonly storageName: string;
}

export function parseTarget(path: string): Target {
  const [, root = "", ...segments] = new URL(path, "http://server").pathname.split("/");
  const group = root === "apis" ? (segments.shift() ?? "") : "";
  segments.shift();
  const isNamespaced = segments[0] === "namespaces" && segments.length > 2;
  const namespace = isNamespaced ? (segments[1] ?? "") : "";
  const [resource = "", name = "", subresource = ""] = isNamespaced ? segments.slice(2) : segments;
  const storageName = group === "" ? resource : `${resource}.${group}`;
  return { group, resource, namespace, name, subresource, storageName };
}
