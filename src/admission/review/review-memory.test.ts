import assert from "node:assert/strict";
import { test } from "node:test";

import { ReviewMemory } from "./review-memory.ts";

const [ONE, TWO] = ["1".repeat(36), "2".repeat(36)];

function reviewOf(uid: string, rest = '"operation":"CREATE"'): Uint8Array {
  const names = '"resource":{"resource":"pods"},"kind":{"kind":"Pod"}';
  return Buffer.from(
    `{"kind":"AdmissionReview","apiVersion":"admission.k8s.io/v1","request":{"uid":"${uid}",${names},${rest}}}`,
  );
}

test("a review that comes again and again is read twice at most, and has its own uid", () => {
  const memory = new ReviewMemory();
  assert.equal(memory.read(reviewOf(TWO)).answers, undefined);
  const first = memory.read(reviewOf(ONE));
  const second = memory.read(reviewOf(TWO));
  assert.deepEqual([first.uid, second.uid], [ONE, TWO]);
  assert.equal(second.request, first.request);
  const other = memory.read(reviewOf(TWO, '"operation":"DELETE"'));
  assert.equal(other.request.operation, "DELETE");
});

test("text beyond ASCII is read as UTF-8", () => {
  const memory = new ReviewMemory();
  for (const name of ["größe", "größe", "grösse"]) {
    assert.equal(memory.read(reviewOf(ONE, `"operation":"CREATE","name":"${name}"`)).request.name, name);
  }
});

test("a second uid in one review has the last word, each time", () => {
  const memory = new ReviewMemory();
  const twice = reviewOf(ONE, `"operation":"CREATE","uid":"other"`);
  for (let round = 0; round < 2; round++) assert.equal(memory.read(twice).uid, "other");
});

test("what isn't JSON isn't, however it begins", () => {
  const memory = new ReviewMemory();
  const broken = reviewOf(ONE).slice(0, -1);
  for (let round = 0; round < 2; round++) assert.throws(() => memory.read(broken), SyntaxError);
});

test("the oldest make room", () => {
  const memory = new ReviewMemory();
  memory.read(reviewOf(ONE));
  const first = memory.read(reviewOf(ONE));
  assert.equal(memory.read(reviewOf(ONE)).request, first.request);
  for (let index = 0; index < 64; index++) {
    const other = reviewOf(ONE, `"operation":"CREATE","name":"${index}"`);
    for (let round = 0; round < 2; round++) memory.read(other);
  }
  assert.notEqual(memory.read(reviewOf(ONE)).request, first.request);
});
