import assert from "node:assert/strict";
import { test } from "node:test";

import { StatusError } from "../objects/status.ts";
import { type PatchType, readPatch } from "./read-patch.ts";

function refusal(body: string, type: PatchType, validation: "Strict" | "Ignore" = "Strict"): string {
  try {
    return `no error but ${JSON.stringify(readPatch(Buffer.from(body), type, validation))}`;
  } catch (error) {
    assert.ok(error instanceof StatusError);
    assert.deepEqual([error.status.code, error.status.reason], [400, "BadRequest"]);
    return error.message;
  }
}

const REFUSED: readonly (readonly [body: string, type: PatchType, strictly: string, loosely?: string])[] = [
  ["{", "json", "error decoding patch: unexpected end of JSON input", "unexpected end of JSON input"],
  ["{", "merge", "error decoding patch: unexpected end of JSON input", "Invalid JSON Patch"],
  ["{", "strategic", "unexpected end of JSON input", "unexpected end of JSON input"],
  [
    "{}",
    "json",
    "error decoding patch: json: cannot unmarshal object into Go value of type []handlers.jsonPatchOp",
  ],
  [
    "[5]",
    "json",
    "error decoding patch: json: cannot unmarshal number into Go value of type handlers.jsonPatchOp",
  ],
  [
    '[{"op":5}]',
    "json",
    "error decoding patch: json: cannot unmarshal number into Go struct field jsonPatchOp.op of type string",
  ],
  [
    "[]",
    "merge",
    "error decoding patch: json: cannot unmarshal array into Go value of type map[string]interface {}",
  ],
  ["[]", "strategic", "json: cannot unmarshal array into Go value of type map[string]interface {}"],
  ["null", "merge", "Invalid JSON Patch", "Invalid JSON Patch"],
];

for (const [body, type, strictly, loosely] of REFUSED) {
  test(`readPatch() refuses ${body} as a ${type} patch in the API server's words`, () => {
    assert.equal(refusal(body, type), strictly);
    if (loosely !== undefined) assert.equal(refusal(body, type, "Ignore"), loosely);
  });
}

test("readPatch() tells of members that stand there twice, and of those that operations don't have", () => {
  const errors = (body: string, type: PatchType): readonly string[] =>
    readPatch(Buffer.from(body), type, "Warn").strictErrors;
  const twice = '{"data":{"a":"1","a":"2"},"list":[{"b":1,"b":2}],"data":{}}';
  const told = ['duplicate field "data.a"', 'duplicate field "list[0].b"', 'duplicate field "data"'];
  assert.deepEqual(errors(twice, "merge"), told);
  assert.deepEqual(errors(twice, "strategic"), told);
  const operations = '[{"op":"add","op":"add","Path":"/a","path":"/a","value":{"c":1,"c":2}}]';
  assert.deepEqual(errors(operations, "json"), [
    'json patch duplicate field "[0].op"',
    'json patch unknown field "[0].Path"',
    'json patch duplicate field "[0].value.c"',
  ]);
  assert.deepEqual(readPatch(Buffer.from(twice), "merge", "Ignore").strictErrors, []);
});

test("readPatch() takes null for nothing, and the last of repeated members", () => {
  assert.deepEqual(readPatch(Buffer.from("null"), "json", "Warn").patch, []);
  assert.deepEqual(readPatch(Buffer.from("null"), "strategic", "Warn").patch, {});
  assert.deepEqual(readPatch(Buffer.from('{"a":1,"a":2}'), "merge", "Warn").patch, { a: 2 });
});
