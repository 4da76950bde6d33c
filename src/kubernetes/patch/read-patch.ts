/**
 * Patches as clients send them. Beside what they say stands what a strict reader has against them: members that stand
 * there twice, and members that no operation has.
 */
import { GoError } from "../../internal/go/errors.ts";
import {
  type Decoding,
  decodeStrict,
  type GoType,
  goMap,
  goSlice,
  goString,
  goStruct,
} from "../../internal/go/json-decode.ts";
import { type JsonNode, parseJson } from "../../internal/go/json-parse.ts";
import { badRequest } from "../objects/status.ts";
import type { Json } from "../objects/object.ts";

export type PatchType = "json" | "merge" | "strategic";

export interface ReadPatch {
  readonly patch: Json;
  /** None for who asked to ignore them. */
  readonly strictErrors: readonly string[];
}

/** Any value; repeated members count in all of it. */
const ANYTHING: GoType<undefined> = {
  name: "interface {}",
  zero: undefined,
  read(node, _, decoding) {
    visit(node, decoding);
    return undefined;
  },
};

const OBJECT = goMap("map[string]interface {}", ANYTHING);

const OPERATION = goStruct(
  "jsonPatchOp",
  { op: goString, path: goString, from: goString, value: ANYTHING },
  "handlers.jsonPatchOp",
);

const STRICT_TYPES: Readonly<Record<PatchType, GoType<unknown>>> = {
  json: goSlice("[]handlers.jsonPatchOp", OPERATION),
  merge: OBJECT,
  strategic: OBJECT,
};

/** @throws StatusError (BadRequest) for what isn't JSON, and where strict errors count, for what is no such patch */
export function readPatch(
  body: Uint8Array,
  type: PatchType,
  fieldValidation: "Strict" | "Warn" | "Ignore",
): ReadPatch {
  const strictErrors = fieldValidation === "Ignore" ? checkLoosely(body, type) : checkStrictly(body, type);
  const patch = JSON.parse(Buffer.from(body).toString("utf8")) as Json;
  return { patch: patch ?? withoutContent(type), strictErrors };
}

function checkStrictly(body: Uint8Array, type: PatchType): readonly string[] {
  try {
    const { strictErrors } = decodeStrict(parseJson(body), STRICT_TYPES[type]);
    return type === "json" ? strictErrors.map((one) => `json patch ${one}`) : strictErrors;
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    throw badRequest(type === "strategic" ? error.message : `error decoding patch: ${error.message}`);
  }
}

function checkLoosely(body: Uint8Array, type: PatchType): readonly string[] {
  try {
    parseJson(body, type === "json" ? "rune" : "byte");
    return [];
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    throw badRequest(type === "merge" ? "Invalid JSON Patch" : error.message);
  }
}

/** To Go, null is a list or an object that nothing is in; but merging takes no null for a patch. */
function withoutContent(type: PatchType): Json {
  if (type === "merge") throw badRequest("Invalid JSON Patch");
  return type === "json" ? [] : {};
}

function visit(node: JsonNode, decoding: Decoding): void {
  if (node.kind === "array") {
    for (const [at, item] of node.items.entries())
      decoding.within({ path: `[${at}]` }, () => visit(item, decoding));
  } else if (node.kind === "object") {
    const seen = new Set<string>();
    for (const [name, member] of node.members) {
      if (seen.has(name)) decoding.refuse("duplicate", name);
      seen.add(name);
      decoding.within({ path: `.${name}` }, () => visit(member, decoding));
    }
  }
}
