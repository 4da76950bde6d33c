import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type Challenge, chooseChallenge, parseChallenges } from "./challenge.ts";
import {
  containerdChallenges,
  distributionChallenges,
  ggcrChallenge,
  orasChallenge,
} from "./challenge-dialects.ts";

const b = (parameters: Record<string, string>): Challenge => ({ scheme: "bearer", parameters });

const TABLE: readonly (readonly [lines: readonly string[], expected: readonly Challenge[]])[] = [
  [[], []],
  [[" , ,"], []],
  [["Bearer"], [b({})]],
  [['BEARER Realm="https://a.test/t"'], [b({ realm: "https://a.test/t" })]],
  [
    ['Bearer realm="x" , service = "y"', "Basic"],
    [b({ realm: "x", service: "y" }), { scheme: "basic", parameters: {} }],
  ],
  [
    ['Basic realm="a", Bearer realm="b",service=c'],
    [{ scheme: "basic", parameters: { realm: "a" } }, b({ realm: "b", service: "c" })],
  ],
  [
    ["Negotiate a1+/==, NTLM ,Basic realm=x"],
    [
      { scheme: "negotiate", parameters: {}, token68: "a1+/==" },
      { scheme: "ntlm", parameters: {} },
      { scheme: "basic", parameters: { realm: "x" } },
    ],
  ],
  [['Bearer realm="a,b=c", Basic'], [b({ realm: "a,b=c" }), { scheme: "basic", parameters: {} }]],
  [['Bearer realm="a\\"b",,x=1'], [b({ realm: 'a"b', x: "1" })]],
  [['Bearer realm="x";junk="a, b", Basic'], [b({ realm: "x" }), { scheme: "basic", parameters: {} }]],
  [['Bearer realm="never closed, Basic realm=x'], [b({})]],
  [['realm="of nobody"'], []],
  [['Bearer __proto__="x"'], [b(Object.fromEntries([["__proto__", "x"]]))]],
];

for (const [lines, expected] of TABLE) {
  test(`parseChallenges() reads ${JSON.stringify(lines)}`, () => {
    assert.deepEqual(parseChallenges(lines), expected);
  });
}

test("chooseChallenge() prefers Bearer, and Basic to a Bearer without realm", () => {
  const choose = (line: string): string | undefined => chooseChallenge(parseChallenges([line]))?.scheme;
  assert.equal(choose('Basic realm="x", Bearer realm="https://a.test"'), "bearer");
  assert.equal(choose('Bearer service="x", Basic realm="x"'), "basic");
  assert.equal(choose('Bearer service="x"'), "bearer");
  assert.equal(choose('Digest realm="x", Negotiate'), undefined);
});

test("the dialects see what their clients see", () => {
  const line = 'Bearer realm="x",empty="",service = "y", Basic';
  assert.deepEqual(containerdChallenges([line]), [b({ realm: "x", empty: "" })]);
  assert.deepEqual(distributionChallenges([line]), [b({ realm: "x" })]);
  assert.deepEqual(orasChallenge(line).parameters, { realm: "x", empty: "", service: "y" });
  assert.deepEqual(orasChallenge('Bearer a="\\x41\\n",b="\\l"').parameters, { a: "A\n" });
  assert.equal(ggcrChallenge(["Digest x=1", "Basic"])?.scheme, "basic");
  assert.equal(ggcrChallenge([]), undefined);
});

const token = fc.stringMatching(/^[a-z0-9!#$%&'*+.^_|~-]{1,8}$/);

test("parseChallenges() reads back whatever challenges are written", () => {
  const plain = { noNullPrototype: true };
  const value = fc.string({ unit: "grapheme-ascii" });
  const challenge = fc.record(
    {
      scheme: fc.stringMatching(/^[a-z]{1,8}$/),
      parameters: fc.dictionary(token, value, { ...plain, minKeys: 1 }),
    },
    plain,
  );
  fc.assert(
    fc.property(fc.array(challenge, { maxLength: 4 }), (challenges) => {
      const line = challenges
        .map(({ scheme, parameters }) => {
          const written = Object.entries(parameters).map(
            ([name, text]) => `${name}="${text.replaceAll(/["\\]/g, "\\$&")}"`,
          );
          return `${scheme} ${written.join(", ")}`;
        })
        .join(" ,");
      assert.deepEqual(parseChallenges([line]), challenges);
    }),
  );
});

test("no header makes a parser throw, or slow", () => {
  const pieces = fc.constantFrom(
    '"',
    "\\",
    ",",
    "=",
    " ",
    "\t",
    "Bearer",
    "realm",
    ";",
    "a",
    "==",
    "\u00e9",
    "\0",
  );
  const header = fc.oneof(
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.array(pieces).map((all) => all.join("")),
  );
  fc.assert(
    fc.property(header, (text) => {
      parseChallenges([text]);
      containerdChallenges([text]);
      distributionChallenges([text]);
      orasChallenge(text);
    }),
  );
  const before = process.cpuUsage();
  for (const unit of ['"', ",", "a=", 'a="', "\\", " ", "Bearer ", 'x="\\"",', "a1+/="]) {
    const text = `Bearer ${unit.repeat(65536 / unit.length)}`;
    for (const parse of [parseChallenges, containerdChallenges, distributionChallenges]) parse([text]);
    orasChallenge(text);
  }
  // 64 KiB is all a response's headers may hold; quadratic time would cost minutes here. What it costs is counted, not
  // how long it takes: the processors may have others to serve.
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < 5_000_000, `${user + system} µs`);
});
