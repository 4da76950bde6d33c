import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";

import { guardAgainstStalls } from "./stall-guard.ts";

/** Work that ends when it is told to, and how to tell it. */
function start(
  t: TestContext,
  options: { readonly timeout: number; readonly deadline?: number; readonly signal?: AbortSignal },
): { readonly moved: (bytes: number) => void; readonly result: Promise<string> } {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let tell: (bytes: number) => void = () => {};
  const result = guardAgainstStalls<string>(
    (signal, moved) =>
      new Promise((_, reject) => {
        tell = moved;
        signal.addEventListener("abort", () => reject(signal.reason));
      }),
    { ...options, action: 'pull "a"' },
  );
  result.catch(() => {});
  return { moved: (bytes) => tell(bytes), result };
}

test("work that tells nothing new is given up, also when it repeats itself", async (t) => {
  const { moved, result } = start(t, { timeout: 1000 });
  moved(10);
  t.mock.timers.tick(999);
  moved(11);
  t.mock.timers.tick(600);
  moved(11);
  t.mock.timers.tick(399);
  let ended = false;
  result.catch(() => (ended = true));
  await Promise.resolve();
  assert.equal(ended, false);
  t.mock.timers.tick(1);
  await assert.rejects(result, {
    code: "PULL_STALLED",
    message: 'Cannot pull "a": no byte came for 1 s',
  });
});

test("work that goes on telling is given up when it takes too long altogether", async (t) => {
  const { moved, result } = start(t, { timeout: 1000, deadline: 2500 });
  for (let bytes = 0; bytes < 5; bytes++) {
    moved(bytes);
    t.mock.timers.tick(500);
  }
  await assert.rejects(result, {
    code: "PULL_OVERDUE",
    message: 'Cannot pull "a": it wasn\'t done after 2.5 s',
  });
});

test("without a timeout it waits for ever, and ends with its caller", async (t) => {
  const caller = new AbortController();
  const { result } = start(t, { timeout: 0, signal: caller.signal });
  t.mock.timers.tick(1_000_000_000);
  caller.abort(new Error("gone"));
  await assert.rejects(result, { message: "gone" });
});
