/** The schemas that a document needs, described where we have something to say. */
import { openApiSchemas, type OpenApiSchema, referenceOf } from "../../kubernetes/index.ts";
import { DESCRIPTIONS } from "./descriptions.ts";
import { DELETE_OPTIONS_SCHEMA, type Operation, PATCH_SCHEMA, STATUS_SCHEMA } from "./operations.ts";

/** All that the operations speak of, directly or not, by name and in its order. */
export function schemasFor(operations: Iterable<Operation>): Readonly<Record<string, OpenApiSchema>> {
  const wanted = new Set<string>([STATUS_SCHEMA, DELETE_OPTIONS_SCHEMA]);
  for (const { request, response } of operations) {
    if (request !== undefined) wanted.add(request);
    wanted.add(response);
  }
  const found = new Map<string, OpenApiSchema>();
  // A set takes what is added to it while it's gone through.
  for (const name of wanted) {
    const schema = name === PATCH_SCHEMA ? PATCH : openApiSchemas()[name];
    if (schema === undefined) continue;
    found.set(name, described(name, schema));
    for (const reference of referencesOf(schema)) wanted.add(reference);
  }
  return Object.fromEntries([...found].toSorted(([a], [b]) => (a < b ? -1 : 1)));
}

const PATCH: OpenApiSchema = {
  type: "object",
  description: "A patch, of the type that its content type says.",
};

/** Of every kind, where it has nothing of its own. */
const COMMON: Readonly<Record<string, string>> = {
  apiVersion: "The group and version of the kind: GROUP/VERSION, or VERSION for the core group.",
  kind: "The kind of the object.",
  metadata: "The object's name, labels and annotations, and what the server keeps about it.",
  spec: "What is wanted.",
  status: "What was last seen.",
};

function described(name: string, schema: OpenApiSchema): OpenApiSchema {
  const known = Object.hasOwn(DESCRIPTIONS, name) ? DESCRIPTIONS[name] : undefined;
  const own = typeof known === "string" ? { "": known } : (known ?? {});
  const texts = schema["x-kubernetes-group-version-kind"] === undefined ? own : { ...COMMON, ...own };
  const properties = Object.entries(schema.properties ?? {}).map(([field, property]) => {
    const description = Object.hasOwn(texts, field) ? texts[field] : undefined;
    return [field, description === undefined ? property : { description, ...property }] as const;
  });
  return {
    ...(own[""] !== undefined && { description: own[""] }),
    ...schema,
    ...(schema.properties !== undefined && { properties: Object.fromEntries(properties) }),
  };
}

function* referencesOf(schema: OpenApiSchema): Generator<string> {
  const reference = referenceOf(schema);
  if (reference !== undefined) yield reference;
  if (schema.items !== undefined) yield* referencesOf(schema.items);
  if (schema.additionalProperties !== undefined) yield* referencesOf(schema.additionalProperties);
  for (const property of Object.values(schema.properties ?? {})) yield* referencesOf(property);
}
