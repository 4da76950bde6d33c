/** A request to a resource, once it is known who asks and what: the verb, and the answer in the client's shape. */
import { badRequest, failure, type Status, type Verb } from "../../kubernetes/index.ts";
import { reviewAccess, reviewRules, reviewSelf } from "../auth/reviews.ts";
import type { ApiUser } from "../auth/user.ts";
import type { ApiCall, ApiContext, CallBody } from "../verbs/context.ts";
import { createObject } from "../verbs/create.ts";
import { deleteCollection } from "../verbs/delete-collection.ts";
import { parseDeleteOptions } from "../verbs/delete-options.ts";
import { deleteObject } from "../verbs/delete.ts";
import { listObjects } from "../verbs/list.ts";
import { type ListOptions, parseListOptions, parseWriteOptions } from "../verbs/options.ts";
import { patchObject } from "../verbs/patch.ts";
import type { Presented } from "../verbs/present.ts";
import { getObject } from "../verbs/read.ts";
import { awaitRevision, parseRevision } from "../verbs/revision.ts";
import { getScale, patchScale, updateScale } from "../verbs/scale.ts";
import {
  bindPod,
  decodeAs,
  evictPod,
  finalizeNamespace,
  issueToken,
  refuseLog,
} from "../verbs/subresources.ts";
import { updateObject } from "../verbs/update.ts";
import { watchObjects } from "../verbs/watch.ts";
import { negotiate } from "./accept.ts";
import { readBody } from "./body.ts";
import { formatList, formatObject, type FormatOptions, watchFormat } from "./formats.ts";
import type { HandlerOptions } from "./handler.ts";
import { respondError, respondJson, respondStatus } from "./respond.ts";
import type { ResourceRoute } from "./route.ts";

export interface ResourceRequest {
  readonly request: Request;
  readonly url: URL;
  readonly route: ResourceRoute;
  readonly verb: Verb;
  readonly user: ApiUser;
  readonly pretty: boolean;
}

type Outcome =
  | { readonly code: number; readonly object: Presented }
  | { readonly code: number; readonly status: Status }
  | Response;

export async function answerResource(options: HandlerOptions, it: ResourceRequest): Promise<Response> {
  const { context } = options;
  const warnings = new Set<string>();
  const { pretty } = it;
  try {
    const call = toCall(it, warnings);
    const shape = negotiate(it.request.headers.get("accept") ?? undefined);
    const format: FormatOptions = {
      resource: call.resource,
      shape,
      query: call.query,
      now: () => context.clock.now(),
    };
    const outcome = await perform(options, { ...it, call, format });
    if (outcome instanceof Response) return outcome;
    if ("status" in outcome) return respondStatus(outcome.status, { code: outcome.code, warnings, pretty });
    const text = formatObject(outcome.object, format);
    return respondJson({ code: outcome.code, text, encoding: shape.encoding, pretty, warnings });
  } catch (error) {
    return respondError(error, { warnings, pretty, onFailure: options.onFailure });
  }
}

const OPTIONS: Readonly<Partial<Record<Verb, string>>> = {
  create: "CreateOptions",
  update: "UpdateOptions",
  patch: "PatchOptions",
};

function toCall(it: ResourceRequest, warnings: Set<string>): ApiCall {
  const { route, request, url, user, verb } = it;
  const kind = OPTIONS[verb];
  const options = kind === undefined ? undefined : parseWriteOptions(url.searchParams, kind);
  return {
    resource: route.resource,
    namespace: route.namespace,
    name: route.name,
    subresource: route.subresource?.name ?? "",
    user,
    query: url.searchParams,
    dryRun: options?.dryRun ?? false,
    fieldValidation: options?.fieldValidation ?? "Warn",
    manager: options?.fieldManager || managerOf(request.headers.get("user-agent") ?? ""),
    warnings,
    signal: request.signal,
  };
}

/** The client's name, up to its version. */
function managerOf(userAgent: string): string {
  const [name = ""] = userAgent.split("/");
  return name === "" ? "unknown" : name.slice(0, 128);
}

interface Performing extends ResourceRequest {
  readonly call: ApiCall;
  readonly format: FormatOptions;
}

