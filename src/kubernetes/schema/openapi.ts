/** The table of schemas as OpenAPI v3 has them, parsed when it's first asked for. */
import { OPENAPI_TABLE } from "../generated/openapi-table.ts";
import type { GroupVersionKind, Json } from "../objects/object.ts";

export interface OpenApiSchema {
  readonly type?: "array" | "boolean" | "integer" | "number" | "object" | "string";
  readonly format?: string;
  readonly description?: string;
  readonly default?: Json;
  readonly enum?: readonly string[];
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, OpenApiSchema>>;
  readonly items?: OpenApiSchema;
  readonly additionalProperties?: OpenApiSchema;
  readonly $ref?: string;
  readonly allOf?: readonly [{ readonly $ref: string }];
  readonly oneOf?: readonly OpenApiSchema[];
  readonly "x-kubernetes-group-version-kind"?: readonly GroupVersionKind[];
  readonly "x-kubernetes-list-map-keys"?: readonly string[];
  readonly "x-kubernetes-list-type"?: "atomic" | "map" | "set";
  readonly "x-kubernetes-map-type"?: "atomic" | "granular";
  readonly "x-kubernetes-patch-merge-key"?: string;
  /** Several stand with commas between them. */
  readonly "x-kubernetes-patch-strategy"?: string;
}

let table: Readonly<Record<string, OpenApiSchema>> | undefined;

/** By names such as `io.k8s.api.core.v1.Pod`. */
export function openApiSchemas(): Readonly<Record<string, OpenApiSchema>> {
  return (table ??= JSON.parse(OPENAPI_TABLE) as Readonly<Record<string, OpenApiSchema>>);
}

const PREFIX = "#/components/schemas/";

/** The name of the schema that this one only points at. */
export function referenceOf(schema: OpenApiSchema): string | undefined {
  return (schema.$ref ?? schema.allOf?.[0].$ref)?.slice(PREFIX.length);
}
