/**
 * JSON into the value that the API server would keep of it: checked against the types, unknown members left out, and
 * everything in its canonical form.
 */
import { decodeBase64 } from "../../internal/go/base64.ts";
import { type GoError, GoTypeError } from "../../internal/go/errors.ts";
import type { JsonNode } from "../../internal/go/json-parse.ts";
import type { Json } from "../objects/object.ts";
import { complete, type Members, putField, setMember, sortMembers, zeroOf } from "./canonical.ts";
import { canonicalQuantity } from "./quantity.ts";
import type { Field, Schema } from "./schema.ts";
import { StrictErrors } from "./strict-errors.ts";
import { canonicalTime } from "./time.ts";

export interface ReadResult {
  readonly value: Members;
  /** `unknown field "spec.containers[0].nmae"` and `duplicate field "…"`; a hundred at most. */
  readonly strictErrors: readonly string[];
}

/** What is said of a value of the wrong type. */
export type Mismatch = (node: JsonNode, schema: Schema, place: Place) => GoError;

/** Where a value stands: the struct that holds the innermost field, and the fields that lead there. */
export interface Place {
  readonly struct: string;
  readonly fields: readonly string[];
}

/** @throws GoError in the words of `mismatch`, of a wrong quantity, a wrong time, or wrong base64 */
export function readNode(node: JsonNode, schema: Schema, mismatch: Mismatch = jsonMismatch): ReadResult {
  const reading = new Reading(mismatch);
  const value = reading.struct(node, schema, undefined);
  if (reading.error !== undefined) throw reading.error;
  return { value, strictErrors: reading.strict.messages };
}

const jsonMismatch: Mismatch = (node, schema, { struct, fields }) => {
  // A number that is of the right type, but too large or not whole, is shown.
  const value = node.kind === "number" && schema.kind === "integer" ? `number ${node.text}` : node.kind;
  const error = new GoTypeError(value, schema.goType);
  return fields.length === 0 ? error : error.within(struct, fields);
};

const UINT8: Schema = {
  kind: "integer",
  name: "",
  goType: "uint8",
  format: "uint8",
  fields: new Map(),
  always: [],
  mapType: "granular",
};
const LIMITS: Readonly<Record<string, readonly [min: bigint, max: bigint]>> = {
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint8: [0n, 255n],
};
const LONGEST = "-9223372036854775808".length;
const WHOLE = /^-?\d+$/;

class Reading {
  /** The first; what follows is read all the same. */
  error: GoError | undefined;
  readonly strict = new StrictErrors();
  readonly #mismatch: Mismatch;
  #struct = "";
  readonly #fields: string[] = [];

  constructor(mismatch: Mismatch) {
    this.#mismatch = mismatch;
  }

  struct(node: JsonNode, schema: Schema, previous: Json | undefined): Members {
    // Ours, from an earlier member of the same name; a copy for each would let a small body cost hours.
    const members = (previous ?? {}) as Members;
    if (node.kind !== "object") {
      if (node.kind !== "null") this.#refuse(node, schema);
      return complete(members, schema);
    }
    const outer = this.#struct;
    this.#struct = schema.goType.slice(schema.goType.indexOf(".") + 1);
    const seen = new Set<string>();
    for (const [name, member] of node.members) {
      const field = schema.fields.get(name);
      if (field === undefined) {
        this.strict.add("unknown", name);
        continue;
      }
      if (seen.has(name)) this.strict.add("duplicate", name);
      seen.add(name);
      this.#fields.push(name);
      this.strict.enter(name);
      putField(members, field, this.#field(member, field, members[name]));
      this.strict.leave();
      this.#fields.pop();
    }
    this.#struct = outer;
    return complete(members, schema);
  }

  /** @returns undefined for Go's nil, and where a value stays as it was for lack of a usable one */
  #field(node: JsonNode, field: Field, previous: Json | undefined): Json | undefined {
    const { schema } = field;
    // A value keeps what it had; a pointer, a map and a list become nil.
    if (node.kind === "null" && (field.presence !== "always" || isReset(schema))) {
      const isPlain = field.presence === "nonzero" && schema.kind !== "list" && schema.kind !== "map";
      return isPlain ? previous : undefined;
    }
    const isEmpty = schema.kind === "map" && node.kind === "object" && node.members.length === 0;
    if (isEmpty && field.presence === "nonzero") return previous;
    return this.#value(node, schema, previous);
  }

