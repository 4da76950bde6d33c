import assert from "node:assert/strict";
import { test } from "node:test";

import { Secret } from "../../internal/secret.ts";
import { CachingServiceAccounts, type IssuedToken } from "./token-cache.ts";

const REQUEST = {
  namespace: "ns",
  serviceAccountName: "sa",
  serviceAccountUID: "uid",
  audiences: ["a"],
  pod: { name: "p", uid: "pu" },
};

function setUp(lifetimeSeconds: number): {
  now: number;
  issued: number;
  failing: boolean;
  readonly ask: (request?: Partial<typeof REQUEST>) => Promise<string>;
} {
  const state = {
    now: 0,
    issued: 0,
    failing: false,
    ask: async (request: Partial<typeof REQUEST> = {}) =>
      (await accounts.requestToken({ ...REQUEST, ...request })).reveal(),
  };
  const accounts = new CachingServiceAccounts(
    {
      get: () => Promise.resolve({ uid: "uid", annotations: {} }),
      issue: (): Promise<IssuedToken> => {
        if (state.failing) return Promise.reject(new Error("no API"));
        const token = new Secret(`t${++state.issued}`);
        return Promise.resolve({ token, expires: state.now + lifetimeSeconds * 1000, lifetimeSeconds });
      },
    },
    { now: () => state.now, random: () => 0 },
  );
  return state;
}

test("a token is renewed when a fifth of its life is left", async () => {
  const state = setUp(600);
  assert.equal(await state.ask(), "t1");
  state.now = 480_000;
  assert.equal(await state.ask(), "t1");
  state.now++;
  assert.equal(await state.ask(), "t2");
});

test("a token that lives for long is renewed after a day", async () => {
  const state = setUp(7 * 24 * 3600);
  await state.ask();
  state.now = 24 * 3600 * 1000;
  assert.equal(await state.ask(), "t1");
  state.now++;
  assert.equal(await state.ask(), "t2");
});

test("each Pod, account and audience has its own", async () => {
  const state = setUp(600);
  const tokens = [
    await state.ask(),
    await state.ask({ namespace: "other" }),
    await state.ask({ serviceAccountUID: "again" }),
    await state.ask({ audiences: ["b"] }),
    await state.ask({ pod: { name: "p", uid: "other" } }),
    await state.ask(),
  ];
  assert.deepEqual(tokens, ["t1", "t2", "t3", "t4", "t5", "t1"]);
});

test("a failing API doesn't take away a token that still lives", async () => {
  const state = setUp(600);
  await state.ask();
  state.failing = true;
  state.now = 600_000;
  assert.equal(await state.ask(), "t1");
  state.now++;
  await assert.rejects(state.ask(), /expired and refresh failed: no API$/);
  await assert.rejects(state.ask({ audiences: ["b"] }), { message: "failed to fetch token: no API" });
});
