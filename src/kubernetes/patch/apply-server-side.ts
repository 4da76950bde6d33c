/**
 * Server-side apply. Who applies an object sets its fields and owns them. Fields they owned and don't apply any more
 * go, unless others own them too. Fields that others own and that would change are conflicts, unless forced; then they
 * change owner. Fields that are applied with the very value they have belong to both.
 */
import { badRequest, unexplained } from "../objects/status.ts";
import { type KubernetesObject, parseApiVersion } from "../objects/object.ts";
import { conflictError } from "./apply-conflict.ts";
import { emptyObject } from "./empty-object.ts";
import {
  difference,
  differenceWithin,
  type FieldSet,
  intersection,
  isEmptySet,
  NO_FIELDS,
  union,
} from "./field-set.ts";
import { checkDepth, equalJson, isObject } from "./json.ts";
import { fieldsMatching, refreshLastApplied } from "./last-applied.ts";
import {
  formatTime,
  type Managed,
  managedFieldsOf,
  type Manager,
  managerKey,
  parseManaged,
  withManaged,
  withoutManaged,
} from "./managed-fields.ts";
import { mergeApplied } from "./merge-applied.ts";
import { fieldsOf, typeFaults } from "./object-fields.ts";
import { changeBetween, conflictsOf, handOver, ignoredFields, ownable } from "./ownership.ts";
import { type Place, rootPlace } from "./place.ts";
import { removeFields, withNamedFields } from "./remove-fields.ts";
import { type ManagedFieldsOptions, moveFields } from "./track-managed-fields.ts";
import { withoutNewNulls } from "./without-nulls.ts";

export interface ApplyOptions extends ManagedFieldsOptions {
  readonly force: boolean;
}

/** Fields of objects that were stored before anyone owned fields. */
const BEFORE_FIRST_APPLY = "before-first-apply";
/** Who takes over from client-side apply, and keeps its annotation up to date. */
const KUBECTL = "kubectl";

/**
 * @param live undefined where the object is to be created
 * @returns what is to be stored, before defaults; the very `live` where nothing changed
 * @throws StatusError: Conflict with a cause for each field; BadRequest; code 500 for what its types don't know
 */
export function applyServerSide(
  live: KubernetesObject | undefined,
  applied: KubernetesObject,
  options: ApplyOptions,
): KubernetesObject {
  checkDepth(applied);
  const place = rootPlace(options.schema);
  checkApplied(live, applied, place);
  const base = live ?? newObject(applied);
  const apply: Apply = {
    live: withoutManaged(base),
    applied,
    place,
    options,
    managed: managedIn(live, place, options),
  };
  const outcome = options.force ? merge(apply, true) : mergeUnforced(apply);
  const result = withManaged(outcome.object, outcome.managed);
  return live !== undefined && equalJson(result, live) ? live : result;
}

interface Apply {
  readonly live: KubernetesObject;
  readonly applied: KubernetesObject;
  readonly place: Place;
  readonly options: ApplyOptions;
  readonly managed: Managed;
}

interface Outcome {
  readonly object: KubernetesObject;
  readonly managed: Managed;
  readonly conflicts: ReadonlyMap<string, FieldSet>;
}

function newObject(applied: KubernetesObject): KubernetesObject {
  return { apiVersion: applied.apiVersion, kind: applied.kind, metadata: {} };
}

function checkApplied(live: KubernetesObject | undefined, applied: KubernetesObject, place: Place): void {
  const expected = live?.apiVersion ?? applied.apiVersion;
  if (applied.apiVersion !== expected) {
    const versions = `Specified patch version: ${applied.apiVersion}, expected: ${expected}`;
    throw badRequest(`Incorrect version specified in apply patch. ${versions}`);
  }
  const sent = managedFieldsOf(applied);
  if (sent !== undefined && sent !== null) throw badRequest("metadata.managedFields must be nil");
  checkTypes(applied, place);
}

/**
 * Whether someone may apply an object, as far as its types go.
 *
 * @throws StatusError with code 500
 */
export function checkAppliedTypes(applied: KubernetesObject, schema: string): void {
  checkDepth(applied);
  checkTypes(applied, rootPlace(schema));
}

