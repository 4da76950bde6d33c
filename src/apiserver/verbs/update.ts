/** Changes of an object that is there, whoever worked out what it shall become. */
import { isDeepStrictEqual } from "node:util";

import {
  badRequest,
  invalid,
  type Json,
  type KubernetesObject,
  type Metadata,
  notFound,
} from "../../kubernetes/index.ts";
import { type FieldError, invalidField } from "../../internal/kubernetes/field-error.ts";
import { withRevision } from "../storage/encode-object.ts";
import { isConflict } from "../storage/errors.ts";
import type { StoredObject } from "../storage/storage.ts";
import { admitMutating, admitValidating } from "./admit.ts";
import type { ApiCall, ApiContext, CallBody } from "./context.ts";
import { createDecoded, placeInNamespace, withoutVersion } from "./create.ts";
import { isReadyToGo } from "./graceful-deletion.ts";
import { expiryOf, keyOf, kindSubject, otherUid, resourceSubject } from "./names.ts";
import { fromClient, presentObject, presentStored, type Presented } from "./present.ts";
import { checkRevision } from "./revision.ts";

export interface Proposal {
  /** In the version that is kept. */
  readonly object: KubernetesObject;
  /** With its managers settled, as server-side apply leaves them. */
  readonly managed?: boolean;
  /** A uid in it is a condition, as in what is sent whole; in what a patch makes, it is a field that can't change. */
  readonly conditional?: boolean;
}

/** PUT of one object, or of one of its subresources. */
export async function updateObject(context: ApiContext, call: ApiCall, body: CallBody): Promise<Presented> {
  const { object: sent, warnings } = context.rules.decode(body.bytes, {
    contentType: body.contentType,
    kind: call.resource,
    fieldValidation: call.fieldValidation,
  });
  for (const warning of warnings) call.warnings.add(warning);
  const object = fromClient(call.resource, sent);
  checkNames(call, object);
  if (mayCreate(call) && (await context.storage.find(keyOf(call))) === undefined) {
    return await createDecoded(context, call, withoutVersion(object));
  }
  requireRevision(call, object);
  return await changeObject(context, call, () => ({ object, conditional: true }));
}

/**
 * Brings an object from what is there to what `propose` makes of it, through admission and validation, and again
 * where somebody else was faster. A proposal with a resourceVersion other than the newest is a conflict.
 */
export async function changeObject(
  context: ApiContext,
  call: ApiCall,
  propose: (current: KubernetesObject) => Proposal | Promise<Proposal>,
): Promise<Presented> {
  for (;;) {
    const current = await context.storage.find(keyOf(call));
    if (current === undefined) throw notFound(resourceSubject(call));
    const { object: proposed, managed, conditional = false } = await propose(current.object);
    const object = placeInNamespace(proposed, call.namespace);
    checkNames(call, object);
    checkUid(call, { object, conditional }, current);
    checkRevision(call, object.metadata.resourceVersion, current);
    const next = await settle(context, call, { current, proposed: object, managed: managed === true });
    if (next === current.object) return presentStored(call.resource, current);
    if (call.dryRun) return presentObject(call.resource, next);
    try {
      return await store(context, call, { current, next });
    } catch (error) {
      // What carried no version of its own goes on from what is there now. Somebody gets on each time.
      if (!isConflict(error)) throw error;
    }
    call.signal.throwIfAborted();
  }
}

interface Settling {
  readonly current: StoredObject;
  readonly proposed: KubernetesObject;
  readonly managed: boolean;
}

