/** What every implementation of {@link AccessStore} has to do; each runs this suite. */
import assert from "node:assert/strict";
import { test } from "node:test";

import type { AccessStore, RefreshTokenRecord, RobotRecord } from "./store.ts";

export function testAccessStore(name: string, open: () => Promise<AccessStore>): void {
  const check = (promise: string, body: (store: AccessStore) => Promise<void>): void => {
    test(`${name}: ${promise}`, async () => {
      await using store = await open();
      await body(store);
    });
  };

  check("users are found by their exact name, replaced, listed in order, deleted", async (store) => {
    const alice = { name: "alice", passwordHash: "$2b$1", groups: ["a", "b"] };
    await store.putUser(alice);
    for (const one of ["zoe", "Bob", "bob"])
      await store.putUser({ name: one, passwordHash: one, groups: [] });
    assert.deepEqual(await store.findUser("alice"), alice);
    assert.equal(await store.findUser("Alice"), undefined);
    await store.putUser({ ...alice, passwordHash: "$2b$2" });
    assert.equal((await store.findUser("alice"))?.passwordHash, "$2b$2");
    const names = async (page: { after?: string; limit: number }): Promise<string[]> =>
      (await store.listUsers(page)).map((user) => user.name);
    assert.deepEqual(await names({ limit: 10 }), ["Bob", "alice", "bob", "zoe"]);
    assert.deepEqual(await names({ after: "alice", limit: 1 }), ["bob"]);
    assert.equal(await store.deleteUser("alice"), true);
    assert.equal(await store.deleteUser("alice"), false);
    assert.equal(await store.findUser("alice"), undefined);
  });

  check("a robot is added once, and changed only by who knows its last revision", async (store) => {
    const robot = robotOf("ci");
    assert.equal(await store.addRobot(robot), true);
    assert.equal(await store.addRobot({ ...robot, groups: ["other"] }), false);
    assert.deepEqual(await store.findRobot("ci"), robot);
    const [one, other] = [
      { ...robot, revision: 2, groups: ["one"] },
      { ...robot, revision: 2, groups: ["other"] },
    ];
    assert.deepEqual(await Promise.all([store.replaceRobot(one), store.replaceRobot(other)]), [true, false]);
    assert.deepEqual(await store.findRobot("ci"), one);
    assert.equal(await store.replaceRobot({ ...robotOf("not"), revision: 2 }), false);
    await store.addRobot(robotOf("a"));
    const names = (await store.listRobots({ limit: 10 })).map((entry) => entry.name);
    assert.deepEqual(names, ["a", "ci"]);
    assert.deepEqual((await store.listRobots({ after: "a", limit: 1 }))[0]?.name, "ci");
    assert.equal(await store.deleteRobot("ci"), true);
    assert.equal(await store.deleteRobot("ci"), false);
    assert.equal(await store.addRobot(robot), true);
  });

  check("refresh tokens are found until deleted, alone or all of a login", async (store) => {
    const tokens = [tokenOf("1", "alice"), tokenOf("2", "alice"), tokenOf("3", "bob")] as const;
    for (const token of tokens) await store.addRefreshToken(token);
    assert.deepEqual(await store.findRefreshToken("1"), tokens[0]);
    assert.equal(await store.deleteRefreshToken("1"), true);
    assert.equal(await store.deleteRefreshToken("1"), false);
    await store.addRefreshToken(tokenOf("4", "alice"));
    assert.equal(await store.deleteRefreshTokens("alice"), 2);
    assert.equal(await store.findRefreshToken("2"), undefined);
    assert.deepEqual(await store.findRefreshToken("3"), tokens[2]);
  });

  check("a new refresh token sweeps out the expired ones", async (store) => {
    await store.addRefreshToken({ ...tokenOf("old", "alice"), expiresAt: 5_000 });
    await store.addRefreshToken({ ...tokenOf("young", "alice"), createdAt: 4_999, expiresAt: 9_000 });
    assert.notEqual(await store.findRefreshToken("old"), undefined);
    await store.addRefreshToken({ ...tokenOf("new", "bob"), createdAt: 5_000, expiresAt: 9_000 });
    assert.equal(await store.findRefreshToken("old"), undefined);
    assert.notEqual(await store.findRefreshToken("young"), undefined);
  });

  check("keys are listed oldest first", async (store) => {
    const key = { algorithm: "ES256", privateKey: "pem" } as const;
    await store.addKey({ ...key, id: "a", createdAt: 2 });
    await store.addKey({ ...key, id: "b", createdAt: 1 });
    assert.deepEqual(await store.listKeys(), [
      { ...key, id: "b", createdAt: 1 },
      { ...key, id: "a", createdAt: 2 },
    ]);
    assert.equal(await store.deleteKey("b"), true);
    assert.equal(await store.deleteKey("b"), false);
  });

  check("generation() changes with every change to users, robots and keys", async (store) => {
    if (store.generation() === undefined) return;
    const robot = robotOf("ci");
    const key = { id: "k", algorithm: "ES256", privateKey: "pem", createdAt: 1 } as const;
    const seen = new Set([store.generation()]);
    for (const step of [
      () => store.putUser({ name: "alice", passwordHash: "x", groups: [] }),
      () => store.putUser({ name: "alice", passwordHash: "y", groups: [] }),
      () => store.deleteUser("alice"),
      () => store.addRobot(robot),
      () => store.replaceRobot({ ...robot, revision: 2 }),
      () => store.deleteRobot("ci"),
      () => store.addKey(key),
      () => store.deleteKey("k"),
    ]) {
      await step();
      assert.equal(seen.has(store.generation()), false);
      seen.add(store.generation());
    }
    assert.equal(store.generation(), store.generation());
  });
}

function robotOf(name: string): RobotRecord {
  return {
    name,
    createdAt: 1_000,
    expiresAt: 2_000,
    groups: ["g"],
    grants: [{ repositories: ["team/**"], actions: ["pull"] }],
    secrets: [{ hash: "h", createdAt: 1_000 }],
    revision: 1,
  };
}

function tokenOf(hash: string, login: string): RefreshTokenRecord {
  return { hash, login, credential: "c", createdAt: 1_000, expiresAt: 10_000 };
}
