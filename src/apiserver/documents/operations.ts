/** What can be done with each resource: the paths of an OpenAPI document, whichever version of OpenAPI it is in. */
import {
  type ApiResource,
  findTarget,
  type GroupVersionKind,
  openApiSchemas,
  type Verb,
} from "../../kubernetes/index.ts";
import { type ApiGroup, rootOf } from "./groups.ts";

export interface ApiPath {
  /** `/api/v1/namespaces/{namespace}/pods/{name}` */
  readonly path: string;
  readonly parameters: readonly Parameter[];
  readonly operations: readonly Operation[];
}

export interface Operation {
  readonly method: "delete" | "get" | "patch" | "post" | "put";
  /** `listCoreV1NamespacedPod`; no other operation has it. */
  readonly id: string;
  readonly description: string;
  /** `core_v1` */
  readonly tag: string;
  /** `list`, `patch`… */
  readonly action: string;
  readonly kind: GroupVersionKind;
  readonly parameters: readonly Parameter[];
  /** Names of schemas. */
  readonly request?: string;
  readonly response: string;
}

export interface Parameter {
  readonly name: string;
  readonly in: "path" | "query";
  readonly type: "boolean" | "integer" | "string";
  readonly description: string;
}

const META = "io.k8s.apimachinery.pkg.apis.meta.v1";
export const STATUS_SCHEMA: string = `${META}.Status`;
export const DELETE_OPTIONS_SCHEMA: string = `${META}.DeleteOptions`;
/** Of a patch, whatever its type. */
export const PATCH_SCHEMA: string = `${META}.Patch`;

interface Action {
  readonly method: Operation["method"];
  readonly action: string;
  readonly what: string;
  readonly parameters: readonly Parameter[];
}

const PRETTY = query("pretty", "string", "Whether the answer is indented.");
const DRY_RUN = query("dryRun", "string", "With All, everything is done but to keep the result.");
const FIELD_MANAGER = query("fieldManager", "string", "Who answers for the fields that change.");
const FIELD_VALIDATION = query(
  "fieldValidation",
  "string",
  "What unknown and repeated fields mean: Ignore, Warn (the default) or Strict.",
);
const FORCE = query("force", "boolean", "Whether an apply takes fields that others own.");
const CHANGE = [DRY_RUN, FIELD_MANAGER, FIELD_VALIDATION];
const LIST = [
  query("allowWatchBookmarks", "boolean", "Whether a watch may tell how far it has come."),
  query("continue", "string", "Where to go on, from the list before."),
  query("fieldSelector", "string", "Which objects, by their fields."),
  query("labelSelector", "string", "Which objects, by their labels."),
  query("limit", "integer", "How many at most."),
  query("resourceVersion", "string", "The state to start from."),
  query("resourceVersionMatch", "string", "How resourceVersion is meant."),
  query("sendInitialEvents", "boolean", "Whether a watch begins with all there is."),
  query("timeoutSeconds", "integer", "When to end at the latest."),
  query("watch", "boolean", "Whether to be told of changes instead."),
];
const DELETE = [
  DRY_RUN,
  query("gracePeriodSeconds", "integer", "How long the object may take to end."),
  query("propagationPolicy", "string", "What happens to what it owns: Orphan, Background or Foreground."),
];

const ACTIONS: Readonly<Record<Exclude<Verb, "watch">, Action>> = {
  list: { method: "get", action: "list", what: "list or watch objects of kind", parameters: LIST },
  create: { method: "post", action: "post", what: "create a", parameters: CHANGE },
  deletecollection: {
    method: "delete",
    action: "deletecollection",
    what: "delete objects of kind",
    parameters: [...LIST, ...DELETE],
  },
  get: { method: "get", action: "get", what: "read the", parameters: [] },
  update: { method: "put", action: "put", what: "replace the", parameters: CHANGE },
  patch: { method: "patch", action: "patch", what: "change parts of the", parameters: [...CHANGE, FORCE] },
  delete: { method: "delete", action: "delete", what: "delete a", parameters: DELETE },
};

