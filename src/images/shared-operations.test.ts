import assert from "node:assert/strict";
import { test } from "node:test";

import { SharedOperations } from "./shared-operations.ts";

test("identical work in flight happens once, and every waiter hears of its progress", async () => {
  const shared = new SharedOperations<number, string>();
  const { promise, resolve } = Promise.withResolvers<string>();
  let report: (progress: number) => void = () => {};
  let starts = 0;
  const start = (_: AbortSignal, tell: (progress: number) => void): Promise<string> => {
    starts++;
    report = tell;
    return promise;
  };
  const heard: string[] = [];
  const first = shared.run("k", start, { onProgress: (value) => heard.push(`first ${value}`) });
  await Promise.resolve();
  report(1);
  const second = shared.run("k", start, { onProgress: (value) => heard.push(`second ${value}`) });
  report(2);
  resolve("done");
  assert.deepEqual(await Promise.all([first, second]), ["done", "done"]);
  assert.equal(starts, 1);
  assert.deepEqual(heard, ["first 1", "second 1", "first 2", "second 2"]);
  assert.equal(shared.size, 0);
});

test("one waiter giving up disturbs nobody; the last one cancels the work", async () => {
  const shared = new SharedOperations<void, string>();
  let seen: AbortSignal | undefined;
  const never = (signal: AbortSignal): Promise<string> => {
    seen = signal;
    return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  };
  const one = new AbortController();
  const two = new AbortController();
  const first = shared.run("k", never, { signal: one.signal });
  const second = shared.run("k", never, { signal: two.signal });
  one.abort(new Error("first left"));
  await assert.rejects(first, /first left/);
  assert.equal(seen?.aborted, false);
  two.abort(new Error("second left"));
  await assert.rejects(second, /second left/);
  assert.equal(seen?.aborted, true);
  assert.equal(await shared.run("k", async () => "afresh"), "afresh");
});

test("a failure reaches every waiter and is forgotten", async () => {
  const shared = new SharedOperations<void, string>();
  const fail = async (): Promise<string> => {
    throw new Error("broken");
  };
  const waiting = [shared.run("k", fail), shared.run("k", fail)];
  for (const waiter of waiting) await assert.rejects(waiter, /broken/);
  assert.equal(await shared.run("k", async () => "ok"), "ok");
});
