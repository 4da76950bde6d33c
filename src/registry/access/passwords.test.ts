import assert from "node:assert/strict";
import { test } from "node:test";

import { hashSync } from "bcryptjs";

import { Secret } from "../../internal/secret.ts";
import { hashOfNothing, isBcryptHash, PasswordChecker } from "./passwords.ts";

test("passwords are checked beside everything else, and many at once", async () => {
  await using checker = new PasswordChecker();
  const hash = hashSync("right", 4);
  // As many turns as the event loop makes, and not by a timer: a busy machine has few milliseconds to give.
  let turns = 0;
  let turn = setImmediate(function again() {
    turns++;
    turn = setImmediate(again);
  });
  const slow = checker.check(new Secret("right"), hashSync("right", 11));
  const others = Array.from({ length: 20 }, (_, index) =>
    checker.check(new Secret(index % 2 === 0 ? "right" : "wrong"), hash),
  );
  assert.equal(await slow, true);
  clearImmediate(turn);
  // A check on this thread, even in the pieces that the library can cut it into, leaves room for a handful.
  assert.ok(turns > 50, `${turns} turns of the event loop while a password was checked`);
  assert.deepEqual(
    await Promise.all(others),
    others.map((_, index) => index % 2 === 0),
  );
});

test("a hash that makes no sense matches nothing and stops nobody else", async () => {
  await using checker = new PasswordChecker();
  assert.equal(await checker.check(new Secret("x"), "nonsense"), false);
  assert.equal(await checker.check(new Secret("x"), hashSync("x", 4)), true);
});

test("those who would wait too long are turned away", async () => {
  await using checker = new PasswordChecker();
  const hash = hashSync("right", 4);
  const all = Array.from({ length: 250 }, () => checker.check(new Secret("right"), hash));
  const answers = await Promise.all(all);
  assert.equal(answers.filter((answer) => answer === undefined).length, 50);
  assert.equal(answers.filter((answer) => answer === true).length, 200);
});

test("a hash of nothing is as slow as others of its cost, and no password's", async () => {
  await using checker = new PasswordChecker();
  assert.equal(isBcryptHash(hashOfNothing(4)), true);
  assert.equal(isBcryptHash(hashOfNothing(12)), true);
  for (const text of ["", ".", "password"]) {
    assert.equal(await checker.check(new Secret(text), hashOfNothing(4)), false);
  }
});
