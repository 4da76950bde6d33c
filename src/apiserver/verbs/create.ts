import {
  alreadyExists,
  badRequest,
  failure,
  forbidden,
  invalid,
  type KubernetesObject,
  type Metadata,
  notFound,
  unexplained,
} from "../../kubernetes/index.ts";
import { formatTime } from "../clock.ts";
import { withRevision } from "../storage/encode-object.ts";
import { isConflict } from "../storage/errors.ts";
import { admitMutating, admitValidating } from "./admit.ts";
import type { ApiCall, ApiContext, CallBody } from "./context.ts";
import { expiryOf, generateName, keyOf, kindSubject, resourceSubject } from "./names.ts";
import { fromClient, presentObject, presentStored, type Presented } from "./present.ts";

/** So often another name is made up when the one that was generated is taken. */
const NAME_ATTEMPTS = 8;

/** POST to a collection. */
export async function createObject(context: ApiContext, call: ApiCall, body: CallBody): Promise<Presented> {
  const { object, warnings } = context.rules.decode(body.bytes, {
    contentType: body.contentType,
    kind: call.resource,
    fieldValidation: call.fieldValidation,
  });
  for (const warning of warnings) call.warnings.add(warning);
  return await createDecoded(context, call, fromClient(call.resource, object));
}

/** @param decoded in the version it's kept in, not defaulted yet */
export async function createDecoded(
  context: ApiContext,
  call: ApiCall,
  decoded: KubernetesObject,
): Promise<Presented> {
  const { rules } = context;
  const placed = placeInNamespace(decoded, call.namespace);
  await requireNamespace(context, call, placed);
  const tracked = rules.trackManagedFields(undefined, rules.applyDefaults(placed), {
    manager: call.manager,
    now: context.clock.now(),
    subresource: call.subresource,
    kind: call.resource,
  });
  return await admitNew(context, call, tracked);
}

/** @param object defaulted, and with its managers */
export async function admitNew(
  context: ApiContext,
  call: ApiCall,
  object: KubernetesObject,
): Promise<Presented> {
  const mutated = (await admitMutating(context, call, { operation: "CREATE", object })) ?? object;
  return await storeNew(context, call, mutated === object ? object : context.rules.applyDefaults(mutated));
}

/** From the system's own members of the metadata on. */
async function storeNew(context: ApiContext, call: ApiCall, object: KubernetesObject): Promise<Presented> {
  for (let attempt = 1; ; attempt += 1) {
    const filled = fillMetadata(context, object);
    const prepared = context.rules.prepareForCreate(filled);
    const errors = context.rules.validateCreate(prepared);
    if (errors.length > 0) throw invalid(kindSubject(call.resource, prepared), errors);
    for (const warning of context.rules.warningsFor(prepared)) call.warnings.add(warning);
    const name = prepared.metadata.name ?? "";
    const named = { ...call, name };
    await admitValidating(context, named, { operation: "CREATE", object: prepared });
    const key = keyOf(named);
    if (call.dryRun) {
      if ((await context.storage.find(key)) !== undefined) throw alreadyExists(resourceSubject(named));
      return presentObject(call.resource, withRevision(prepared, undefined));
    }
    refuseVersion(object);
    try {
      const lifetime = expiryOf(key, context.clock.now());
      const stored = await context.storage.write({ key, expected: 0, object: prepared, ...lifetime });
      if (key.resource === "namespaces") await context.furnishNamespace(name);
      return presentStored(call.resource, stored);
    } catch (error) {
      if (!isConflict(error)) throw error;
      const generated = (object.metadata.name ?? "") === "";
      if (!generated || attempt >= NAME_ATTEMPTS) throw alreadyExists(resourceSubject(named));
    }
  }
}

/** Who posts what he read somewhere is told so, in words that have no reason, and the code of a defect. */
function refuseVersion({ metadata }: KubernetesObject): void {
  if (!(Number(metadata.resourceVersion ?? 0) > 0)) return;
  throw unexplained("resourceVersion should not be set on objects to be created");
}

/** For objects of clients that need not know whether there was one. */
export function withoutVersion(object: KubernetesObject): KubernetesObject {
  if (object.metadata.resourceVersion === undefined) return object;
  const { resourceVersion: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

export function placeInNamespace(object: KubernetesObject, namespace: string): KubernetesObject {
  const own = object.metadata.namespace ?? "";
  if (own === namespace) return object;
  const { namespace: _, ...rest } = object.metadata;
  if (namespace === "") return { ...object, metadata: rest };
  if (own !== "") {
    throw badRequest("the namespace of the provided object does not match the namespace sent on the request");
  }
  return { ...object, metadata: { ...rest, namespace } };
}

/** Nothing is made in a namespace that isn't there, or is on its way out. */
export async function requireNamespace(
  context: ApiContext,
  call: ApiCall,
  object: KubernetesObject,
): Promise<void> {
  const { namespace } = call;
  if (!call.resource.namespaced) return;
  const found = await context.storage.find({ resource: "namespaces", namespace: "", name: namespace });
  if (found === undefined) throw notFound({ group: "", kind: "namespaces", name: namespace });
  if (found.object.metadata.deletionTimestamp === undefined) return;
  const name = object.metadata.name ?? object.metadata.generateName ?? "";
  const why = `unable to create new content in namespace ${namespace} because it is being terminated`;
  const { status } = forbidden(resourceSubject(call, name), why);
  throw failure("Forbidden", status.message ?? why, {
    ...status.details,
    causes: [
      {
        reason: "NamespaceTerminating",
        message: `namespace ${namespace} is being terminated`,
        field: "metadata.namespace",
      },
    ],
  });
}

/** What only the server says about an object. */
function fillMetadata(context: ApiContext, object: KubernetesObject): KubernetesObject {
  const {
    name: given = "",
    generateName: base = "",
    namespace,
    deletionTimestamp: _deleted,
    deletionGracePeriodSeconds: _grace,
    resourceVersion: _version,
    selfLink: _link,
    ...rest
  } = object.metadata;
  const name = given === "" && base !== "" ? generateName(base, context.random) : given;
  const metadata: Metadata = {
    ...(name !== "" && { name }),
    ...(base !== "" && { generateName: base }),
    ...(namespace !== undefined && namespace !== "" && { namespace }),
    ...rest,
    uid: context.newUid(),
    creationTimestamp: formatTime(context.clock.now()),
  };
  return { ...object, metadata };
}
