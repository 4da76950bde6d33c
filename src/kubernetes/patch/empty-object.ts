/** An object that nobody has given anything, as the API server writes it. */
import type { Json, JsonObject } from "../objects/object.ts";
import type { Field, Schema } from "../schema/schema.ts";

/**
 * It holds what Go always writes: structs, and what is required, mostly as null. An object that is created is compared
 * with this one, so that for instance nobody owns `spec.containers` itself, but each of its items.
 */
export function emptyObject(schema: Schema): JsonObject {
  const members: [string, Json][] = [];
  for (const field of schema.fields.values()) {
    if (field.presence === "always") members.push([field.name, emptyValue(field)]);
    else if (field.required) members.push([field.name, null]);
  }
  return Object.fromEntries(members);
}

function emptyValue(field: Field): Json {
  switch (field.schema.kind) {
    case "struct":
      return emptyObject(field.schema);
    case "string":
    case "bytes":
      return "";
    case "integer":
    case "intOrString":
      return 0;
    case "boolean":
      return false;
    case "list":
    case "map":
    case "quantity":
    case "raw":
    case "time":
      return null;
  }
}
