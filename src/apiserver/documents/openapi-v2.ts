/** `/openapi/v2`: everything in one Swagger document, for clients that know no later one. */
import type { Json, JsonObject, OpenApiSchema } from "../../kubernetes/index.ts";
import { referenceOf } from "../../kubernetes/index.ts";
import { schemasFor } from "./components.ts";
import { API_GROUPS } from "./groups.ts";
import { type ApiPath, type Operation, type Parameter, pathsOf } from "./operations.ts";

export function openApiV2(): JsonObject {
  const paths = API_GROUPS.flatMap((group) => pathsOf(group));
  const schemas = schemasFor(paths.flatMap(({ operations }) => operations));
  return {
    swagger: "2.0",
    info: { title: "Kubernetes", version: "v1.36.2" },
    paths: Object.fromEntries(paths.map((path) => [path.path, pathItem(path)])),
    definitions: Object.fromEntries(
      Object.entries(schemas).map(([name, schema]) => [name, definition(schema)]),
    ),
  };
}

function pathItem(path: ApiPath): JsonObject {
  return {
    ...Object.fromEntries(path.operations.map((one) => [one.method, operation(one)])),
    parameters: path.parameters.map(parameter),
  };
}

function operation(it: Operation): JsonObject {
  const body = { name: "body", in: "body", required: it.method !== "delete" };
  return {
    tags: [it.tag],
    description: it.description,
    operationId: it.id,
    parameters: [
      ...it.parameters.map(parameter),
      ...(it.request === undefined ? [] : [{ ...body, schema: reference(it.request) }]),
    ],
    responses: { "200": { description: "OK", schema: reference(it.response) } },
    "x-kubernetes-action": it.action,
    "x-kubernetes-group-version-kind": { ...it.kind },
  };
}

/** A reference stands alone here, and a choice of types can't be told. */
function definition(schema: OpenApiSchema): JsonObject {
  const name = referenceOf(schema);
  const { description } = schema;
  if (name !== undefined) return { ...(description !== undefined && { description }), ...reference(name) };
  const { oneOf, items, additionalProperties, properties, allOf: _, ...rest } = schema;
  return {
    ...(rest as Readonly<Record<string, Json>>),
    ...(oneOf !== undefined && { type: "string" }),
    ...(items !== undefined && { items: definition(items) }),
    ...(additionalProperties !== undefined && { additionalProperties: definition(additionalProperties) }),
    ...(properties !== undefined && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([field, property]) => [field, definition(property)]),
      ),
    }),
  };
}

function reference(name: string): JsonObject {
  return { $ref: `#/definitions/${name}` };
}

function parameter({ name, in: place, type, description }: Parameter): JsonObject {
  const required = place === "path" && { required: true };
  return { name, in: place, type, description, ...required, uniqueItems: true };
}
