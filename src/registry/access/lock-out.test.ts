import assert from "node:assert/strict";
import { test } from "node:test";

import { LockOut, type Attempt } from "./lock-out.ts";
import { createRobot } from "./robots.ts";
import { AccessWorld, basic } from "./testing.ts";
import type { LoginFailed } from "./logins.ts";

const LIMITS = { account: 3, address: 5, recovery: 60_000 };

class Door {
  now = 0;
  readonly lockOut: LockOut = new LockOut(LIMITS, () => this.now);

  guess(address: string, account: string): number {
    const attempt = this.lockOut.begin(address, account);
    return "wait" in attempt ? attempt.wait : 0;
  }

  login(address: string, account: string): void {
    const attempt = this.lockOut.begin(address, account);
    assert.ok("succeed" in attempt);
    (attempt satisfies Attempt).succeed();
  }
}

test("an account is locked after so many guesses, wherever they come from, and opens one at a time", () => {
  const door = new Door();
  for (const address of ["a", "b", "c"]) assert.equal(door.guess(address, "alice"), 0);
  assert.equal(door.guess("d", "alice"), 60_000);
  assert.equal(door.guess("d", "bob"), 0);
  door.now += 59_999;
  assert.equal(door.guess("d", "alice"), 1);
  door.now += 1;
  assert.equal(door.guess("d", "alice"), 0);
  assert.equal(door.guess("e", "alice"), 60_000);
});

test("an address is locked after so many guesses, at whichever accounts", () => {
  const door = new Door();
  for (const account of ["1", "2", "3", "4", "5"]) assert.equal(door.guess("a", account), 0);
  assert.equal(door.guess("a", "6"), 60_000);
  assert.equal(door.guess("b", "6"), 0);
});

test("good logins cost nothing, and what is held off costs nothing more", () => {
  const door = new Door();
  for (let index = 0; index < 100; index++) door.login("a", "alice");
  for (let index = 0; index < 3; index++) assert.equal(door.guess("b", "alice"), 0);
  for (let index = 0; index < 100; index++) assert.equal(door.guess("b", "alice"), 60_000);
});

test("strangers who guess don't lock out an address that logged in before", () => {
  const door = new Door();
  door.login("home", "alice");
  for (const address of ["x", "y", "z"]) door.guess(address, "alice");
  assert.equal(door.guess("w", "alice"), 60_000);
  door.login("home", "alice");
  for (let index = 0; index < 3; index++) assert.equal(door.guess("home", "alice"), 0);
  assert.ok(door.guess("home", "alice") > 0, "it can't guess on and on either");
});

test("who guesses passwords is told when to come again, and who knows one is let in", async () => {
  const events: LoginFailed[] = [];
  const options = { users: ["alice", "bob"], onLoginFailed: (event: LoginFailed) => events.push(event) };
  await using world = await AccessWorld.open({ lockOut: { account: 3, recovery: "30s" } }, options);
  const probe = async (login: string, password?: string): Promise<Response> =>
    await world.send("GET", "/v2/", basic(login, password));
  assert.equal((await probe("alice")).status, 200);
  world.pass(3_600_000);
  for (let index = 0; index < 3; index++) assert.equal((await probe("bob", `guess ${index}`)).status, 401);
  const held = await probe("bob", "guess again");
  assert.equal(held.status, 429);
  assert.equal(held.headers.get("retry-after"), "30");
  assert.equal(held.headers.get("www-authenticate"), null);
  assert.equal((await probe("bob")).status, 429, "the right one tells a guesser nothing, either");
  assert.equal((await probe("alice")).status, 200);
  world.pass(30_000);
  assert.equal((await probe("bob")).status, 200);
  assert.deepEqual(
    events.map(({ login, lockedOut }) => `${login} ${lockedOut}`),
    ["bob false", "bob false", "bob false", "bob true", "bob true"],
  );
  assert.equal(JSON.stringify(events).includes("guess"), false);
});

test("a thousand guesses at once are no better than one after another", async () => {
  await using world = await AccessWorld.open({ lockOut: { account: 4 } }, { users: ["alice"] });
  const guesses = Array.from({ length: 40 }, (_, index) =>
    world.send("GET", "/v2/", basic("alice", `guess ${index}`)),
  );
  const statuses = (await Promise.all(guesses)).map((answer) => answer.status);
  assert.equal(statuses.filter((status) => status === 401).length, 4);
  assert.equal(statuses.filter((status) => status === 429).length, 36);
});

test("who logged in goes on while others guess at the account; a robot's secret always works", async () => {
  await using world = await AccessWorld.open({ lockOut: { account: 2 } }, { users: ["alice"] });
  const { login, secret } = await createRobot(world.store, "ci");
  assert.equal((await world.send("GET", "/v2/", basic("alice"))).status, 200);
  for (const account of ["alice", login]) {
    const statuses: number[] = [];
    for (let index = 0; index < 4; index++) {
      statuses.push((await world.send("GET", "/v2/", basic(account, `guess ${index}`))).status);
    }
    assert.deepEqual(statuses, [401, 401, 429, 429]);
  }
  assert.equal((await world.send("GET", "/v2/", basic("alice"))).status, 200);
  assert.equal((await world.send("GET", "/v2/", basic(login, secret.reveal()))).status, 200);
});

test("guessing at the token service counts as guessing", async () => {
  const config = { realm: "registry.test", tokens: {}, lockOut: { account: 2 } };
  await using world = await AccessWorld.open(config, { users: ["alice"] });
  const form = { grant_type: "password", client_id: "x", service: "registry.test", username: "alice" };
  assert.equal((await world.form({ ...form, password: "1" })).status, 401);
  const query = "/auth/token?service=registry.test";
  assert.equal((await world.send("GET", query, basic("alice", "2"))).status, 401);
  const [posted, got] = [
    await world.form({ ...form, password: "3" }),
    await world.send("GET", query, basic("alice", "3")),
  ];
  for (const answer of [posted, got]) {
    assert.equal(answer.status, 429);
    assert.equal(answer.headers.get("retry-after"), "60");
  }
  assert.equal((await world.send("GET", "/v2/", basic("alice"))).status, 429);
});
