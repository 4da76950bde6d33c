/**
 * A request's body, in whichever form it came, as the object that it means.
 *
 *     application/json, or no type at all
 *     application/yaml
 *     application/vnd.kubernetes.protobuf
 *
 * What is found is checked and completed with the kind that the path names, and comes out as the API server would
 * write it back, before any defaults.
 */
import { GoError } from "../../internal/go/errors.ts";
import type { JsonNode } from "../../internal/go/json-parse.ts";
import { goQuote } from "../../internal/go/quote.ts";
import { decodeReplacing } from "../../internal/go/utf8.ts";
import { parseDocument, type TypeMeta, typeMetaOf } from "../../internal/kubernetes/object-decoder.ts";
import { parseYaml } from "../../internal/kubernetes/yaml-node.ts";
import { formatApiVersion, type GroupVersionKind, type KubernetesObject } from "../objects/object.ts";
import { parseApiVersion } from "../objects/object.ts";
import { badRequest, failure, StatusError } from "../objects/status.ts";
import { openEnvelope, readMessage } from "../protobuf/envelope.ts";
import type { Members } from "./canonical.ts";
import { readNode } from "./read-node.ts";
import { findSchema, type Schema } from "./schema.ts";
import { type DecodeTarget, findTarget, internalPackage, isForeign } from "./targets.ts";

export type FieldValidation = "Strict" | "Warn" | "Ignore";

export interface DecodeObjectOptions {
  /** The header as it came. */
  readonly contentType: string | undefined;
  /** An `ApiResource`, or what `findTarget` found for a subresource's kind. */
  readonly resource: DecodeTarget;
  /** What unknown and repeated fields mean: a refusal, warnings, or nothing. */
  readonly fieldValidation: FieldValidation;
  /** 3 MiB by default. */
  readonly maxBytes?: number;
}

export interface DecodedObject {
  readonly object: KubernetesObject;
  /** For the client, in the order of the document. */
  readonly warnings: readonly string[];
}

export const MAX_BODY_BYTES: number = 3 * 1024 * 1024;

/** @throws StatusError for a body that can't be read, or is of another kind */
export function decodeObject(body: Uint8Array, options: DecodeObjectOptions): DecodedObject {
  const format = formatOf(options.contentType);
  const { maxBytes = MAX_BODY_BYTES, resource } = options;
  if (body.length > maxBytes) {
    throw failure("RequestEntityTooLarge", `Request entity too large: limit is ${maxBytes}`);
  }
  let found: GroupVersionKind | undefined;
  try {
    const document = FORMATS[format](body);
    found = withDefaults(document.meta, resource);
    const { value, strictErrors } = readAs(document, found);
    refuseOtherKinds(found, resource);
    if (strictErrors.length > 0 && options.fieldValidation === "Strict") {
      throw new GoError(`strict decoding error: ${strictErrors.join(", ")}`);
    }
    const { group, version, kind } = found;
    // A name of this kind that another group has for it, too.
    if (group !== resource.group && resource.kind !== "DeleteOptions") {
      const [actual, expected] = [formatApiVersion(found), formatApiVersion(resource)];
      throw badRequest(
        `the API version in the data (${actual}) does not match the expected API version (${expected})`,
      );
    }
    const object = {
      ...value,
      apiVersion: formatApiVersion({ group, version }),
      kind,
    } as unknown as KubernetesObject;
    return { object, warnings: options.fieldValidation === "Warn" ? strictErrors : [] };
  } catch (error) {
    if (error instanceof StatusError || !(error instanceof GoError)) throw error;
    throw unreadable(error, { found, resource, body });
  }
}

type Format = keyof typeof FORMATS;

/** A document whose kind is known, but not yet whether anybody can read it. */
interface Document {
  readonly meta: TypeMeta;
  read(target: DecodeTarget): { readonly value: Members; readonly strictErrors: readonly string[] };
}

