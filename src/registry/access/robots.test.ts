import assert from "node:assert/strict";
import { test } from "node:test";

import type { Secret } from "../../internal/secret.ts";
import type { RegistryError } from "../errors.ts";
import { createRobot, deleteRobot, rotateRobot } from "./robots.ts";
import { openSqliteAccessStore } from "./sqlite-store.ts";
import { AccessWorld, basic, bearer } from "./testing.ts";

const HOUR = 3_600_000;
const GRANTS = [{ repositories: ["team/**"], actions: ["pull", "push"] }] as const;

async function probe(world: AccessWorld, login: string, secret: Secret): Promise<number> {
  return (await world.send("GET", "/v2/", basic(login, secret.reveal()))).status;
}

test("a robot does what it was made for and nothing else", async () => {
  await using world = await AccessWorld.open({ policies: [] });
  const { login, secret } = await createRobot(world.store, "ci", { grants: GRANTS });
  assert.equal(login, "robot+ci");
  const headers = basic(login, secret.reveal());
  await world.fill("team/app", headers);
  assert.equal((await world.send("GET", "/v2/team/app/manifests/1", headers)).status, 200);
  assert.equal((await world.send("DELETE", "/v2/team/app/manifests/1", headers)).status, 403);
  assert.equal((await world.send("POST", "/v2/other/blobs/uploads/", headers)).status, 403);
  assert.deepEqual(await (await world.send("GET", "/v2/_catalog", headers)).json(), {
    repositories: ["team/app"],
  });
});

test("rotating leaves no moment without a secret that works, and two at most", async () => {
  await using world = await AccessWorld.open({ policies: [] });
  const clock = (): number => world.now;
  const first = await createRobot(world.store, "ci", { clock });
  assert.equal(await probe(world, first.login, first.secret), 200);
  const second = await rotateRobot(world.store, "ci", { overlap: HOUR, clock });
  assert.equal(await probe(world, first.login, first.secret), 200);
  assert.equal(await probe(world, first.login, second.secret), 200);
  world.pass(HOUR - 1);
  assert.equal(await probe(world, first.login, first.secret), 200);
  world.pass(1);
  assert.equal(await probe(world, first.login, first.secret), 401);
  assert.equal(await probe(world, first.login, second.secret), 200);
  const third = await rotateRobot(world.store, "ci", { overlap: HOUR, clock });
  const fourth = await rotateRobot(world.store, "ci", { overlap: HOUR, clock });
  assert.equal(await probe(world, first.login, second.secret), 401);
  assert.equal(await probe(world, first.login, third.secret), 200);
  assert.equal(await probe(world, first.login, fourth.secret), 200);
});

test("two who rotate at once both get a secret that works", async () => {
  await using world = await AccessWorld.open({ policies: [] });
  const clock = (): number => world.now;
  await createRobot(world.store, "ci", { clock });
  const both = await Promise.all([
    rotateRobot(world.store, "ci", { clock }),
    rotateRobot(world.store, "ci", { clock }),
  ]);
  for (const { login, secret } of both) assert.equal(await probe(world, login, secret), 200);
});

test("a robot ends with its time, and its tokens with it", async () => {
  const config = { realm: "registry.test", policies: [], tokens: { lifetime: "1h" } };
  await using world = await AccessWorld.open(config);
  const options = { grants: GRANTS, expiresAt: world.now + 10 * 60_000 };
  const { login, secret } = await createRobot(world.store, "ci", options);
  await world.fill("team/app", basic(login, secret.reveal()));
  const scope = "repository:team/app:pull";
  const answer = await world.token(scope, basic(login, secret.reveal()), { offline_token: "true" });
  assert.equal(answer.expires_in, 600, "a token doesn't outlive its robot");
  const get = async (): Promise<number> =>
    (await world.send("GET", "/v2/team/app/manifests/1", bearer(answer.access_token))).status;
  assert.equal(await get(), 200);
  world.pass(10 * 60_000);
  assert.equal(await get(), 401);
  assert.equal(await probe(world, login, secret), 401);
  const refreshed = await world.form({
    grant_type: "refresh_token",
    client_id: "test",
    service: "registry.test",
    refresh_token: answer.refresh_token ?? "",
  });
  assert.equal(refreshed.status, 401);
});

test("a rotation may give a robot more time; one that has ended needs that, and its old secret stays ended", async () => {
  await using world = await AccessWorld.open({ policies: [] });
  const clock = (): number => world.now;
  const old = await createRobot(world.store, "ci", { expiresAt: world.now + 60_000, clock });
  const second = await rotateRobot(world.store, "ci", { expiresAt: world.now + 120_000, clock });
  world.pass(90_000);
  assert.equal(await probe(world, old.login, second.secret), 200);
  assert.equal(await probe(world, old.login, old.secret), 200, "the overlap is a day");
  world.pass(60_000);
  assert.equal(await probe(world, old.login, second.secret), 401);
  for (const expiresAt of [undefined, world.now]) {
    await assert.rejects(rotateRobot(world.store, "ci", { clock, expiresAt }), { code: "ACCOUNT_ENDED" });
  }
  const third = await rotateRobot(world.store, "ci", { expiresAt: world.now + 60_000, clock });
  assert.equal(await probe(world, old.login, third.secret), 200);
  assert.equal(await probe(world, old.login, second.secret), 401);
  assert.equal(await probe(world, old.login, old.secret), 401);
});

test("a deleted robot is gone at once", async () => {
  await using world = await AccessWorld.open({ policies: [] });
  const { login, secret } = await createRobot(world.store, "ci");
  assert.equal(await probe(world, login, secret), 200);
  assert.equal(await deleteRobot(world.store, "ci"), true);
  assert.equal(await deleteRobot(world.store, "ci"), false);
  assert.equal(await probe(world, login, secret), 401);
});

test("what can't be is refused with a code, and says how to mend it", async () => {
  await using store = openSqliteAccessStore(":memory:");
  await createRobot(store, "ci");
  const refused = async (work: Promise<unknown>, code: string, words: RegExp): Promise<void> =>
    await assert.rejects(work, (error: RegistryError) => error.code === code && words.test(error.message));
  await refused(createRobot(store, "ci"), "ACCOUNT_EXISTS", /rotate its secret or delete it first/);
  await refused(createRobot(store, "A b"), "CONFIG_INVALID", /a-z, 0-9/);
  await refused(rotateRobot(store, "none"), "ACCOUNT_UNKNOWN", /there is none of that name/);
  const grants = [{ repositories: ["a//b"], actions: ["pull"] }] as const;
  await refused(createRobot(store, "x", { grants }), "CONFIG_INVALID", /empty part/);
});

test("of a secret a hash is kept, and the secret is in no text of its own", async () => {
  await using store = openSqliteAccessStore(":memory:");
  const made = await createRobot(store, "ci");
  assert.match(made.secret.reveal(), /^dray_robot_[\w-]{43}$/);
  assert.equal(JSON.stringify([made, await store.findRobot("ci")]).includes(made.secret.reveal()), false);
});
