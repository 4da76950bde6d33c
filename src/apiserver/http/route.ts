/** What a path names. */
import {
  badRequest,
  findResource,
  type ApiResource,
  type Subresource,
  type Verb,
} from "../../kubernetes/index.ts";
import { goQuote } from "../../internal/go/quote.ts";

export interface ResourceRoute {
  readonly kind: "resource";
  readonly resource: ApiResource;
  readonly namespace: string;
  readonly name: string;
  readonly subresource: Subresource | undefined;
  /** Below `watch/`, where watches were asked for before there was a parameter for that. */
  readonly watch: boolean;
}

export type Route =
  | ResourceRoute
  /** Below `/api` or `/apis`, and not a resource we have. */
  | {
      readonly kind: "unknown-resource";
      readonly group: string;
      readonly version: string;
      readonly resource: string;
    }
  /** Anything else: documents, health, metrics. */
  | { readonly kind: "path" };

/** @throws StatusError for segments that can't be a name */
export function parseRoute(pathname: string): Route {
  const segments = pathname.split("/").slice(1);
  if (segments.at(-1) === "") segments.pop();
  const core = segments[0] === "api" && segments[1] === "v1";
  const grouped = segments[0] === "apis" && segments.length > 2;
  if (!core && !grouped) return { kind: "path" };
  const [group = "", version = ""] = core ? ["", "v1"] : segments.slice(1, 3).map((one) => decode(one));
  const rest = segments.slice(core ? 2 : 3).map((one) => decode(one));
  if (rest.length === 0) return { kind: "path" };
  if (rest[0] !== "watch" || rest.length === 1) return resourceRoute({ group, version }, rest);
  const watched = resourceRoute({ group, version }, rest.slice(1));
  if (watched.kind !== "resource") return watched;
  const { resource, subresource } = watched;
  if (subresource === undefined && resource.verbs.includes("watch")) return { ...watched, watch: true };
  return { kind: "unknown-resource", group, version, resource: resource.resource };
}

function resourceRoute(
  { group, version }: { readonly group: string; readonly version: string },
  segments: readonly string[],
): Route {
  const inNamespace =
    segments[0] === "namespaces" && segments.length >= 3 && !isNamespacePart(segments, group);
  const namespace = inNamespace ? (segments[1] ?? "") : "";
  const [plural = "", name = "", sub = "", ...more] = inNamespace ? segments.slice(2) : segments;
  const unknown: Route = { kind: "unknown-resource", group, version, resource: plural };
  const resource = findResource({ group, version, resource: plural });
  if (resource === undefined || more.length > 0) return unknown;
  if (inNamespace && !resource.namespaced) return unknown;
  // Without a namespace there's only the list of all of them.
  if (!inNamespace && resource.namespaced && name !== "") return unknown;
  if (name !== "") checkSegment(name, "resource name");
  if (namespace !== "") checkSegment(namespace, "namespace");
  const subresource = resource.subresources.find((one) => one.name === sub);
  if (sub !== "" && subresource === undefined) return { ...unknown, resource: `${plural}/${sub}` };
  return { kind: "resource", resource, namespace, name, subresource, watch: false };
}

/** `namespaces/NAME/status` speaks of the namespace, `namespaces/NAME/pods` of what is in it. */
function isNamespacePart(segments: readonly string[], group: string): boolean {
  return group === "" && segments.length === 3 && (segments[2] === "status" || segments[2] === "finalize");
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    throw badRequest(`invalid URL escape in path segment ${goQuote(segment)}`);
  }
}

function checkSegment(segment: string, what: string): void {
  const faults: string[] = [];
  if (segment === "." || segment === "..") faults.push(`may not be '${segment}'`);
  if (segment.includes("/")) faults.push("may not contain '/'");
  if (segment.includes("%")) faults.push("may not contain '%'");
  if (faults.length > 0) throw badRequest(`invalid ${what} ${goQuote(segment)}: [${faults.join(", ")}]`);
}

/** Whether a raw path holds segments that a URL parser would resolve: nobody means those well. */
export function climbs(target: string): boolean {
  const path = target.split("?", 1)[0] ?? "";
  return path.split(/[/\\]/).some((segment) => /^(?:\.|%2e){1,2}$/i.test(segment)) || path.includes("\\");
}

/** What a method means on this route; `undefined` where it means nothing. */
export function verbOf(method: string, route: ResourceRoute, watch: boolean): Verb | undefined {
  if (route.watch) return method === "GET" || method === "HEAD" ? "watch" : undefined;
  const verb = methodVerb(method, route.name !== "", watch);
  if (verb === undefined) return undefined;
  if (verb === "create" && route.name !== "" && route.subresource === undefined) return undefined;
  if (route.subresource !== undefined) return route.subresource.verbs.includes(verb) ? verb : undefined;
  // Objects are created in their namespace; lists and watches look across.
  const across = route.resource.namespaced && route.namespace === "" && verb !== "list" && verb !== "watch";
  return across || !route.resource.verbs.includes(verb) ? undefined : verb;
}

function methodVerb(method: string, named: boolean, watch: boolean): Verb | undefined {
  switch (method) {
    case "GET":
    case "HEAD":
      return named ? "get" : watch ? "watch" : "list";
    case "POST":
      return "create";
    case "PUT":
      return named ? "update" : undefined;
    case "PATCH":
      return named ? "patch" : undefined;
    case "DELETE":
      return named ? "delete" : "deletecollection";
    default:
      return undefined;
  }
}
