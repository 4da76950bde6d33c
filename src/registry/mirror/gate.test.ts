import assert from "node:assert/strict";
import { test } from "node:test";

import { UpstreamGate } from "./gate.ts";
import { Slots } from "./slots.ts";
import { UpstreamError } from "./upstream.ts";

const ok = (): Promise<string> => Promise.resolve("ok");

function fail(
  code: "TOOMANYREQUESTS" | "UPSTREAM_UNREACHABLE" | "DENIED",
  retryAfter?: number,
): () => Promise<never> {
  return () => Promise.reject(new UpstreamError(code, "no", { retryAfter }));
}

function openGate(rateLimit?: { readonly requests: number; readonly per: number }): {
  gate: UpstreamGate;
  time: { now: number };
} {
  const time = { now: 1_000_000 };
  const settings = { registry: "r.example", rateLimit, downTime: 5_000 };
  return { gate: new UpstreamGate({ settings, clock: () => time.now }), time };
}

test("nobody asks before the time that one was told to wait", async () => {
  const { gate, time } = openGate();
  await assert.rejects(gate.pass(fail("TOOMANYREQUESTS", 60_000)), { retryAfter: 60_000 });
  time.now += 20_000;
  let asked = 0;
  const ask = (): Promise<void> => {
    asked++;
    return Promise.resolve();
  };
  await assert.rejects(gate.pass(ask), { code: "TOOMANYREQUESTS", retryAfter: 40_000 });
  time.now += 39_999;
  await assert.rejects(gate.pass(ask), { retryAfter: 1 });
  assert.equal(asked, 0);
  time.now += 1;
  await gate.pass(ask);
  assert.equal(asked, 1);
});

test("an upstream that is down is left alone for a while, and one that refuses is not down", async () => {
  const { gate, time } = openGate();
  await assert.rejects(gate.pass(fail("DENIED")), { code: "DENIED" });
  assert.equal(await gate.pass(ok), "ok");
  await assert.rejects(gate.pass(fail("UPSTREAM_UNREACHABLE")));
  await assert.rejects(gate.pass(ok), { code: "UPSTREAM_UNREACHABLE", retryAfter: 5_000 });
  time.now += 5_000;
  assert.equal(await gate.pass(ok), "ok");
});

test("who is turned away hears nothing of what others asked for", async () => {
  for (const code of ["TOOMANYREQUESTS", "UPSTREAM_UNREACHABLE"] as const) {
    const { gate } = openGate();
    const message = 'Cannot read manifest "next" of "r.example/secret/app": answered 429';
    await assert.rejects(gate.pass(() => Promise.reject(new UpstreamError(code, message))));
    await assert.rejects(gate.pass(ok), { code, message: /^Cannot ask "r\.example": it [a-z ]+$/ });
  }
});

test("a shorter wait does not end a longer one, and none is longer than six hours", async () => {
  const { gate, time } = openGate();
  const both = [gate.pass(fail("TOOMANYREQUESTS", 10 ** 12)), gate.pass(fail("UPSTREAM_UNREACHABLE"))];
  await Promise.allSettled(both);
  await assert.rejects(gate.pass(ok), { code: "TOOMANYREQUESTS", retryAfter: 6 * 3_600_000 });
  time.now += 6 * 3_600_000;
  assert.equal(await gate.pass(ok), "ok");
});

test("a limit of our own lets a burst pass, and then its pace", async () => {
  const { gate, time } = openGate({ requests: 3, per: 30_000 });
  for (let times = 0; times < 3; times++) assert.equal(await gate.pass(ok), "ok");
  await assert.rejects(gate.pass(ok), { code: "TOOMANYREQUESTS", retryAfter: 10_000 });
  time.now += 10_000;
  assert.equal(await gate.pass(ok), "ok");
  await assert.rejects(gate.pass(ok), { retryAfter: 10_000 });
  time.now += 1_000_000;
  for (let times = 0; times < 3; times++) assert.equal(await gate.pass(ok), "ok");
  await assert.rejects(gate.pass(ok), { code: "TOOMANYREQUESTS" });
});

test("slots are given in turn, to nobody who left, and back only once", async () => {
  const slots = new Slots(1);
  const first = await slots.take();
  const order: string[] = [];
  const leaving = new AbortController();
  const left = slots.take(leaving.signal);
  const second = slots.take().then((slot) => {
    order.push("second");
    return slot;
  });
  const third = slots.take().then(() => order.push("third"));
  leaving.abort(new Error("gone"));
  await assert.rejects(left, /gone/);
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  (await second)[Symbol.dispose]();
  await third;
  assert.deepEqual(order, ["second", "third"]);
});
