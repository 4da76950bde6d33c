/** `/openapi/v2` in protobuf, the only form that kubectl asks for where it falls back on that document. */
import type { Json, JsonObject } from "../../kubernetes/index.ts";

/**
 * `[]T` is a list of them, `{}T` an object whose members are: protobuf has it as a list of pairs. A `yaml` value may
 * be anything.
 */
type Fields = Readonly<Record<string, readonly [number: number, type: string]>>;

/** Of the messages of gnostic's OpenAPIv2.proto, what our document has. */
const MESSAGES: Readonly<Record<string, Fields>> = {
  Document: {
    swagger: [1, "string"],
    info: [2, "Info"],
    paths: [8, "Paths"],
    definitions: [9, "Definitions"],
  },
  Info: { title: [1, "string"], version: [2, "string"] },
  Paths: { path: [2, "{}PathItem"] },
  PathItem: {
    get: [2, "Operation"],
    put: [3, "Operation"],
    post: [4, "Operation"],
    delete: [5, "Operation"],
    options: [6, "Operation"],
    head: [7, "Operation"],
    patch: [8, "Operation"],
    parameters: [9, "[]ParametersItem"],
  },
  Operation: {
    tags: [1, "[]string"],
    description: [3, "string"],
    operationId: [5, "string"],
    parameters: [8, "[]ParametersItem"],
    responses: [9, "Responses"],
    extensions: [13, "{}yaml"],
  },
  ParametersItem: { parameter: [1, "Parameter"] },
  Parameter: { body: [1, "BodyParameter"], other: [2, "NonBodyParameter"] },
  BodyParameter: {
    description: [1, "string"],
    name: [2, "string"],
    in: [3, "string"],
    required: [4, "bool"],
    schema: [5, "Schema"],
  },
  NonBodyParameter: { query: [3, "QueryParameter"], path: [4, "PathParameter"] },
  QueryParameter: {
    required: [1, "bool"],
    in: [2, "string"],
    description: [3, "string"],
    name: [4, "string"],
    type: [6, "string"],
    uniqueItems: [20, "bool"],
  },
  PathParameter: {
    required: [1, "bool"],
    in: [2, "string"],
    description: [3, "string"],
    name: [4, "string"],
    type: [5, "string"],
    uniqueItems: [19, "bool"],
  },
  Responses: { codes: [1, "{}ResponseValue"] },
  ResponseValue: { response: [1, "Response"] },
  Response: { description: [1, "string"], schema: [2, "SchemaItem"] },
  SchemaItem: { schema: [1, "Schema"] },
  Definitions: { schemas: [1, "{}Schema"] },
  Schema: {
    $ref: [1, "string"],
    format: [2, "string"],
    description: [4, "string"],
    default: [5, "yaml"],
    required: [19, "[]string"],
    enum: [20, "[]yaml"],
    additionalProperties: [21, "AdditionalProperties"],
    type: [22, "Type"],
    items: [23, "Items"],
    properties: [25, "Properties"],
    extensions: [31, "{}yaml"],
  },
  AdditionalProperties: { schema: [1, "Schema"] },
  Type: { value: [1, "[]string"] },
  Items: { schema: [1, "[]Schema"] },
  Properties: { schemas: [1, "{}Schema"] },
};

/** What JSON writes shorter than the messages have it. */
const UNFOLD: Readonly<Record<string, (value: Json) => Json>> = {
  Paths: (path) => ({ path }),
  Definitions: (schemas) => ({ schemas }),
  Properties: (schemas) => ({ schemas }),
  Responses: (codes) => ({ codes }),
  ResponseValue: (response) => ({ response }),
  SchemaItem: (schema) => ({ schema }),
  AdditionalProperties: (schema) => ({ schema }),
  Items: (schema) => ({ schema: [schema] }),
  Type: (type) => ({ value: [type] }),
  ParametersItem: (parameter) => ({ parameter }),
  Parameter: (it) => ((it as JsonObject)["in"] === "body" ? { body: it } : { other: it }),
  NonBodyParameter: (it) => ({ [(it as JsonObject)["in"] as string]: it }),
  Operation: gatherExtensions,
  Schema: gatherExtensions,
};

export function encodeOpenApiV2(document: JsonObject): Uint8Array<ArrayBuffer> {
  return new Uint8Array(encode("Document", document));
}

function encode(message: string, value: Json): Buffer {
  const fields = MESSAGES[message] ?? {};
  const members = (UNFOLD[message]?.(value) ?? value) as JsonObject;
  const parts = Object.entries(members).flatMap(([name, member]) => {
    const field = fields[name];
    if (member === undefined) return [];
    // Leaving out quietly what a later document says would be a lie.
    if (field === undefined)
      throw new TypeError(`Cannot encode ${message}.${name} as protobuf: not in the table`);
    return encodeField(field, member);
  });
  return Buffer.concat(parts);
}

function encodeField([number, type]: readonly [number, string], value: Json): readonly Buffer[] {
  if (type.startsWith("[]")) {
    return (value as readonly Json[]).map((item) => delimited(number, encodeValue(type.slice(2), item)));
  }
  if (type.startsWith("{}")) {
    return Object.entries(value as JsonObject).flatMap(([name, item]) => {
      if (item === undefined) return [];
      const pair = [delimited(1, Buffer.from(name)), delimited(2, encodeValue(type.slice(2), item))];
      return [delimited(number, Buffer.concat(pair))];
    });
  }
  if (type === "bool") return value === true ? [Buffer.concat([varint(number << 3), varint(1)])] : [];
  return [delimited(number, encodeValue(type, value))];
}

function encodeValue(type: string, value: Json): Buffer {
  if (type === "string") return Buffer.from(value as string);
  if (type === "yaml") return delimited(2, Buffer.from(JSON.stringify(value)));
  return encode(type, value);
}

function gatherExtensions(value: Json): JsonObject {
  const entries = Object.entries(value as JsonObject);
  const isExtension = ([name]: readonly [string, unknown]): boolean => name.startsWith("x-");
  return {
    ...Object.fromEntries(entries.filter((entry) => !isExtension(entry))),
    extensions: Object.fromEntries(entries.filter((entry) => isExtension(entry))),
  };
}

function delimited(number: number, content: Buffer): Buffer {
  return Buffer.concat([varint((number << 3) | 2), varint(content.length), content]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  return Buffer.from([...bytes, rest]);
}