/** Admission, defaults, managers, preparation and validation. The current object itself where nothing changes. */
async function settle(context: ApiContext, call: ApiCall, it: Settling): Promise<KubernetesObject> {
  const { rules } = context;
  const { current, managed } = it;
  const old = current.object;
  const proposed = keepSystemMetadata(rules.applyDefaults(it.proposed), old);
  const tracked = managed ? proposed : track(context, call, { old, object: proposed });
  const change = { operation: "UPDATE", object: tracked, oldObject: old } as const;
  const mutated = (await admitMutating(context, call, change)) ?? tracked;
  const again = mutated === tracked ? mutated : rules.applyDefaults(mutated);
  const prepared = rules.prepareForUpdate(again, old, call.subresource);
  const errors = rules.validateUpdate(prepared, old, call.subresource);
  if (errors.length > 0) throw invalid(kindSubject(call.resource, prepared), errors);
  for (const warning of rules.warningsFor(prepared, old)) call.warnings.add(warning);
  await admitValidating(context, call, { operation: "UPDATE", object: prepared, oldObject: old });
  return isDeepStrictEqual(prepared, old) ? old : rules.ignoreTimestampsAlone(old, prepared);
}

async function store(
  context: ApiContext,
  call: ApiCall,
  { current, next }: { readonly current: StoredObject; readonly next: KubernetesObject },
): Promise<Presented> {
  const { key, revision } = current;
  if (!isReadyToGo(next, current.object)) {
    const lifetime = expiryOf(key, context.clock.now());
    const stored = await context.storage.write({ key, expected: revision, object: next, ...lifetime });
    return presentStored(call.resource, stored);
  }
  const last = await context.storage.write({ key, expected: revision });
  return presentObject(call.resource, withRevision(next, String(last.revision)));
}

function track(
  context: ApiContext,
  call: ApiCall,
  { old, object }: { readonly old: KubernetesObject; readonly object: KubernetesObject },
): KubernetesObject {
  return context.rules.trackManagedFields(old, object, {
    manager: call.manager,
    now: context.clock.now(),
    subresource: call.subresource,
    kind: call.resource,
  });
}

/** What only the server says stays as it is. */
function keepSystemMetadata(object: KubernetesObject, old: KubernetesObject): KubernetesObject {
  const {
    uid: _uid,
    creationTimestamp: _created,
    deletionTimestamp: _deleted,
    deletionGracePeriodSeconds: _grace,
    generation: _generation,
    selfLink: _link,
    ...rest
  } = object.metadata;
  const before = old.metadata;
  const metadata: Record<string, Json | undefined> = { ...rest };
  const members = [
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
  ] as const;
  for (const member of members) if (before[member] !== undefined) metadata[member] = before[member];
  // managedFields that somebody sends empty are to be forgotten; those nobody speaks of stay.
  if (metadata["managedFields"] === undefined && before.managedFields !== undefined) {
    metadata["managedFields"] = before.managedFields;
  }
  return { ...object, metadata: metadata as Metadata };
}

function checkNames(call: ApiCall, object: KubernetesObject): void {
  const { name = "" } = object.metadata;
  if (name === "") {
    throw badRequest(
      `the name of the object (${call.name} based on URL) was undeterminable: name must be provided`,
    );
  }
  if (name !== call.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${call.name})`);
  }
}

function checkUid(call: ApiCall, { object, conditional }: Proposal, { object: stored }: StoredObject): void {
  const { uid = "" } = object.metadata;
  if (uid === "" || uid === stored.metadata.uid) return;
  if (conditional === true) throw otherUid(call, uid, stored.metadata.uid);
  throw invalid(kindSubject(call.resource, stored), [
    invalidField("metadata.uid", uid, "field is immutable"),
  ]);
}

/** Reports and leases may be PUT where nothing was. */
function mayCreate(call: ApiCall): boolean {
  const { resource } = call.resource;
  return call.subresource === "" && (resource === "leases" || resource === "events");
}

/** Who holds a lease has to know what it replaces. */
function requireRevision(call: ApiCall, object: KubernetesObject): void {
  if (call.resource.resource !== "leases") return;
  if (!["", "0"].includes(object.metadata.resourceVersion ?? "")) return;
  const field = "metadata.resourceVersion";
  const message = `${field}: Invalid value: 0x0: must be specified for an update`;
  const error: FieldError = { type: "Invalid", field, message };
  throw invalid(kindSubject(call.resource, object), [error]);
}