  #value(node: JsonNode, schema: Schema, previous: Json | undefined): Json | undefined {
    switch (schema.kind) {
      case "struct":
        return this.struct(node, schema, previous);
      case "list":
        return this.#list(node, schema, previous);
      case "map":
        return this.#map(node, schema, previous);
      case "string":
        return node.kind === "string" ? node.value : this.#kept(node, schema, previous);
      case "boolean":
        return node.kind === "bool" ? node.value : this.#kept(node, schema, previous);
      case "integer":
        return isWithin(node, schema) ? integerOf(node) : this.#kept(node, schema, previous);
      case "bytes":
        return this.#bytes(node, schema, previous);
      case "raw":
        return toJson(node);
      case "quantity":
      case "time":
      case "intOrString":
        break;
    }
    return this.#special(node, schema);
  }

  #list(node: JsonNode, schema: Schema, previous: Json | undefined): Json | undefined {
    if (node.kind !== "array") return this.#kept(node, schema, previous);
    const items = schema.items as Schema;
    return node.items.map((item, index) => {
      this.strict.enter(index);
      const value = this.#value(item, items, undefined);
      this.strict.leave();
      return value ?? zeroOf(items);
    });
  }

  #map(node: JsonNode, schema: Schema, previous: Json | undefined): Json | undefined {
    if (node.kind !== "object") return this.#kept(node, schema, previous);
    const members = (previous ?? {}) as Members;
    const items = schema.items as Schema;
    const seen = new Set<string>();
    for (const [name, member] of node.members) {
      if (seen.has(name)) this.strict.add("duplicate", name);
      seen.add(name);
      this.strict.enter(name);
      setMember(members, name, this.#value(member, items, undefined) ?? zeroOf(items));
      this.strict.leave();
    }
    return sortMembers(members);
  }

  #bytes(node: JsonNode, schema: Schema, previous: Json | undefined): Json | undefined {
    if (node.kind === "array") {
      const bytes = node.items.map((item) => this.#value(item, UINT8, 0));
      return Buffer.from(bytes as number[]).toString("base64");
    }
    if (node.kind !== "string") return this.#kept(node, schema, previous);
    try {
      return decodeBase64(node.value, { padded: true }).toString("base64");
    } catch (error) {
      this.error ??= error as GoError;
      return previous;
    }
  }

  /** Types that decode themselves; what they refuse ends everything. */
  #special(node: JsonNode, schema: Schema): Json | undefined {
    if (node.kind === "null") return schema.kind === "time" ? undefined : zeroOf(schema);
    if (schema.kind === "quantity") return canonicalQuantity(quantityText(node));
    if (schema.kind === "time") {
      if (node.kind !== "string") throw this.#inside(node, "string");
      return canonicalTime(node.value, schema.format === "micro" ? "micro" : "seconds");
    }
    if (node.kind === "string") return node.value;
    if (!isWithin(node, INT32)) throw this.#inside(node, "int32");
    return integerOf(node);
  }

  #inside(node: JsonNode, goType: string): GoError {
    const schema = goType === "int32" ? INT32 : { ...INT32, kind: "string" as const, goType };
    return this.#mismatch(node, schema, this.#place());
  }

  #kept(node: JsonNode, schema: Schema, previous: Json | undefined): Json | undefined {
    if (node.kind !== "null") this.#refuse(node, schema);
    return previous;
  }

  #refuse(node: JsonNode, schema: Schema): void {
    this.error ??= this.#mismatch(node, schema, this.#place());
  }

  #place(): Place {
    return { struct: this.#struct, fields: [...this.#fields] };
  }
}

const INT32: Schema = { ...UINT8, goType: "int32", format: "int32" };

/** `-0` is no number of Go's. */
function integerOf(node: { readonly text: string }): number {
  return Number(node.text) + 0;
}

function isWithin(node: JsonNode, schema: Schema): node is JsonNode & { readonly kind: "number" } {
  if (node.kind !== "number" || !WHOLE.test(node.text)) return false;
  // Nine digits fit in all but a byte.
  if (node.text.length < 10 && schema.format !== "uint8") return true;
  if (node.text.length > LONGEST) return false;
  const [min, max] = LIMITS[schema.format] ?? [0n, 0n];
  const value = BigInt(node.text);
  return value >= min && value <= max;
}

/** Whether `null` makes it a zero that is written. */
function isReset(schema: Schema): boolean {
  return schema.kind === "time" || schema.kind === "quantity" || schema.kind === "intOrString";
}

/** What stands in the document, without its quotes: anything but a text or a number is no quantity. */
function quantityText(node: JsonNode): string {
  if (node.kind === "string") return node.value.trim();
  return node.kind === "number" ? node.text : "?";
}

export function toJson(node: JsonNode): Json {
  switch (node.kind) {
    case "null":
      return null;
    case "bool":
    case "string":
      return node.value;
    case "number":
      return Number(node.text);
    case "array":
      return node.items.map((item) => toJson(item));
    case "object":
      break;
  }
  const members: Members = {};
  for (const [name, member] of node.members) setMember(members, name, toJson(member));
  return members;
}
