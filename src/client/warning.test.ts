import assert from "node:assert/strict";
import { test } from "node:test";
import { fakeResponse } from "../../test/fake-token-service.ts";
import { parseWarning, ShownWarnings, warningsOf } from "./warning.ts";

const TABLE: readonly (readonly [value: string, text: string | undefined])[] = [
  ['299 - "deprecated"', "deprecated"],
  ['299 - "a \\"b\\" \\\\ c"', 'a "b" \\ c'],
  ['299 - "100%25 sure, 5% off"', "100% sure, 5% off"],
  ['299 - ""', undefined],
  ['299 - "a%0ab"', undefined],
  ['299 - "a%22b"', undefined],
  ['299 - "a" "Tue, 15 Nov 1994 08:12:31 GMT"', undefined],
  ['299 r.test "a"', undefined],
  ['199 - "a"', undefined],
  ['299 - "', undefined],
];

for (const [value, text] of TABLE) {
  test(`parseWarning() of ${value} is ${text}`, () => assert.equal(parseWarning(value), text));
}

test("ShownWarnings brings each text once", () => {
  const shown = new ShownWarnings();
  const response = fakeResponse("https://r.test/", {
    status: 200,
    headers: { warning: ['299 - "one"', '299 - "one"', '299 - "two"'] },
  });
  assert.deepEqual(shown.takeNew(response), ["one", "two"]);
  assert.deepEqual(shown.takeNew(response), []);
});

test("warningsOf() reads 4096 bytes at most and lets no control reach a terminal", () => {
  const long = `299 - "${"x".repeat(4080)}"`;
  const response = fakeResponse("https://r.test/", {
    status: 200,
    headers: { warning: ['299 - "\u00c3\u00a9 \u00c2\u009b1m"', long] },
  });
  assert.deepEqual(warningsOf(response), ["é \ufffd1m"]);
});