const FORMATS = {
  "application/json": (body: Uint8Array): Document => {
    const node = parseDocument(body);
    return { meta: typeMetaOf(node), read: (target) => readNode(node, schemaOf(target)) };
  },
  "application/yaml": (body: Uint8Array): Document => {
    const { node, strictError } = parseYaml(decodeReplacing(body));
    return { meta: typeMetaOf(node), read: (target) => readYaml(node, target, strictError) };
  },
  "application/vnd.kubernetes.protobuf": (body: Uint8Array): Document => {
    const { meta, raw } = openEnvelope(body);
    return {
      meta,
      read: (target) => ({ value: readMessage(raw, target.message, schemaOf(target)), strictErrors: [] }),
    };
  },
} as const;

function readYaml(
  node: JsonNode,
  target: DecodeTarget,
  strictError: string | undefined,
): { readonly value: Members; readonly strictErrors: readonly string[] } {
  const { value, strictErrors } = readNode(node, schemaOf(target));
  return { value, strictErrors: strictError === undefined ? strictErrors : [strictError, ...strictErrors] };
}

function readAs(document: Document, kind: GroupVersionKind): ReturnType<Document["read"]> {
  // The body itself, which may hold secrets, isn't shown.
  if (kind.version === "") throw new GoError("Object 'apiVersion' is missing in '\u2026'");
  const target = findTarget(kind);
  if (target !== undefined) return document.read(target);
  if (isForeign(kind)) return { value: {}, strictErrors: [] };
  throw new GoError(
    `no kind ${goQuote(kind.kind)} is registered for version ${goQuote(formatApiVersion(kind))} in scheme "pkg/api/legacyscheme/scheme.go:30"`,
  );
}

function schemaOf(target: DecodeTarget): Schema {
  const schema = findSchema(target.schema);
  if (schema === undefined) throw new Error(`no schema called "${target.schema}"`);
  return schema;
}

function formatOf(contentType: string | undefined): Format {
  const type = (contentType ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
  if (type === "" && (contentType ?? "") === "") return "application/json";
  if (Object.hasOwn(FORMATS, type)) return type as Format;
  throw failure(
    "UnsupportedMediaType",
    `the body of the request was in an unknown format - accepted media types include: ${Object.keys(FORMATS).join(", ")}`,
  );
}

/** What a body doesn't say of its kind, the path does. */
function withDefaults(meta: TypeMeta, target: DecodeTarget): GroupVersionKind {
  const { group, version } = parseApiVersion(meta.apiVersion);
  const kind = meta.kind === "" ? target.kind : meta.kind;
  const isOpen = version === "" && (group === "" || group === target.group);
  return isOpen ? { group: target.group, version: target.version, kind } : { group, version, kind };
}

/** Types that have the same name in Go's sense are converted into each other; all others are not. */
function refuseOtherKinds(found: GroupVersionKind, resource: DecodeTarget): void {
  const same = found.kind === resource.kind && (found.group === resource.group || found.kind === "Event");
  if (same || (found.kind === "DeleteOptions" && resource.kind === "DeleteOptions")) return;
  throw new GoError(
    `converting (${found.version}.${found.kind}) to (${internalPackage(resource)}.${resource.kind}): unknown conversion`,
  );
}

function unreadable(
  error: GoError,
  at: {
    readonly found: GroupVersionKind | undefined;
    readonly resource: DecodeTarget;
    readonly body: Uint8Array;
  },
): StatusError {
  const { found, resource, body } = at;
  return badRequest(
    found === undefined
      ? `the object provided is unrecognized (must be of type ${resource.kind}): ${error.message} (${summarize(body)})`
      : `${found.kind} in version ${goQuote(found.version)} cannot be handled as a ${resource.kind}: ${error.message}`,
  );
}

const SUMMARY = 30;

/** How a body begins: enough to recognise it. */
function summarize(body: Uint8Array): string {
  if (body.length === 0) return "<empty>";
  const start = Buffer.from(body.subarray(0, SUMMARY));
  const more = body.length > SUMMARY ? " ..." : "";
  return (body[0] === 0x7b ? decodeReplacing(start) : start.toString("hex")) + more;
}
