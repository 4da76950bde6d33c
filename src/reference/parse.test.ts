import assert from "node:assert/strict";
import { performance } from "node:perf_hooks";
import { test } from "node:test";
import fc from "fast-check";

import { InvalidReferenceError } from "./errors.ts";
import { familiarString, formatReference } from "./format.ts";
import { parseAny, parseDockerRef, parseNamed } from "./forms.ts";
import { isDomain, matchReference } from "./grammar.ts";
import { parseCraneName } from "./crane-name.ts";
import { parseLocator } from "./locator.ts";
import { parseOrasName } from "./oras-name.ts";
import { parseReference } from "./parse.ts";
import { sortReferences } from "./sort.ts";

const HEX = "e6693c20186f837fc393390135d8a598a96a833917917789d63766cab6c59582";
const DIGEST = `sha256:${HEX}`;

test("parseReference() completes what a person types", () => {
  const cases = {
    ubuntu: "docker.io/library/ubuntu",
    "me/app:1": "docker.io/me/app:1",
    "index.docker.io/ubuntu": "docker.io/library/ubuntu",
    "localhost/app": "localhost/app",
    "localhost:5000": "docker.io/library/localhost:5000",
    "MyHost/app": "MyHost/app",
    "docker.io:443/ubuntu": "docker.io:443/ubuntu",
    [`app:1@${DIGEST}`]: `docker.io/library/app:1@${DIGEST}`,
  };
  for (const [text, canonical] of Object.entries(cases)) {
    assert.equal(formatReference(parseReference(text)), canonical);
  }
});

test("parseReference() says what is wrong, quoting what was typed", () => {
  const cases = {
    "": "INVALID_FORMAT",
    Ubuntu: "NAME_CONTAINS_UPPERCASE",
    "ubuntu:": "INVALID_FORMAT",
    [HEX]: "IDENTIFIER_NOT_ALLOWED",
    [`a@sha256:${"0".repeat(40)}`]: "DIGEST_INVALID_LENGTH",
    [`a@md5:${"0".repeat(32)}`]: "DIGEST_UNSUPPORTED",
    [`example.com/${"a".repeat(256)}`]: "NAME_TOO_LONG",
    "\u212Aube": "NAME_CONTAINS_UPPERCASE",
  };
  for (const [text, code] of Object.entries(cases)) {
    assert.throws(
      () => parseReference(text),
      (error) =>
        error instanceof InvalidReferenceError &&
        error.code === code &&
        error.message.includes(JSON.stringify(text.slice(0, 197)).slice(0, -1)),
      text,
    );
  }
});

test("parseReference() takes the digests it is told to take", () => {
  const text = `a@sha512:${"0".repeat(128)}`;
  assert.equal(parseReference(text).digest, text.slice(2));
  assert.throws(() => parseReference(text, { algorithms: ["sha256"] }), { code: "DIGEST_UNSUPPORTED" });
});

test("parseDockerRef() lets the digest decide, and adds latest to a bare name", () => {
  assert.equal(formatReference(parseDockerRef(`a:1@${DIGEST}`)), `docker.io/library/a@${DIGEST}`);
  assert.equal(formatReference(parseDockerRef("a")), "docker.io/library/a:latest");
});

/**
 * The grammar again, as the patterns its authors use: the other half of the test below. Slow on long texts, but short
 * ones are enough to find a difference.
 */
const COMPONENT = "[a-z0-9]+(?:(?:\\.|_|__|-+)[a-z0-9]+)*";
const LABEL = "(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])";
const DOMAIN = `(?:${LABEL}(?:\\.${LABEL})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const PATTERN = new RegExp(
  `^(?:(${DOMAIN})/)?(${COMPONENT}(?:/${COMPONENT})*)(?::([\\w][\\w.-]{0,127}))?` +
    "(?:@([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$",
);

/** Texts that are nearly references: the interesting characters, and the pieces names are made of. */
const nearly: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: fc.constantFrom(...Array.from("aA0._-/:@[]+\u0130 %")) },
      fc.constantFrom(
        "localhost",
        "docker.io",
        "library/",
        "a.b",
        ":5000",
        "[::1]",
        "__",
        DIGEST,
        HEX,
        "latest",
      ),
    ),
    { maxLength: 12 },
  )
  .map((parts) => parts.join(""));

test("the hand-written scanner agrees with the grammar's patterns", () => {
  fc.assert(
    fc.property(nearly, (text) => {
      const expected = PATTERN.exec(text);
      const found = matchReference(text);
      assert.deepEqual(
        found && [found.domain, found.path, found.tag, found.digest],
        expected === null ? undefined : [expected[1] ?? "", expected[2], expected[3], expected[4]],
      );
      assert.equal(isDomain(text), new RegExp(`^${DOMAIN}$`).test(text));
    }),
    { numRuns: 5000 },
  );
});

test("parsing what was formatted gives the same reference, and formatting it the same text", () => {
  fc.assert(
    fc.property(nearly, (text) => {
      const reference = attempt(() => parseReference(text));
      if (reference === undefined) return;
      const canonical = formatReference(reference);
      assert.deepEqual(parseReference(canonical, { normalize: false }), reference);
      // A first component that looks like a host and isn't one leaves a name without a domain.
      if (reference.domain === "") return;
      assert.deepEqual(parseNamed(canonical), reference);
      // The short form of a repository of 64 hex digits would be an image id.
      if (
        familiarString(reference) === reference.path.slice("library/".length) &&
        /^[0-9a-f]{64}$/.test(familiarString(reference))
      )
        return;
      assert.deepEqual(parseReference(familiarString(reference)), reference);
    }),
    { numRuns: 5000 },
  );
});

test("no text makes any parser throw anything but its own error", () => {
  const texts = fc.oneof(nearly, fc.string({ unit: "binary" }), fc.string({ unit: "grapheme" }));
  fc.assert(
    fc.property(texts, (text) => {
      for (const parse of PARSERS) attempt(() => parse(text));
    }),
    { numRuns: 2000 },
  );
});

test("a long text of any shape is read or refused at once", () => {
  const pieces = [
    ..."a|A|0|.|_|-|/|:|@|[|]|%| |\u0130".split("|"),
    ..."a/|a.|a-|--|a:|1.|a+|A/|//|::|..|a__|%61|@sha256:|[:".split("|"),
  ];
  for (const piece of pieces) {
    for (const text of [piece, `a${piece}`, `a.b/${piece}`, `a@a${piece}`].map(
      (start) => start + piece.repeat(2 ** 18 / piece.length),
    )) {
      for (const parse of PARSERS) {
        const start = performance.now();
        attempt(() => parse(text));
        // Linear work takes a few milliseconds; anything worse takes minutes.
        assert.ok(performance.now() - start < 1000, `${parse.name} of ${JSON.stringify(text.slice(0, 20))}`);
      }
    }
  }
});

const PARSERS: readonly ((text: string) => unknown)[] = [
  parseReference,
  (text) => parseReference(text, { normalize: false }),
  parseAny,
  parseDockerRef,
  parseLocator,
  parseCraneName,
  parseOrasName,
  (text) => sortReferences([text, "a"]),
];

function attempt<T>(act: () => T): T | undefined {
  try {
    return act();
  } catch (error) {
    assert.ok(error instanceof InvalidReferenceError, String(error));
    assert.ok(error.message.length < 500, "an error should not repeat a long text");
    return undefined;
  }
}
