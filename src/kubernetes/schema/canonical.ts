/** How values are written back: what Go's types keep, leave out, and add. */
import { compareBytes } from "../../internal/go/utf8.ts";
import type { Json } from "../objects/object.ts";
import type { Field, Schema } from "./schema.ts";

export type Members = Record<string, Json>;

/** Sets a member; a map may have one called `__proto__`, which an assignment would take for something else. */
export function setMember(members: Members, name: string, value: Json): void {
  if (name === "__proto__") {
    Object.defineProperty(members, name, { value, enumerable: true, configurable: true, writable: true });
  } else {
    members[name] = value;
  }
}

/** A map as Go writes it: by the bytes of its names. The very one where it is so already. */
export function sortMembers(members: Members): Members {
  const names = Object.keys(members);
  const isSorted = names.every((name, at) => at === 0 || compareBytes(names[at - 1] as string, name) < 0);
  if (isSorted) return members;
  const sorted: Members = {};
  for (const name of names.toSorted(compareBytes)) setMember(sorted, name, members[name] as Json);
  return sorted;
}

/** Keeps or leaves out what was read for a field; undefined is Go's nil. */
export function putField(members: Members, field: Field, value: Json | undefined): void {
  const { name } = field;
  if (value === undefined || (field.presence === "nonzero" && isZero(value))) delete members[name];
  else members[name] = value;
}

/** Adds what is always written; call it once all that was given has been put. */
export function complete(members: Members, schema: Schema): Members {
  for (const field of schema.always) members[field.name] ??= zeroOf(field.schema);
  return members;
}

/** What a Go value is written as that nobody has set. */
export function zeroOf(schema: Schema): Json {
  switch (schema.kind) {
    case "struct":
      return complete({}, schema);
    case "string":
    case "bytes":
      return "";
    case "integer":
    case "intOrString":
      return 0;
    case "boolean":
      return false;
    case "quantity":
      return "0";
    case "list":
      return [];
    case "map":
      return {};
    case "time":
    case "raw":
      break;
  }
  return null;
}

/** Of an empty map its reader says nothing at all: to look through a large one again and again would take long. */
function isZero(value: Json): boolean {
  if (Array.isArray(value)) return value.length === 0;
  return value === "" || value === 0 || value === false || value === null;
}
