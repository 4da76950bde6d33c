/** Who may do what: a few fixed rules in the shape of Kubernetes' own roles. */
import { forbidden, failure, type JsonObject, type StatusError } from "../../kubernetes/index.ts";
import { goQuote } from "../../internal/go/quote.ts";
import { type ApiUser, AUTHENTICATED, MASTERS, NODES, SERVICE_ACCOUNTS, UNAUTHENTICATED } from "./user.ts";

export interface ResourceAccess {
  readonly verb: string;
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  /** Empty for the whole cluster. */
  readonly namespace: string;
  readonly name: string;
}

export interface PathAccess {
  /** A method, in small letters. */
  readonly verb: string;
  readonly path: string;
}

interface ResourceRule {
  readonly verbs: readonly string[];
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
}

interface PathRule {
  readonly verbs: readonly string[];
  readonly nonResourceURLs: readonly string[];
}

interface Role {
  /** Whoever is in one of these. */
  readonly groups: readonly string[];
  readonly resources?: readonly ResourceRule[];
  readonly paths?: readonly PathRule[];
}

const READ = ["get", "list", "watch"];

const ROLES: readonly Role[] = [
  {
    groups: [AUTHENTICATED],
    resources: [
      {
        verbs: ["create"],
        apiGroups: ["authorization.k8s.io"],
        resources: ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
      },
      { verbs: ["create"], apiGroups: ["authentication.k8s.io"], resources: ["selfsubjectreviews"] },
    ],
  },
  {
    groups: [AUTHENTICATED, UNAUTHENTICATED],
    paths: [{ verbs: ["get"], nonResourceURLs: ["/healthz", "/livez", "/readyz", "/version", "/version/"] }],
  },
  {
    groups: [AUTHENTICATED],
    paths: [{ verbs: ["get"], nonResourceURLs: ["/.well-known", "/.well-known/*"] }],
  },
  {
    groups: [SERVICE_ACCOUNTS],
    paths: [{ verbs: ["get"], nonResourceURLs: ["/openid/v1/jwks", "/openid/v1/jwks/"] }],
  },
  {
    groups: [MASTERS],
    resources: [{ verbs: ["*"], apiGroups: ["*"], resources: ["*"] }],
    paths: [{ verbs: ["*"], nonResourceURLs: ["*"] }],
  },
  {
    groups: [NODES],
    resources: [
      {
        verbs: READ,
        apiGroups: [""],
        resources: ["configmaps", "namespaces", "nodes", "pods", "secrets", "serviceaccounts"],
      },
      {
        verbs: ["create", "patch", "update"],
        apiGroups: [""],
        resources: ["nodes", "nodes/status", "pods/status"],
      },
      { verbs: ["create", "delete"], apiGroups: [""], resources: ["pods"] },
      { verbs: ["create"], apiGroups: [""], resources: ["serviceaccounts/token"] },
      { verbs: ["create", "patch", "update"], apiGroups: ["", "events.k8s.io"], resources: ["events"] },
      {
        verbs: ["create", "delete", "get", "patch", "update"],
        apiGroups: ["coordination.k8s.io"],
        resources: ["leases"],
      },
    ],
  },
  {
    groups: [AUTHENTICATED],
    paths: [
      {
        verbs: ["get"],
        nonResourceURLs: [
          "/api",
          "/api/*",
          "/apis",
          "/apis/*",
          "/healthz",
          "/livez",
          "/openapi",
          "/openapi/*",
          "/readyz",
          "/version",
          "/version/",
        ],
      },
    ],
  },
];

export function mayAccess(user: ApiUser, access: ResourceAccess): boolean {
  const resource = access.subresource === "" ? access.resource : `${access.resource}/${access.subresource}`;
  return rolesOf(user).some((role) =>
    role.resources?.some(
      (rule) =>
        matches(rule.verbs, access.verb) &&
        matches(rule.apiGroups, access.group) &&
        (matches(rule.resources, resource) ||
          (access.subresource !== "" && rule.resources.includes(`*/${access.subresource}`))),
    ),
  );
}

export function mayVisit(user: ApiUser, access: PathAccess): boolean {
  return rolesOf(user).some((role) =>
    role.paths?.some(
      (rule) =>
        matches(rule.verbs, access.verb) &&
        rule.nonResourceURLs.some((pattern) => covers(pattern, access.path)),
    ),
  );
}

/** All that somebody may do, as a SelfSubjectRulesReview tells it. */
export function listRules(user: ApiUser): JsonObject {
  const roles = rolesOf(user);
  return {
    resourceRules: roles.flatMap((role) => role.resources ?? []).map((rule) => ({ ...rule })),
    nonResourceRules: roles.flatMap((role) => role.paths ?? []).map((rule) => ({ ...rule })),
    incomplete: false,
  };
}

export function accessDenied(user: ApiUser, access: ResourceAccess): StatusError {
  const { verb, group, namespace, name, subresource } = access;
  const resource = subresource === "" ? access.resource : `${access.resource}/${subresource}`;
  const where = namespace === "" ? "at the cluster scope" : `in the namespace ${goQuote(namespace)}`;
  const why =
    `User ${goQuote(user.name)} cannot ${verb} resource ${goQuote(resource)} ` +
    `in API group ${goQuote(group)} ${where}`;
  return forbidden({ group, kind: access.resource, name }, why);
}

export function visitDenied(user: ApiUser, access: PathAccess): StatusError {
  const why = `User ${goQuote(user.name)} cannot ${access.verb} path ${goQuote(access.path)}`;
  return failure("Forbidden", `forbidden: ${why}`, {});
}

function rolesOf(user: ApiUser): readonly Role[] {
  return ROLES.filter((role) => role.groups.some((group) => user.groups.includes(group)));
}

function matches(rule: readonly string[], word: string): boolean {
  return rule.includes("*") || rule.includes(word);
}

function covers(pattern: string, path: string): boolean {
  return pattern.endsWith("*") ? path.startsWith(pattern.slice(0, -1)) : pattern === path;
}
