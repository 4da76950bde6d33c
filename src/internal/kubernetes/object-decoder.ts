/**
 * Objects with `apiVersion` and `kind`, from JSON or YAML, decoded strictly: unknown and duplicate members are errors,
 * and names are compared to the letter.
 */
import { GoError } from "../go/errors.ts";
import { decodeNode, decodeStrict, goString, goStruct, type GoType } from "../go/json-decode.ts";
import { type JsonNode, parseJson } from "../go/json-parse.ts";
import { goQuote } from "../go/quote.ts";
import { decodeReplacing } from "../go/utf8.ts";
import { parseYaml } from "./yaml-node.ts";

/** What an object says it is. Both parts may be empty. */
export interface TypeMeta {
  readonly apiVersion: string;
  readonly kind: string;
}

/** The types that can be decoded, by `apiVersion` and `kind`. */
export type Scheme<T> = Readonly<Record<string, Readonly<Record<string, GoType<T>>>>>;

export interface DecodedObject<T> {
  readonly meta: TypeMeta;
  readonly value: T;
}

/** @throws GoError in the API machinery's words, but for the document itself, which may hold secrets */
export function decodeObject<T>(data: Uint8Array | string, scheme: Scheme<T>): DecodedObject<T> {
  const text = typeof data === "string" ? data : decodeReplacing(data);
  const json = /^[\s\u0085]*\{/.test(text);
  const { node, strictError } = json
    ? { node: parseDocument(data), strictError: undefined }
    : parseYaml(text);
  const meta = typeMetaOf(node);
  if (meta.kind === "") throw new GoError("Object 'Kind' is missing in '\u2026'");
  if (meta.apiVersion === "") throw new GoError("Object 'apiVersion' is missing in '\u2026'");
  const kinds = Object.hasOwn(scheme, meta.apiVersion) ? scheme[meta.apiVersion] : undefined;
  const type = kinds !== undefined && Object.hasOwn(kinds, meta.kind) ? kinds[meta.kind] : undefined;
  if (type === undefined) {
    throw new GoError(
      `no kind ${goQuote(meta.kind)} is registered for version ${goQuote(meta.apiVersion)} in scheme`,
    );
  }
  const { value, strictErrors } = decodeStrict(node, type);
  const errors = [...(strictError === undefined ? [] : [strictError]), ...strictErrors];
  if (errors.length > 0) throw new GoError(`strict decoding error: ${errors.join(", ")}`);
  return { meta, value };
}

/**
 * What a JSON document says it is.
 *
 * @throws GoError
 */
export function interpretTypeMeta(data: Uint8Array | string): TypeMeta {
  return typeMetaOf(parseDocument(data));
}

const ANONYMOUS = `struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`;

const Meta = goStruct("", { apiVersion: goString, kind: goString }, ANONYMOUS);

/** @throws GoError */
export function parseDocument(data: Uint8Array | string): JsonNode {
  return explain(() => parseJson(data));
}

/** @throws GoError */
export function typeMetaOf(node: JsonNode): TypeMeta {
  const meta = explain(() => decodeNode(node, Meta));
  if (meta.apiVersion.split("/").length > 2) {
    throw new GoError(`unexpected GroupVersion string: ${meta.apiVersion}`);
  }
  return meta.apiVersion === "/" ? { ...meta, apiVersion: "" } : meta;
}

function explain<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    throw new GoError(`couldn't get version/kind; json parse error: ${error.message}`);
  }
}
