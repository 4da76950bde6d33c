import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { StatusError } from "../objects/status.ts";
import {
  formatLabelSelector,
  matchesLabels,
  parseLabelSelector,
  readLabelSelector,
} from "./label-selector.ts";

const LABELS = { app: "web", tier: "front", count: "5", empty: "", "example.com/team": "x" };

function refusal(run: () => unknown): string | undefined {
  try {
    run();
  } catch (error) {
    assert.ok(error instanceof StatusError);
    assert.equal(error.status.code, 400);
    return error.status.message;
  }
  assert.fail("parsed");
}

test("parseLabelSelector() finds what matches", () => {
  const cases: [text: string, matches: boolean][] = [
    ["", true],
    [" ", true],
    ["app=web", true],
    ["app==web", true],
    ["app = web , tier=front", true],
    ["app=web,tier=back", false],
    ["app!=web", false],
    ["none!=web", true],
    ["app", true],
    ["none", false],
    ["!none", true],
    ["! app", false],
    ["app in (web,broken)", true],
    ["app in (web)", true],
    ["app notin (web,broken)", false],
    ["none notin (web)", true],
    ["empty=", true],
    ["empty", true],
    ["app=", false],
    ["empty in ()", true],
    ["empty in (,)", true],
    ["app in (x,,web)", true],
    ["count>4", true],
    ["count>5", false],
    ["count<6,count>4", true],
    ["app>1", false],
    ["none<1", false],
    ["example.com/team=x", true],
    ["in=1", false],
    ["notin notin (in)", true],
    ["app=in", false],
    ["app in (in,web)", true],
  ];
  for (const [text, matches] of cases) {
    assert.equal(matchesLabels(parseLabelSelector(text), LABELS), matches, text);
  }
});

test("parseLabelSelector() says what it expected, in the API server's words", () => {
  const cases: Record<string, string> = {
    "!!": "unable to parse requirement: found '!', expected: identifier",
    "!": "unable to parse requirement: found '', expected: identifier",
    "=x": "found '=', expected: !, identifier, or 'end of string'",
    ",": "found ',', expected: !, identifier, or 'end of string'",
    "a,": "found '', expected: identifier after ','",
    "a,,b": "found ',', expected: identifier after ','",
    "a b": "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
    "a=b c": "found 'c', expected: ',' or 'end of string'",
    "a==(b)": "unable to parse requirement: found '(', expected: identifier",
    "a in b": "unable to parse requirement: found 'b' expected: '('",
    "a in (b": "unable to parse requirement: found '', expected: ',' or ')'",
    "a in (b c)": "unable to parse requirement: found 'c', expected: ',' or ')'",
    "a in (=": "unable to parse requirement: found '=', expected: ',', ')' or identifier",
    "a>x":
      "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' operators, the value must be an integer",
    "a=-b": `unable to parse requirement: values[0][a]: Invalid value: "-b": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
  };
  for (const [text, message] of Object.entries(cases)) {
    assert.equal(
      refusal(() => parseLabelSelector(text)),
      message,
      text,
    );
  }
  assert.match(
    refusal(() => parseLabelSelector("a/b/c=d")) ?? "",
    /^unable to parse requirement: <nil>: Invalid value: "a\/b\/c": a qualified name must consist/,
  );
  assert.match(
    refusal(() => parseLabelSelector(`a=${"b".repeat(64)}`)) ?? "",
    /values\[0\]\[a\]: Invalid value: "b{64}": must be no more than 63 bytes$/,
  );
});

test("readLabelSelector() reads matchLabels and matchExpressions", () => {
  const matches = (selector: Parameters<typeof readLabelSelector>[0]): boolean =>
    matchesLabels(readLabelSelector(selector), LABELS);
  assert.equal(matches(undefined), false);
  assert.equal(matches({}), true);
  assert.equal(matches({ matchLabels: { app: "web" } }), true);
  assert.equal(matches({ matchLabels: { app: "web", tier: "x" } }), false);
  const expression = (operator: string, ...values: string[]): boolean =>
    matches({ matchExpressions: [{ key: "app", operator, ...(values.length > 0 && { values }) }] });
  assert.equal(expression("In", "web", "x"), true);
  assert.equal(expression("NotIn", "web"), false);
  assert.equal(expression("Exists"), true);
  assert.equal(expression("DoesNotExist"), false);
  assert.equal(
    refusal(() => expression("Gt", "1")),
    '"Gt" is not a valid label selector operator',
  );
  assert.match(refusal(() => expression("In")) ?? "", /values set can't be empty$/);
});

test("formatLabelSelector() writes what parseLabelSelector() reads", () => {
  const word = fc.stringMatching(/^[a-z]([a-z0-9]{0,5}[a-z0-9])?$/);
  const requirement = fc.oneof(
    fc.tuple(word, word).map(([key, value]) => `${key}=${value}`),
    fc.tuple(word, word).map(([key, value]) => `${key}!=${value}`),
    word,
    word.map((key) => `!${key}`),
    fc
      .tuple(word, fc.array(word, { minLength: 1 }))
      .map(([key, values]) => `${key} in (${values.join(",")})`),
    fc.tuple(word, fc.nat()).map(([key, value]) => `${key}>${value}`),
  );
  fc.assert(
    fc.property(fc.array(requirement), (all) => {
      const written = formatLabelSelector(parseLabelSelector(all.join(",")));
      assert.equal(formatLabelSelector(parseLabelSelector(written)), written);
    }),
  );
});

test("parseLabelSelector() takes anything without surprises", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(..."ab=!()<>, in\t\u0000é/".split("")) }), (text) => {
      try {
        matchesLabels(parseLabelSelector(text), { __proto__: "x" } as Record<string, string>);
      } catch (error) {
        assert.ok(error instanceof StatusError);
      }
    }),
    { numRuns: 1000 },
  );
  assert.equal(matchesLabels(parseLabelSelector("constructor"), {}), false);
});
