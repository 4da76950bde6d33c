/**
 * The API over HTTP: a request in, an answer out, whoever carries them.
 *
 *     who is it → may they → what is it → the verb → the shape they asked for
 */
import { API_RESOURCES, failure, type StatusError } from "../../kubernetes/index.ts";
import { accessDenied, mayAccess, mayVisit, visitDenied } from "../auth/authorize.ts";
import { authenticate, impersonate, type StaticToken, unauthorized } from "../auth/authenticate.ts";
import { type ApiUser, UNAUTHENTICATED } from "../auth/user.ts";
import type { ApiContext } from "../verbs/context.ts";
import { parseBoolean } from "../verbs/options.ts";
import { answerHealth, type HealthChecks } from "./health.ts";
import { answerIssuer } from "./issuer.ts";
import { isKnownGroup, unknownResource } from "./known-kubernetes.ts";
import type { ApiMetrics, RequestLabels } from "./metrics.ts";
import { answerResource } from "./resource-requests.ts";
import { pageNotFound, respondError, respondJson, respondText } from "./respond.ts";
import { parseRoute, type ResourceRoute, type Route, verbOf } from "./route.ts";

export interface HandlerOptions {
  readonly context: ApiContext;
  readonly staticTokens: readonly StaticToken[];
  readonly metrics: ApiMetrics;
  /** Discovery and OpenAPI; `undefined` for paths that are none of those. */
  readonly documents: (request: Request, url: URL) => Promise<Response | undefined>;
  readonly health: () => HealthChecks;
  /** Aborted when the server closes. */
  readonly closing: AbortSignal;
  readonly onFailure?: ((error: unknown) => void) | undefined;
}

export interface Caller {
  /** Somebody who needs no token, since they are in this process. */
  readonly user?: ApiUser | undefined;
}

export type ApiHandler = (request: Request, caller?: Caller) => Promise<Response>;

export function createHandler(options: HandlerOptions): ApiHandler {
  return async (request, caller = {}) => {
    const start = performance.now();
    const url = new URL(request.url);
    const pretty = wantsPretty(request, url);
    const done = options.metrics.begin();
    const onFailure = (error: unknown): void => {
      // Whoever went away in the middle of a request made it fail; there's nothing to mend here.
      if (!request.signal.aborted) options.onFailure?.(error);
    };
    let route: Route | undefined;
    let response: Response;
    try {
      route = parseRoute(url.pathname);
      response = await answer({ ...options, onFailure }, { request, url, route, caller, pretty });
    } catch (error) {
      response = respondError(error, { pretty, onFailure });
    }
    // The answer is there before the body was read: what is left of it is nobody's.
    if (request.body !== null && !request.bodyUsed) await request.body.cancel();
    done(labelsOf(request, url, route), {
      code: response.status,
      seconds: (performance.now() - start) / 1000,
    });
    if (request.method !== "HEAD") return response;
    await response.body?.cancel();
    return new Response(null, { status: response.status, headers: response.headers });
  };
}

interface Exchange {
  readonly request: Request;
  readonly url: URL;
  readonly route: Route;
  readonly caller: Caller;
  readonly pretty: boolean;
}

async function answer(options: HandlerOptions, it: Exchange): Promise<Response> {
  const { request, route } = it;
  const user = await whoIs(options, it);
  if (route.kind !== "path") {
    return await answerBelowApi(options, { ...it, route, user });
  }
  const access = { verb: request.method.toLowerCase().replace(/^head$/, "get"), path: it.url.pathname };
  if (!mayVisit(user, access)) throw refuse(user, visitDenied(user, access));
  return await answerPath(options, it);
}

async function whoIs(options: HandlerOptions, { request, caller }: Exchange): Promise<ApiUser> {
  if (caller.user !== undefined) return impersonate(caller.user, request.headers);
  const { storage, serviceAccountKey: key, clock } = options.context;
  const { staticTokens } = options;
  return await authenticate({ storage, key, now: () => clock.now(), staticTokens }, request.headers);
}

