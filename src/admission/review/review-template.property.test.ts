import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import type { Json } from "../../kubernetes/index.ts";
import { ReviewTemplate } from "./review-template.ts";

const text = fc.oneof(
  fc.constantFrom("hole.0.", "hole.", "__proto__", "a", ""),
  fc.string({ unit: "binary" }),
);
const json = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small" },
    text,
    fc.integer(),
    fc.constantFrom(null, true, "uid"),
    fc.array(tie("value"), { maxLength: 3 }),
    fc.dictionary(fc.oneof(text, fc.constantFrom("uid", "name")), tie("value"), { maxKeys: 4 }),
  ),
})).value;

/** The same value with some of its texts changed, each by what the function says. */
function changeTexts(value: Json, change: (text: string) => string): Json {
  if (typeof value === "string") return change(value);
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map((item) => changeTexts(item as Json, change));
  const entries = Object.entries(value).map(([name, one]) => [name, changeTexts(one as Json, change)]);
  return Object.fromEntries(entries) as Json;
}

function write(value: Json, uid: string): Buffer {
  return Buffer.from(JSON.stringify({ request: { uid, value } }));
}

test("what a template makes of a review is what JSON is", () => {
  let fitted = 0;
  fc.assert(
    fc.property(json, fc.infiniteStream(text), (value, stream) => {
      const another = (one: string): string => {
        const { value: next = "" } = stream.next() as { readonly value?: string };
        return next.length % 2 === 0 ? one : next;
      };
      const [one, two] = [write(value, "1"), write(changeTexts(value, another), "2")];
      const template = ReviewTemplate.learn(one, two);
      if (template === undefined) return;
      const reviews = [one, two, write(value, "x"), write(changeTexts(value, another), "\n")];
      for (const review of reviews) {
        const texts = template.read(review);
        if (texts === undefined) continue;
        fitted++;
        assert.deepEqual(template.fill(texts), JSON.parse(review.toString()));
        assert.equal(texts[template.uidHole], JSON.parse(review.toString()).request.uid);
      }
    }),
    { numRuns: 2000 },
  );
  assert.ok(fitted > 1000, `${fitted} fitted`);
});

test("names of members, and members that come twice, are no holes", () => {
  const learn = (one: string, other: string): unknown =>
    ReviewTemplate.learn(
      Buffer.from(`{"request":{"uid":"1",${one}}}`),
      Buffer.from(`{"request":{"uid":"2",${other}}}`),
    );
  assert.notEqual(learn('"x":"a"', '"x":"b"'), undefined);
  assert.equal(learn('"a":"x"', '"b":"x"'), undefined);
  assert.equal(learn('"a" :"x"', '"b" :"x"'), undefined);
  assert.equal(learn('"x":"a","x":"c"', '"x":"b","x":"c"'), undefined);
  assert.equal(learn('"uid":"3"', '"uid":"3"'), undefined);
  assert.equal(learn('"x":"hole\\u002e0."', '"x":"a\\u002e0."'), undefined);
  assert.equal(learn('"x":1', '"x":2'), undefined);
});

test("a text that looks like a mark is a text, however it is written", () => {
  const review = (uid: string): Buffer =>
    Buffer.from(`{"request":{"uid":"${uid}","x":"\\u0068ole.0.","y":"hole.1."}}`);
  const template = ReviewTemplate.learn(review("1"), review("2"));
  const texts = template?.read(review("3"));
  assert.deepEqual(template?.fill(texts ?? []), {
    request: { uid: "3", x: "hole.0.", y: "hole.1." },
  });
});
