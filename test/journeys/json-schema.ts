/** The part of JSON Schema that our own schemas use, to hold values to. */
export interface JsonSchema {
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, JsonSchema>>;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
  readonly items?: JsonSchema;
}

/** Where a value isn't as a schema says, in sentences. */
export function findSchemaFaults(
  schema: JsonSchema,
  value: unknown,
  root: JsonSchema = schema,
  place = "$",
): readonly string[] {
  if (schema.$ref !== undefined) {
    const found = root.$defs?.[schema.$ref.replace("#/$defs/", "")];
    return found === undefined
      ? [`${place}: no definition ${schema.$ref}`]
      : findSchemaFaults(found, value, root, place);
  }
  if (schema.const !== undefined && value !== schema.const)
    return [`${place} is not ${JSON.stringify(schema.const)}`];
  if (schema.enum !== undefined && !schema.enum.includes(value))
    return [`${place}: ${JSON.stringify(value)} is none of the choices`];
  const types = schema.type === undefined ? [] : [schema.type].flat();
  if (types.length > 0 && !types.some((type) => isOf(type, value)))
    return [`${place} is no ${types.join(" or ")}`];
  if (Array.isArray(value)) {
    const { items } = schema;
    return items === undefined
      ? []
      : value.flatMap((item, index) => findSchemaFaults(items, item, root, `${place}[${index}]`));
  }
  if (typeof value !== "object" || value === null) return [];
  const members = value as Readonly<Record<string, unknown>>;
  const missing = (schema.required ?? [])
    .filter((name) => !(name in members))
    .map((name) => `${place}.${name} is missing`);
  const wrong = Object.entries(members).flatMap(([name, member]) => {
    const own = schema.properties?.[name];
    if (own !== undefined) return findSchemaFaults(own, member, root, `${place}.${name}`);
    return schema.additionalProperties === false ? [`${place}.${name} is not in the schema`] : [];
  });
  return [...missing, ...wrong];
}

function isOf(type: string, value: unknown): boolean {
  if (type === "null") return value === null;
  if (type === "array") return Array.isArray(value);
  if (type === "object") return typeof value === "object" && value !== null && !Array.isArray(value);
  if (type === "integer") return Number.isInteger(value);
  return typeof value === type;
}