const COLLECTION: readonly Verb[] = ["list", "create", "deletecollection"];
const SINGLE: readonly Verb[] = ["get", "update", "patch", "delete"];

export function pathsOf(group: ApiGroup): readonly ApiPath[] {
  return group.resources.flatMap((resource) => pathsOfResource(group, resource));
}

function pathsOfResource(group: ApiGroup, resource: ApiResource): readonly ApiPath[] {
  const root = `/${rootOf(group)}`;
  const all = `${root}/${resource.resource}`;
  const base = resource.namespaced ? `${root}/namespaces/{namespace}/${resource.resource}` : all;
  const scope = resource.namespaced ? "Namespaced" : "";
  const namespace = resource.namespaced ? [inPath("namespace", "The namespace.")] : [];
  const named = [inPath("name", `The name of the ${resource.kind}.`), ...namespace];
  const make = (verbs: readonly Verb[], suffix: string): readonly Operation[] =>
    verbs
      .filter((verb) => resource.verbs.includes(verb))
      .map((verb) =>
        operation(group, { verb, resource, kind: resource, name: `${scope}${resource.kind}${suffix}` }),
      );
  const everywhere = resource.namespaced ? [at(all, [], make(["list"], "ForAllNamespaces"))] : [];
  const subresources = resource.subresources.map((subresource) => {
    const suffix = subresource.name.charAt(0).toUpperCase() + subresource.name.slice(1);
    const name = `${scope}${resource.kind}${suffix}`;
    const kind = subresource.kind ?? resource;
    return at(
      `${base}/{name}/${subresource.name}`,
      named,
      subresource.verbs.map((verb) => operation(group, { verb, resource, kind, name })),
    );
  });
  return [
    at(base, namespace, make(COLLECTION, "")),
    ...everywhere,
    at(`${base}/{name}`, named, make(SINGLE, "")),
    ...subresources,
  ].filter(({ operations }) => operations.length > 0);
}

function at(path: string, parameters: readonly Parameter[], operations: readonly Operation[]): ApiPath {
  return { path, parameters: [...parameters, PRETTY], operations };
}

interface Subject {
  readonly verb: Verb;
  readonly resource: ApiResource;
  readonly kind: GroupVersionKind;
  readonly name: string;
}

function operation(group: ApiGroup, { verb, kind, resource, name }: Subject): Operation {
  const { method, action, what, parameters } = ACTIONS[verb === "watch" ? "list" : verb];
  const folder = group.name === "" ? "core" : (group.name.split(".")[0] ?? "");
  const schema = findTarget(kind)?.schema ?? resource.schema;
  const request = requestOf(verb, schema);
  return {
    method,
    id: `${verb}${folder.charAt(0).toUpperCase()}${folder.slice(1)}V1${name}`,
    description: `${what} ${kind.kind}`,
    tag: `${folder}_${group.version}`,
    action,
    kind: { group: kind.group, version: kind.version, kind: kind.kind },
    parameters,
    ...(request !== undefined && { request }),
    response: responseOf(verb, schema),
  };
}

function requestOf(verb: Verb, schema: string): string | undefined {
  if (verb === "create" || verb === "update") return schema;
  if (verb === "patch") return PATCH_SCHEMA;
  return verb === "delete" || verb === "deletecollection" ? DELETE_OPTIONS_SCHEMA : undefined;
}

function responseOf(verb: Verb, schema: string): string {
  if (verb === "delete" || verb === "deletecollection") return STATUS_SCHEMA;
  const list = `${schema}List`;
  return verb === "list" && Object.hasOwn(openApiSchemas(), list) ? list : schema;
}

function query(name: string, type: Parameter["type"], description: string): Parameter {
  return { name, in: "query", type, description };
}

function inPath(name: string, description: string): Parameter {
  return { name, in: "path", type: "string", description };
}
