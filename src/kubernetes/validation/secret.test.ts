import assert from "node:assert/strict";
import { test } from "node:test";

import { validateSecret } from "./secret.ts";

function faultOf(document: string): string | undefined {
  const data = { ".dockerconfigjson": Buffer.from(document).toString("base64") };
  const metadata = { name: "s", namespace: "n" };
  const [error, ...more] = validateSecret({ metadata, type: "kubernetes.io/dockerconfigjson", data });
  assert.deepEqual(more, []);
  const prefix = 'data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": ';
  assert.ok(error === undefined || error.message.startsWith(prefix), error?.message);
  return error?.message.slice(prefix.length);
}

test("a document of credentials is an object that fits into Go's values; what it says is for others", () => {
  for (const [document, fault] of [
    ['{"auths":"x"}', undefined],
    ["null", undefined],
    ['{"a":[1e308,{"b":-0.5}]}', undefined],
    ['{"a":[{"b":1e999}]}', "json: cannot unmarshal number 1e999 into Go value of type float64"],
    ["true", "json: cannot unmarshal bool into Go value of type map[string]interface {}"],
    ['{"a":}', "invalid character '}' looking for beginning of value"],
    ["", "unexpected end of JSON input"],
  ] as const) {
    assert.equal(faultOf(document), fault, document);
  }
});