async function perform(options: HandlerOptions, it: Performing): Promise<Outcome> {
  const { context } = options;
  const { call, request, verb } = it;
  switch (verb) {
    case "get":
      return { code: 200, object: await get(context, call) };
    case "list":
      return await list(context, it);
    case "watch":
      return watch(options, it);
    case "create":
      return await create(context, call, await readBody(request));
    case "update":
      return { code: 200, object: await update(context, call, await readBody(request)) };
    case "patch":
      return await patch(context, call, await readBody(request));
    case "delete": {
      const body = await readBody(request);
      const wanted = parseDeleteOptions(context.rules, body, call.query);
      const { answer, accepted } = await deleteObject(context, { ...call, dryRun: wanted.dryRun }, wanted);
      const code = accepted ? 202 : 200;
      return "status" in answer && "kind" in answer
        ? { code, status: answer }
        : { code, object: answer as Presented };
    }
    case "deletecollection": {
      const body = await readBody(request);
      const wanted = parseDeleteOptions(context.rules, body, call.query);
      const listOptions = parseListOptions(call.query);
      const deleted = await deleteCollection(
        context,
        { ...call, dryRun: wanted.dryRun },
        { wanted, listOptions },
      );
      return answerList(formatList(deleted, it.format), it);
    }
  }
}

async function get(context: ApiContext, call: ApiCall): Promise<Presented> {
  const version = call.query.get("resourceVersion") ?? "";
  if (version !== "") await awaitRevision(context, parseRevision(version), call.signal);
  if (call.subresource === "log") return await refuseLog(context, call);
  if (call.subresource === "scale") return await getScale(context, call);
  return await getObject(context, call);
}

async function list(context: ApiContext, it: Performing): Promise<Response> {
  const listed = await listObjects(context, it.call, parseListOptions(it.call.query));
  return answerList(formatList(listed, it.format), it);
}

function answerList(text: string, it: Performing): Response {
  const { encoding } = it.format.shape;
  return respondJson({ code: 200, text, encoding, pretty: it.pretty, warnings: it.call.warnings });
}

/** A request's signal ceases to follow its client's when the request is collected, which a watch outlives. */
const held = new WeakMap<AbortSignal, Request>();

function watch(options: HandlerOptions, it: Performing): Response {
  const { context, closing, metrics } = options;
  if (it.format.shape.encoding !== "json") {
    throw failure("NotAcceptable", "only the following media types are accepted: application/json");
  }
  held.set(it.call.signal, it.request);
  const stream = watchObjects(context, it.call, {
    options: watchedOf(it.call),
    format: watchFormat(it.format),
    closing,
    onEnd: metrics.beginWatch(),
  });
  const headers = { "Cache-Control": "no-cache, private", "Content-Type": "application/json" };
  return new Response(stream, { status: 200, headers });
}

/** What is watched by its name is selected by it. */
function watchedOf({ query, name }: ApiCall): ListOptions {
  const options = parseListOptions(query);
  if (name === "") return options;
  const { fieldSelector } = options;
  const selected = /(?:^|,)metadata\.name==?([^,]*)/.exec(fieldSelector)?.[1];
  if (fieldSelector !== "" && selected !== name) {
    throw badRequest("fieldSelector metadata.name doesn't match requested name");
  }
  return fieldSelector === ""
    ? { ...options, fieldSelector: `metadata.name=${name.replace(/[\\,=]/g, "\\$&")}` }
    : options;
}

async function create(context: ApiContext, call: ApiCall, body: CallBody): Promise<Outcome> {
  const { resource, subresource, user } = call;
  const now = context.clock.now();
  const plain = (object: Presented["object"]): Outcome => {
    return { code: 201, object: { object, text: JSON.stringify(object) } };
  };
  switch (`${resource.resource}/${subresource}`) {
    case "pods/binding":
    case "bindings/":
      return { code: 201, status: await bindPod(context, call, body) };
    case "pods/eviction":
      return { code: 201, status: await evictPod(context, call, body) };
    case "serviceaccounts/token":
      return { code: 201, object: await issueToken(context, call, body) };
    case "selfsubjectreviews/":
      decodeAs(context, call, { body, kind: resource });
      return plain(reviewSelf(user, now));
    case "selfsubjectaccessreviews/":
      return plain(reviewAccess(user, decodeAs(context, call, { body, kind: resource })));
    case "selfsubjectrulesreviews/":
      return plain(reviewRules(user, decodeAs(context, call, { body, kind: resource })));
    default:
      return { code: 201, object: await createObject(context, call, body) };
  }
}

async function update(context: ApiContext, call: ApiCall, body: CallBody): Promise<Presented> {
  if (call.subresource === "scale") return await updateScale(context, call, body);
  if (call.subresource === "finalize") return await finalizeNamespace(context, call, body);
  return await updateObject(context, call, body);
}

async function patch(context: ApiContext, call: ApiCall, body: CallBody): Promise<Outcome> {
  if (call.subresource === "scale") return { code: 200, object: await patchScale(context, call, body) };
  const patched = await patchObject(context, call, body);
  return { code: patched.created ? 201 : 200, object: patched };
}
