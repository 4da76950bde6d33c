/** Where a walk through an object stands: the type there, and what the field that led to it says of merging. */
import { failure } from "../objects/status.ts";
import { type Field, findSchema, type Schema } from "../schema/schema.ts";

export interface Place {
  readonly schema: Schema;
  /** Undefined for roots, elements of lists and values of maps. */
  readonly field: Field | undefined;
}

/** @param name as in `ApiResource.schema` */
export function rootPlace(name: string): Place {
  const schema = findSchema(name);
  if (schema === undefined) throw failure("InternalError", `no schema is known by the name ${name}`);
  return { schema, field: undefined };
}

/** A declared field, or a value of a map; undefined for what nothing is known about. */
export function memberPlace(place: Place | undefined, name: string): Place | undefined {
  const field = place?.schema.fields.get(name);
  if (field !== undefined) return { schema: field.schema, field };
  return place?.schema.kind === "map" ? itemPlace(place) : undefined;
}

export function itemPlace(place: Place | undefined): Place | undefined {
  const items = place?.schema.items;
  return items === undefined ? undefined : { schema: items, field: undefined };
}
