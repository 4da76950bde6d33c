/** A walk through the types of the API: from a kind's name to its fields, their elements, and how each is merged. */
import type { Json } from "../objects/object.ts";
import { factsOf, type StructFacts } from "./go-facts.ts";
import { openApiSchemas, type OpenApiSchema, referenceOf } from "./openapi.ts";

export type SchemaKind =
  | "struct"
  | "map"
  | "list"
  | "string"
  | "bytes"
  | "integer"
  | "boolean"
  | "quantity"
  | "time"
  | "intOrString"
  /** Any JSON, kept as it is. */
  | "raw";

export interface Schema {
  readonly kind: SchemaKind;
  /** Of a struct, such as `io.k8s.api.core.v1.PodSpec`; empty for everything else. */
  readonly name: string;
  /** As Go prints the type: `v1.PullPolicy`, `[]v1.Container`. */
  readonly goType: string;
  /** `int32`, `int64`, `micro` for times with fractions; empty where there's nothing to say. */
  readonly format: string;
  /** Of a struct; empty for everything else. */
  readonly fields: ReadonlyMap<string, Field>;
  /** Those of `fields` that are written even when nobody gave them. */
  readonly always: readonly Field[];
  /** Of a list's elements, or of a map's values. */
  readonly items?: Schema;
  /** Whether it is replaced as a whole by server-side apply. */
  readonly mapType: "atomic" | "granular";
}

export interface Field {
  readonly name: string;
  readonly schema: Schema;
  readonly required: boolean;
  readonly default: Json | undefined;
  readonly enum: readonly string[];
  /** When it's written: always, whenever it was given, or only with a value that isn't its type's zero. */
  readonly presence: "always" | "set" | "nonzero";
  /** Of strategic merge patches: `merge`, `retainKeys`, `replace`; empty for the default, which is `replace` for lists. */
  readonly patchStrategies: readonly string[];
  readonly mergeKey: string | undefined;
  /** Of server-side apply; undefined where the schema doesn't say, which means `atomic`. */
  readonly listType: "atomic" | "map" | "set" | undefined;
  readonly listMapKeys: readonly string[];
  readonly mapType: "atomic" | "granular";
}

const NO_FIELDS: ReadonlyMap<string, Field> = new Map();
const META = "io.k8s.apimachinery.pkg";

const SPECIAL: Readonly<Record<string, Schema>> = {
  [`${META}.api.resource.Quantity`]: leaf("quantity", "resource.Quantity"),
  [`${META}.apis.meta.v1.Time`]: leaf("time", "v1.Time"),
  [`${META}.apis.meta.v1.MicroTime`]: leaf("time", "v1.MicroTime", "micro"),
  [`${META}.util.intstr.IntOrString`]: leaf("intOrString", "intstr.IntOrString"),
  [`${META}.apis.meta.v1.FieldsV1`]: leaf("raw", "v1.FieldsV1"),
  [`${META}.runtime.RawExtension`]: leaf("raw", "runtime.RawExtension"),
};

const known = new Map<string, Schema>(Object.entries(SPECIAL));

/** @param name as in `ApiResource.schema`: `io.k8s.api.core.v1.Pod` */
export function findSchema(name: string): Schema | undefined {
  const found = known.get(name);
  if (found !== undefined) return found;
  const source = openApiSchemas()[name];
  return source === undefined ? undefined : struct(name, source);
}

/**
 * What a path of names leads to; a name goes into a struct's field or a map's value, and lists are passed through:
 * `fieldAt(pod, ["spec", "containers", "image"])`.
 */
export function fieldAt(schema: Schema, path: readonly string[]): Field | undefined {
  let field: Field | undefined;
  let at: Schema | undefined = schema;
  for (const name of path) {
    while (at?.kind === "list") at = at.items;
    field = at?.fields.get(name);
    at = field?.schema ?? (at?.kind === "map" ? at.items : undefined);
    if (at === undefined) return undefined;
  }
  return field;
}

