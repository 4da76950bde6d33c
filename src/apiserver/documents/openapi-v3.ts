/** `/openapi/v3`: a document for each group and version, and the index that names them with their hashes. */
import type { JsonObject } from "../../kubernetes/index.ts";
import { schemasFor } from "./components.ts";
import type { ApiGroup } from "./groups.ts";
import { type ApiPath, type Operation, type Parameter, PATCH_SCHEMA, pathsOf } from "./operations.ts";

const BODIES: readonly string[] = [
  "application/json",
  "application/vnd.kubernetes.protobuf",
  "application/yaml",
];
const PATCHES: readonly string[] = [
  "application/apply-patch+yaml",
  "application/json-patch+json",
  "application/merge-patch+json",
  "application/strategic-merge-patch+json",
];

export function openApiV3(group: ApiGroup): JsonObject {
  const paths = pathsOf(group);
  const schemas = schemasFor(paths.flatMap(({ operations }) => operations));
  return {
    openapi: "3.0.0",
    info: { title: "Kubernetes", version: "1.36" },
    paths: Object.fromEntries(paths.map((path) => [path.path, pathItem(path)])),
    components: { schemas: schemas as unknown as JsonObject },
  };
}

function pathItem(path: ApiPath): JsonObject {
  return {
    ...Object.fromEntries(path.operations.map((one) => [one.method, operation(one)])),
    parameters: path.parameters.map(parameter),
  };
}

function operation(it: Operation): JsonObject {
  const types = it.request === PATCH_SCHEMA ? PATCHES : BODIES;
  return {
    tags: [it.tag],
    description: it.description,
    operationId: it.id,
    parameters: it.parameters.map(parameter),
    ...(it.request !== undefined && {
      requestBody: { content: content(types, it.request), ...(it.method !== "delete" && { required: true }) },
    }),
    responses: { "200": { description: "OK", content: content(BODIES, it.response) } },
    "x-kubernetes-action": it.action,
    "x-kubernetes-group-version-kind": { ...it.kind },
  };
}

function content(types: readonly string[], schema: string): JsonObject {
  return Object.fromEntries(
    types.map((type) => [type, { schema: { $ref: `#/components/schemas/${schema}` } }]),
  );
}

function parameter({ name, in: place, type, description }: Parameter): JsonObject {
  return {
    name,
    in: place,
    description,
    ...(place === "path" && { required: true }),
    schema: { type, uniqueItems: true },
  };
}
