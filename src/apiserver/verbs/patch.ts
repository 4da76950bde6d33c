/** PATCH: four ways to say what shall change. */
import { forbiddenField, requiredField } from "../../internal/kubernetes/field-error.ts";
import {
  badRequest,
  conflict,
  failure,
  notFound,
  type PatchType,
  type ReadPatch,
} from "../../kubernetes/index.ts";
import { isConflict } from "../storage/errors.ts";
import type { ApiCall, ApiContext, CallBody } from "./context.ts";
import { admitNew, placeInNamespace, requireNamespace, withoutVersion } from "./create.ts";
import { keyOf, resourceSubject } from "./names.ts";
import { invalidOptions, parseWriteOptions } from "./options.ts";
import { forClient, fromClient, type Presented } from "./present.ts";
import { changeObject } from "./update.ts";

const TYPES: ReadonlyMap<string, PatchType> = new Map([
  ["application/json-patch+json", "json"],
  ["application/merge-patch+json", "merge"],
  ["application/strategic-merge-patch+json", "strategic"],
]);
const APPLY = "application/apply-patch+yaml";

export interface Patched extends Presented {
  readonly created: boolean;
}

/** @throws StatusError */
export async function patchObject(context: ApiContext, call: ApiCall, body: CallBody): Promise<Patched> {
  const options = parseWriteOptions(call.query, "PatchOptions");
  if (mediaTypeOf(body.contentType) === APPLY) {
    if (options.fieldManager === "") {
      throw invalidOptions("PatchOptions", [requiredField("fieldManager", "is required for apply patch")]);
    }
    return await applyObject(context, call, { body, force: options.force });
  }
  const type = patchTypeOf(body.contentType);
  if (call.query.has("force")) {
    const error = forbiddenField("force", "may not be specified for non-apply patch");
    throw invalidOptions("PatchOptions", [error]);
  }
  const { resource, fieldValidation } = call;
  let patch: ReadPatch | undefined;
  const presented = await changeObject(context, call, (current) => {
    patch ??= context.rules.readPatch(body.bytes, type, fieldValidation);
    const shown = forClient(resource, current);
    const patched = context.rules.applyPatch(shown, patch, { type, kind: resource, fieldValidation });
    for (const warning of patched.warnings) call.warnings.add(warning);
    return { object: fromClient(resource, patched.object) };
  });
  return { ...pick(presented), created: false };
}

interface Applying {
  readonly body: CallBody;
  readonly force: boolean;
}

async function applyObject(context: ApiContext, call: ApiCall, it: Applying): Promise<Patched> {
  const { rules } = context;
  const { resource } = call;
  const { object: sent, warnings } = rules.decodeConfiguration(it.body.bytes, {
    contentType: "application/yaml",
    kind: resource,
    fieldValidation: call.fieldValidation,
  });
  for (const warning of warnings) call.warnings.add(warning);
  const configuration = placeInNamespace(fromClient(resource, sent), call.namespace);
  const { name = call.name } = configuration.metadata;
  if (name !== call.name) {
    throw badRequest(`the name of the object (${name}) does not match the name on the URL (${call.name})`);
  }
  const named = { ...configuration, metadata: { ...configuration.metadata, name } };
  const options = {
    manager: call.manager,
    now: context.clock.now(),
    subresource: call.subresource,
    kind: resource,
    force: it.force,
  };
  for (;;) {
    const current = await context.storage.find(keyOf(call));
    if (current !== undefined) {
      const presented = await changeObject(context, call, (live) => ({
        object: rules.applyConfiguration(live, named, options),
        managed: true,
      }));
      return { ...pick(presented), created: false };
    }
    if (call.subresource !== "") throw notFound(resourceSubject(call));
    if ((named.metadata.uid ?? "") !== "") throw conflictOfUid(call, named.metadata.uid ?? "");
    await requireNamespace(context, call, named);
    const fresh = rules.applyDefaults(rules.applyConfiguration(undefined, named, options));
    try {
      return { ...pick(await admitNew(context, call, withoutVersion(fresh))), created: true };
    } catch (error) {
      // Somebody else created it in the meantime: then it is a change.
      if (!isConflict(error) && !isAlreadyExists(error)) throw error;
      call.signal.throwIfAborted();
    }
  }
}

function pick({ object, text }: Presented): Presented {
  return { object, text };
}

function isAlreadyExists(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "AlreadyExists";
}

function conflictOfUid(call: ApiCall, uid: string): Error {
  const why = `the provided object specified uid ${uid}, and no existing object was found`;
  return conflict(resourceSubject(call), `uid mismatch: ${why}`);
}

/** @throws StatusError for what is no way to patch */
export function patchTypeOf(contentType: string): PatchType {
  const type = TYPES.get(mediaTypeOf(contentType));
  if (type !== undefined) return type;
  const accepted = [...TYPES.keys(), APPLY].join(", ");
  const message = `the body of the request was in an unknown format - accepted media types include: ${accepted}`;
  throw failure("UnsupportedMediaType", message);
}

function mediaTypeOf(contentType: string): string {
  return (contentType.split(";")[0] ?? "").trim().toLowerCase();
}
