import assert from "node:assert/strict";
import { test } from "node:test";

import { wait } from "./wait.ts";

const DAY = 86_400_000;

test("wait() waits for longer than a timer of the system can", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let days = 0;
  let over: number | undefined;
  void wait(60 * DAY).then(() => (over = days));
  for (; days < 70; days++) {
    t.mock.timers.tick(DAY);
    // The next part begins in a later turn, at the end of the day.
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
  }
  assert.ok(over !== undefined && over >= 59 && over <= 62, `over after ${over} days`);
});

test("wait() ends with its signal's reason", async () => {
  const abort = new AbortController();
  const waiting = wait(60 * DAY, { signal: abort.signal });
  abort.abort(new Error("enough"));
  await assert.rejects(waiting, /^Error: enough$/);
  await assert.rejects(wait(1, { signal: abort.signal }), /^Error: enough$/);
});
