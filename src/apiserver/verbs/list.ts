import {
  badRequest,
  failure,
  type JsonObject,
  type KubernetesObject,
  StatusError,
} from "../../kubernetes/index.ts";
import { StorageError } from "../storage/errors.ts";
import type { ListedObjects, Scope, StoredObject } from "../storage/storage.ts";
import type { ApiCall, ApiContext } from "./context.ts";
import { type ContinuePlace, formatContinueToken, parseContinueToken } from "./continue-token.ts";
import { storageName } from "./names.ts";
import type { ListOptions } from "./options.ts";
import { forClient } from "./present.ts";
import { awaitRevision, parseRevision } from "./revision.ts";

export interface Listed {
  readonly items: readonly StoredObject[];
  /** `resourceVersion`, and where the list goes on. */
  readonly metadata: JsonObject;
}

export type Matcher = (object: KubernetesObject) => boolean;

/** GET of a collection. */
export async function listObjects(context: ApiContext, call: ApiCall, options: ListOptions): Promise<Listed> {
  const matches = matcherFor(context, call, options);
  const scope: Scope = { resource: storageName(call.resource), namespace: call.namespace };
  const { limit } = options;
  const place = options.continue === "" ? undefined : parseContinueToken(options.continue);
  if (place !== undefined && options.resourceVersion !== "" && options.resourceVersion !== "0") {
    throw badRequest("specifying resource version is not allowed when using continue");
  }
  // Of another life of this server, of which nothing is left.
  if ((place?.revision ?? 0) > context.storage.revision) throw expired(place);
  const at = place === undefined ? await revisionFor(context, options, call.signal) : place.revision;
  const after = place && { namespace: place.namespace, name: place.name };
  // With a selector, how many of the next ones match is known only when they were looked at.
  const take = matches === undefined && limit > 0 ? limit : undefined;
  let found: ListedObjects;
  try {
    found = await context.storage.list(scope, { at, after, limit: take });
  } catch (error) {
    if (error instanceof StorageError && error.code === "REVISION_COMPACTED") throw expired(place);
    throw error;
  }
  const matching = matches === undefined ? found.items : found.items.filter((one) => matches(one.object));
  const items = limit > 0 ? matching.slice(0, limit) : matching;
  const remaining = found.remaining + matching.length - items.length;
  return { items, metadata: describe(found, items, { remaining, counted: matches === undefined }) };
}

/** `undefined` where everything matches. */
export function matcherFor(
  context: ApiContext,
  call: ApiCall,
  options: Pick<ListOptions, "labelSelector" | "fieldSelector">,
): Matcher | undefined {
  const byLabel =
    options.labelSelector === "" ? undefined : context.rules.parseLabelSelector(options.labelSelector);
  const byField =
    options.fieldSelector === ""
      ? undefined
      : context.rules.parseFieldSelector(options.fieldSelector, call.resource);
  if (byLabel === undefined && byField === undefined) return undefined;
  const asAsked: Matcher | undefined = byField && ((object) => byField(forClient(call.resource, object)));
  return (object) =>
    (byLabel === undefined || byLabel(object.metadata.labels ?? {})) &&
    (asAsked === undefined || asAsked(object));
}

/** `undefined` where the newest state is wanted, or is good enough. */
async function revisionFor(
  context: ApiContext,
  options: ListOptions,
  signal: AbortSignal,
): Promise<number | undefined> {
  const { resourceVersion, resourceVersionMatch: match } = options;
  const revision = resourceVersion === "" ? 0 : parseRevision(resourceVersion);
  if (revision === 0) return undefined;
  await awaitRevision(context, revision, signal);
  const exact = match === "Exact" || (match === "" && options.limit > 0);
  return exact ? revision : undefined;
}

function describe(
  found: ListedObjects,
  items: readonly StoredObject[],
  { remaining, counted }: { readonly remaining: number; readonly counted: boolean },
): JsonObject {
  const last = items.at(-1);
  const resourceVersion = String(found.revision);
  if (remaining === 0 || last === undefined) return { resourceVersion };
  const { namespace, name } = last.key;
  const token = formatContinueToken({ revision: found.revision, namespace, name });
  return { resourceVersion, continue: token, ...(counted && { remainingItemCount: remaining }) };
}

/** A list that goes on for longer than its state is kept can go on with the newest one. */
function expired(place: ContinuePlace | undefined): StatusError {
  if (place === undefined) {
    return failure("Expired", "The resourceVersion for the provided list is too old.");
  }
  const { status } = failure(
    "Expired",
    "The provided continue parameter is too old to display a consistent list result. You can start a new list " +
      "without the continue parameter, or use the continue token in this response to retrieve the remainder of " +
      "the results. Continuing with the provided token results in an inconsistent list - objects that were " +
      "created, modified, or deleted between the time the first chunk was returned and now may show up in the list.",
  );
  const token = formatContinueToken({ ...place, revision: undefined });
  return new StatusError({ ...status, metadata: { continue: token } });
}