function checkTypes(applied: KubernetesObject, place: Place): void {
  const faults = typeFaults(applied, place);
  if (faults.length === 0) return;
  const { group, version } = parseApiVersion(applied.apiVersion);
  const { name = "", namespace = "" } = isObject(applied.metadata) ? applied.metadata : {};
  const title = `${namespace}/${name}; ${group}/${version}, Kind=${applied.kind}`;
  const text = faults.length === 1 ? faults[0] : ["errors:", ...faults.map((one) => `  ${one}`)].join("\n");
  throw unexplained(`failed to create typed patch object (${title}): ${text}`);
}

function managedIn(live: KubernetesObject | undefined, place: Place, options: ApplyOptions): Managed {
  const managed = parseManaged(managedFieldsOf(live));
  if (managed === undefined) throw unexplained("failed to decode managed fields: an entry is malformed");
  if (managed.size > 0 || live === undefined) return managed;
  const objects = { before: emptyObject(place.schema), after: live, place };
  return moveFields(managed, objects, { ...options, manager: BEFORE_FIRST_APPLY });
}

function mergeUnforced(apply: Apply): Outcome {
  const outcome = merge(apply, false);
  if (outcome.conflicts.size === 0) return outcome;
  let conflicts = outcome.conflicts;
  // What kubectl applied from its own side, it may take over here.
  if (apply.options.manager === KUBECTL) {
    const allowed = fieldsMatching(apply.live, apply.place);
    const left = [...conflicts].map(([key, fields]) => [key, difference(fields, allowed)] as const);
    conflicts = new Map(left.filter(([, fields]) => !isEmptySet(fields)));
    if (conflicts.size === 0) return merge(apply, true);
  }
  throw conflictError(conflicts, apply.managed);
}

function merge(apply: Apply, force: boolean): Outcome {
  const { live, applied, place, options } = apply;
  const subresource = options.subresource ?? "";
  const manager: Manager = {
    name: options.manager,
    operation: "Apply",
    apiVersion: applied.apiVersion,
    subresource,
  };
  const key = managerKey(manager);
  const ignored = ignoredFields(subresource);
  const last = apply.managed.get(key);
  const fields = differenceWithin(fieldsOf(applied, place), ignored);
  const managed = new Map(apply.managed).set(key, { ...last, ...manager, fields });

  const merged = mergeApplied(live, applied, place) as KubernetesObject;
  const pruned = prune(merged, { place, managed, last: last?.fields ?? NO_FIELDS });
  const change = changeBetween(live, pruned, { place, ignored });
  const conflicts = force ? new Map<string, FieldSet>() : conflictsOf(managed, change, key);
  const left = handOver(managed, change, key);
  const changed = !equalJson(live, pruned);
  const own = ownable(fields);
  if (isEmptySet(own)) left.delete(key);
  else left.set(key, { ...last, ...manager, fields: own, ...(changed && { time: formatTime(options.now) }) });
  const object = withoutNewNulls(pruned, live) as KubernetesObject;
  return {
    object: options.manager === KUBECTL ? refreshLastApplied(object, applied) : object,
    managed: left,
    conflicts,
  };
}

interface Pruning {
  readonly place: Place;
  readonly managed: Managed;
  readonly last: FieldSet;
}

/** Removes what this manager applied last time, and now neither it nor anyone else owns. */
function prune(merged: KubernetesObject, { place, managed, last }: Pruning): KubernetesObject {
  if (isEmptySet(last)) return merged;
  const named = (set: FieldSet): FieldSet => withNamedFields(set, place);
  const mergedFields = named(fieldsOf(merged, place));
  let owned = NO_FIELDS;
  for (const entry of managed.values()) owned = union(owned, entry.fields);

  const removed = removeFields(merged, named(last), place);
  const stillThere = union(named(fieldsOf(removed, place)), named(owned));
  const addedBack = removeFields(merged, difference(mergedFields, stillThere), place);
  const gone = difference(mergedFields, named(fieldsOf(addedBack, place)));
  return removeFields(merged, intersection(gone, named(last)), place) as KubernetesObject;
}
