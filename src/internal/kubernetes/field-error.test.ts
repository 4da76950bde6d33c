import assert from "node:assert/strict";
import { describe, test } from "node:test";

import {
  aggregate,
  duplicateField,
  invalidField,
  invalidWord,
  notFoundField,
  requiredField,
  tooLongField,
  tooManyField,
  typeInvalidField,
  unsupportedField,
  unsupportedWord,
} from "./field-error.ts";
import { qualifiedNameFaults } from "./qualified-name.ts";

test("a field's error says field, kind, value and detail", () => {
  assert.equal(requiredField("a.b").message, "a.b: Required value");
  assert.equal(requiredField("a.b", "why").message, "a.b: Required value: why");
  assert.equal(invalidField("a", 'x"\n', "why").message, 'a: Invalid value: "x\\"\\n": why');
  assert.equal(invalidField("a", 5, "why").message, "a: Invalid value: 5: why");
  assert.equal(invalidField("a", ["<"], "why").message, 'a: Invalid value: ["\\u003c"]: why');
  assert.equal(invalidField("a", null, "why").message, 'a: Invalid value: "null": why');
  assert.equal(invalidField("a", undefined, "why").message, "a: Invalid value: null: why");
  assert.equal(invalidWord("a", "<x>", "why").message, 'a: Invalid value: "\\u003cx\\u003e": why');
  assert.equal(tooLongField("", 5).message, ": Too long: may not be more than 5 bytes");
  assert.equal(tooManyField("a", 3, 1).message, "a: Too many: 3: must have at most 1 item");
  assert.equal(notFoundField("a", "x").message, 'a: Not found: "x"');
  assert.equal(typeInvalidField("a", "why").message, "a: Invalid value: why");
  assert.equal(duplicateField("a", true).message, "a: Duplicate value: true");
  assert.equal(
    unsupportedField("a", "<", ["p", "q"]).message,
    'a: Unsupported value: "<": supported values: "p", "q"',
  );
  assert.equal(
    unsupportedWord("a", "<", ["p", "q"]).message,
    'a: Unsupported value: "\\u003c": supported values: "p", "q"',
  );
});

test("aggregate() has brackets around several different ones only", () => {
  assert.equal(aggregate(["a"]), "a");
  assert.equal(aggregate(["a", "a"]), "a");
  assert.equal(aggregate(["a", "b", "a"]), "[a, b]");
});

describe("qualifiedNameFaults()", () => {
  for (const good of ["a", "A.b_c-1", "example.com/a", "a".repeat(63), `${"a.".repeat(126)}a/x`]) {
    test(`takes ${good.slice(0, 20)}`, () => assert.deepEqual(qualifiedNameFaults(good), []));
  }

  for (const [bad, ...faults] of [
    ["", /^name part must be non-empty$/, /^name part must consist of/],
    ["a/", /^name part must be non-empty$/, /^name part must consist of/],
    ["/a", /^prefix part must be non-empty$/],
    ["a".repeat(64), /^name part must be no more than 63 bytes$/],
    ["A.com/a", /^prefix part a lowercase RFC 1123 subdomain must/],
    [`${"a".repeat(254)}/a`, /^prefix part must be no more than 253 bytes$/],
    [
      "a/b/c",
      /^a qualified name must .* with an optional DNS subdomain prefix and '\/' \(e\.g\. 'example\.com\/MyName'\)$/,
    ],
    ["-a\n", /^name part must consist of/],
  ] as const) {
    test(`refuses ${JSON.stringify(bad.slice(0, 20))}`, () => {
      const found = qualifiedNameFaults(bad);
      assert.equal(found.length, faults.length, found.join("\n"));
      for (const [index, fault] of faults.entries()) assert.match(found[index] ?? "", fault);
    });
  }
});
