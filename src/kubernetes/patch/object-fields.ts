/** The fields that an applied object speaks of, and whether its types know them. */
import type { Json } from "../objects/object.ts";
import { FieldSetBuilder } from "./field-set.ts";
import { formatFieldPath } from "./field-path.ts";
import { formatGoSyntax, formatGoValue, goTypeOf } from "./go-value.ts";
import { isList, isObject, memberOf, membersOf } from "./json.ts";
import { itemPlace, memberPlace, type Place } from "./place.ts";
import { itemsByStep, shapeOf, stepOf } from "./typed-walk.ts";

/** All leaves, and each item of a list; objects and lists themselves only where they are empty or null. */
export function fieldsOf(object: Json, place: Place): FieldSetBuilder {
  const set = new FieldSetBuilder();
  collect(set, object, place);
  set.owned = false;
  return set;
}

function collect(set: FieldSetBuilder, value: Json, place: Place | undefined): void {
  const shape = shapeOf(place, value);
  if (shape === "leaf") set.owned = true;
  else if (shape === "members" && isObject(value)) {
    for (const [name, member] of membersOf(value)) {
      const below = memberPlace(place, name);
      const child = set.child(`f:${name}`);
      collect(child, member, below);
      const bare = member === null || (isObject(member) && membersOf(member).length === 0);
      if (bare || below?.field === undefined) child.owned = true;
      if (!child.owned && child.children.size === 0) set.children.delete(`f:${name}`);
    }
  } else if (shape === "items" && place !== undefined) {
    for (const [step, items] of itemsByStep(place, value)) {
      const child = set.child(step);
      child.owned = true;
      if (items.length === 1) collect(child, items[0] as Json, itemPlace(place));
    }
  }
}

/** What is wrong with an object that someone applies, a sentence for each fault. */
export function typeFaults(object: Json, place: Place): readonly string[] {
  return [...faultsIn(object, place, [])];
}

function* faultsIn(value: Json, place: Place, path: readonly string[]): Generator<string> {
  const fault = value === null ? undefined : wrongType(value, place);
  if (fault !== undefined) {
    yield `${formatFieldPath(path)}: ${fault}`;
    return;
  }
  if (isObject(value) && (place.schema.kind === "struct" || place.schema.kind === "map")) {
    for (const [name, member] of membersOf(value)) {
      const below = memberPlace(place, name);
      const at = [...path, `f:${name}`];
      if (below === undefined) {
        yield `${formatFieldPath(at)}: field not declared in schema`;
        return;
      }
      yield* faultsIn(member, below, at);
    }
  } else if (isList(value)) yield* faultsInItems(value, place, path);
}

function* faultsInItems(items: readonly Json[], place: Place, path: readonly string[]): Generator<string> {
  const item = itemPlace(place);
  if (item === undefined) return;
  const keyed = shapeOf(place, items) === "items";
  const seen = new Set<string>();
  for (const [at, one] of items.entries()) {
    const step = keyed ? stepOf(place, one) : `i:${at}`;
    if (step === undefined) {
      yield `${formatFieldPath(path)}: element ${at}: ${keylessText(place, one)}`;
      return;
    }
    if (keyed && seen.has(step))
      yield `${formatFieldPath(path)}: duplicate entries for key ${formatFieldPath([step])}`;
    seen.add(step);
    yield* faultsIn(one, item, [...path, step]);
  }
}

function keylessText(place: Place, item: Json): string {
  if (!isObject(item)) {
    return item === null
      ? "associative list with keys may not have a null element"
      : "associative list with keys may not have non-map elements";
  }
  const missing = place.field?.listMapKeys.find(
    (name) =>
      memberOf(item, name) === undefined && memberPlace(itemPlace(place), name)?.field?.default === undefined,
  );
  return `associative list with keys has an element that omits key field "${missing ?? ""}" (and doesn't have default value)`;
}

function wrongType(value: Json, place: Place): string | undefined {
  switch (place.schema.kind) {
    case "struct":
    case "map":
      return isObject(value) ? undefined : `expected map, got ${pointedTo(value)}`;
    case "list":
      return isList(value) ? undefined : `expected list, got ${pointedTo(value)}`;
    case "string":
    case "bytes":
      return typeof value === "string"
        ? undefined
        : `expected string, got &value.valueUnstructured{Value:${formatGoSyntax(value)}}`;
    case "integer":
      return typeof value === "number"
        ? undefined
        : `expected numeric (int or float), got ${goTypeOf(value)}`;
    case "boolean":
      return typeof value === "boolean" ? undefined : `expected boolean, got ${pointedTo(value)}`;
    case "raw":
      return undefined;
    case "intOrString":
    case "quantity":
    case "time":
      return isObject(value) || isList(value) ? `expected any scalar, got ${pointedTo(value)}` : undefined;
  }
}

/** As Go prints what it holds a value in. */
function pointedTo(value: Json): string {
  return `&{${formatGoValue(value)}}`;
}