async function answerBelowApi(
  options: HandlerOptions,
  it: Exchange & { readonly route: Exclude<Route, { kind: "path" }>; readonly user: ApiUser },
): Promise<Response> {
  const { route, request, user, url } = it;
  if (route.kind === "unknown-resource") {
    const { group, version, resource } = route;
    const access = { verb: "get", group, resource, subresource: "", namespace: "", name: "" };
    if (!mayAccess(user, access)) throw refuse(user, accessDenied(user, access));
    if (!isServed(group, version) && !isKnownGroup(group)) return pageNotFound();
    throw unknownResource(group, resource);
  }
  const watch = parseBoolean(url.searchParams.get("watch")) ?? false;
  const verb = verbOf(request.method, route, watch);
  const access = {
    verb: verb ?? request.method.toLowerCase(),
    group: route.resource.group,
    resource: route.resource.resource,
    subresource: route.subresource?.name ?? "",
    // A namespace is named by its own name, too.
    namespace: route.resource.resource === "namespaces" ? route.name : route.namespace,
    name: route.name,
  };
  if (!mayAccess(user, access)) throw refuse(user, accessDenied(user, access));
  if (verb === undefined) {
    const text = "the server does not allow this method on the requested resource";
    throw failure("MethodNotAllowed", text, {});
  }
  return await answerResource(options, { request, url, route, verb, user, pretty: it.pretty });
}

/** Who said nothing about who they are should say so first. */
function refuse(user: ApiUser, denied: StatusError): StatusError {
  return user.groups.includes(UNAUTHENTICATED) ? unauthorized() : denied;
}

async function answerPath(options: HandlerOptions, { request, url, pretty }: Exchange): Promise<Response> {
  const { pathname } = url;
  const health = answerHealth(url, options.health);
  if (health !== undefined) return health;
  const issuer = answerIssuer(url, options.context.serviceAccountKey);
  if (issuer !== undefined) return issuer;
  if (pathname === "/") return respondJson({ code: 200, text: JSON.stringify({ paths: PATHS }), pretty });
  if (pathname === "/metrics") return respondText(200, options.metrics.format(options.context.storage));
  const document = await options.documents(request, url);
  if (document !== undefined) return document;
  const [, root, group = ""] = pathname.split("/");
  if (root === "apis" && isKnownGroup(group)) throw unknownResource(group, "");
  return pageNotFound();
}

function isServed(group: string, version: string): boolean {
  return API_RESOURCES.some((one) => one.group === group && one.version === version);
}

function wantsPretty(request: Request, url: URL): boolean {
  const asked = url.searchParams.get("pretty");
  if (asked !== null) return parseBoolean(asked) ?? false;
  // Those that a person looks over the shoulder of.
  return /^(?:curl|Wget|Mozilla\/5\.0)/.test(request.headers.get("user-agent") ?? "");
}

function labelsOf(request: Request, url: URL, route: Route | undefined): RequestLabels {
  const known: ResourceRoute | undefined = route?.kind === "resource" ? route : undefined;
  const watch = parseBoolean(url.searchParams.get("watch")) ?? false;
  const verb =
    known === undefined ? request.method : (verbOf(request.method, known, watch) ?? request.method);
  return {
    verb: METRIC_VERBS[verb] ?? verb.toUpperCase(),
    group: known?.resource.group ?? "",
    version: known?.resource.version ?? "",
    resource: known?.resource.resource ?? "",
    subresource: known?.subresource?.name ?? (known === undefined ? firstSegment(url.pathname) : ""),
    scope:
      known === undefined
        ? ""
        : known.name !== ""
          ? "resource"
          : known.namespace !== ""
            ? "namespace"
            : "cluster",
    dryRun: url.searchParams.has("dryRun") ? "All" : "",
  };
}

/** What there is besides the documents of discovery, which tell of themselves. */
const PATHS: readonly string[] = [
  "/api",
  "/api/v1",
  "/apis",
  ...new Set(
    API_RESOURCES.filter(({ group }) => group !== "").map(
      ({ group, version }) => `/apis/${group}/${version}`,
    ),
  ),
  "/healthz",
  "/livez",
  "/metrics",
  "/openapi/v2",
  "/openapi/v3",
  "/readyz",
  "/version",
];

const METRIC_VERBS: Readonly<Record<string, string>> = {
  create: "POST",
  update: "PUT",
  patch: "PATCH",
  delete: "DELETE",
};

const ROOTS: readonly string[] = [
  "api",
  "apis",
  "healthz",
  "livez",
  "metrics",
  "openapi",
  "readyz",
  "version",
];

/** Paths that anybody can make up don't each get a line. */
function firstSegment(pathname: string): string {
  const [, first = ""] = pathname.split("/");
  return ROOTS.includes(first) ? `/${first}` : "";
}
