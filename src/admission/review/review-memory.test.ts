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

test("reviews that differ in names are put together from what was read, with their own", () => {
  const memory = new ReviewMemory();
  const named = (uid: string, name: string): Uint8Array =>
    reviewOf(
      uid,
      `"operation":"CREATE","name":"${name}","object":{"spec":{"x":[1,{"y":"${name}"}]},"kind":"Pod"}`,
    );
  memory.read(named(ONE, "a"));
  memory.read(named(TWO, "b"));
  const third = memory.read(named(ONE, "c"));
  assert.deepEqual(third, { ...new ReviewMemory().read(named(ONE, "c")), answers: undefined });
  assert.equal(memory.read(named(TWO, "c")).request, third.request);
  for (const name of ["größe", 'a\\"b', "a\\u0041"]) {
    const review = named(ONE, name);
    assert.deepEqual(memory.read(review), new ReviewMemory().read(review));
  }
});

test("what a name in a review makes of it is looked at each time", () => {
  const memory = new ReviewMemory();
  for (const [uid, operation] of [
    [ONE, "CREATE"],
    [TWO, "UPDATE"],
  ] as const) {
    memory.read(reviewOf(uid, `"operation":"${operation}"`));
  }
  assert.throws(() => memory.read(reviewOf(ONE, '"operation":"STEAL"')), /its operation is "STEAL"/);
});

test("replicas are recognised after any number of reviews that have nothing in common", () => {
  const memory = new ReviewMemory();
  for (let index = 0; index < 1000; index++) memory.read(reviewOf(ONE, `"operation":"CREATE","x":${index}`));
  const requests = Array.from({ length: 40 }, (_, index) => memory.read(reviewOf(`uid-${index}`)).request);
  assert.equal(requests.at(-1), requests.at(-2));
});

test("the oldest make room", () => {
  const memory = new ReviewMemory();
  const twice = (rest: string): unknown => {
    memory.read(reviewOf(ONE, rest));
    return memory.read(reviewOf(TWO, rest)).request;
  };
  const first = twice('"operation":"CREATE"');
  assert.equal(memory.read(reviewOf(ONE)).request, first);
  for (let index = 0; index < 16; index++) twice(`"operation":"CREATE","x":${index}`);
  assert.notEqual(memory.read(reviewOf(ONE)).request, first);
});