function struct(name: string, source: OpenApiSchema): Schema {
  const short = name.slice(name.lastIndexOf(".") + 1);
  const fields = new Map<string, Field>();
  const always: Field[] = [];
  const schema: Schema = {
    ...leaf("struct", `v1.${short}`),
    name,
    fields,
    always,
    mapType: source["x-kubernetes-map-type"] ?? "granular",
  };
  // Before its fields, which may lead back here.
  known.set(name, schema);
  const facts = factsOf(short);
  for (const [member, property] of Object.entries(source.properties ?? {})) {
    const field = fieldOf(member, property, { facts, required: source.required?.includes(member) ?? false });
    fields.set(member, field);
    if (field.presence === "always") always.push(field);
  }
  return schema;
}

interface Around {
  readonly facts: StructFacts;
  readonly required: boolean;
}

function fieldOf(name: string, source: OpenApiSchema, around: Around): Field {
  const schema = valueOf(source, around.facts.textTypes.get(name));
  const strategy = source["x-kubernetes-patch-strategy"];
  return {
    name,
    schema,
    required: around.required,
    default: source.default,
    enum: source.enum ?? [],
    presence: presenceOf(name, { schema, source, ...around }),
    patchStrategies: strategy === undefined ? [] : strategy.split(","),
    mergeKey: source["x-kubernetes-patch-merge-key"],
    listType: source["x-kubernetes-list-type"],
    listMapKeys: source["x-kubernetes-list-map-keys"] ?? [],
    mapType: source["x-kubernetes-map-type"] ?? schema.mapType,
  };
}

/** Go's tags as the documents betray them: a struct that isn't a pointer has `{}` as its default, and so on. */
function presenceOf(
  name: string,
  field: Around & { readonly schema: Schema; readonly source: OpenApiSchema },
): Field["presence"] {
  const { facts, required, schema, source } = field;
  if (facts.always.has(name)) return "always";
  if (facts.pointers.has(name)) return "set";
  switch (schema.kind) {
    case "struct":
      return source.default === undefined ? "set" : "always";
    case "intOrString":
      return required ? "always" : "set";
    case "quantity":
    case "raw":
      return "set";
    case "time":
      return facts.valueTimes.has(name) ? "always" : "set";
    case "map":
    case "list":
      return required ? "set" : "nonzero";
    case "string":
    case "bytes":
    case "integer":
    case "boolean":
      break;
  }
  return required && source.default !== undefined ? "always" : "nonzero";
}

function valueOf(source: OpenApiSchema, textType: string | undefined): Schema {
  const reference = referenceOf(source);
  if (reference !== undefined) {
    const target = findSchema(reference);
    if (target === undefined) throw new Error(`the schema "${reference}" is missing from the table`);
    return target;
  }
  switch (source.type) {
    case "array": {
      const items = valueOf(source.items ?? {}, textType);
      return { ...leaf("list", `[]${items.goType}`), items };
    }
    case "object": {
      if (source.additionalProperties === undefined) return leaf("raw", "interface {}");
      const items = valueOf(source.additionalProperties, textType);
      const goType = items.kind === "quantity" ? "v1.ResourceList" : `map[string]${items.goType}`;
      return { ...leaf("map", goType), items };
    }
    case "integer":
      return leaf("integer", source.format ?? "int64", source.format ?? "int64");
    case "boolean":
      return leaf("boolean", "bool");
    case "string":
      return source.format === "byte" ? leaf("bytes", "[]uint8") : leaf("string", textType ?? "string");
    case "number":
    case undefined:
      break;
  }
  return leaf("raw", "interface {}");
}

function leaf(kind: SchemaKind, goType: string, format: string = ""): Schema {
  return { kind, name: "", goType, format, fields: NO_FIELDS, always: [], mapType: "granular" };
}
