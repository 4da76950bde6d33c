import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";

import type { AdmissionPlugin } from "../../admission/index.ts";
import { systemClock } from "../clock.ts";
import { openTestApi } from "../testing.ts";

const PATH = "/api/v1/namespaces/default/configmaps";

/** Waits for somebody who never answers. */
const patient: AdmissionPlugin = {
  name: "Patient",
  async admit({ name, object }, options) {
    const deadline = name === "hasty" ? undefined : options.deadline;
    if (deadline?.aborted === false) await once(deadline, "abort");
    return { allowed: true, ...(object && { object }), warnings: [], reasons: [] };
  },
};

test("plugins that wait for others end before the client's patience does", async () => {
  const waits: number[] = [];
  const ended: AbortSignal[] = [];
  const clock = {
    ...systemClock,
    wait: async (milliseconds: number, signal?: AbortSignal): Promise<void> => {
      if (milliseconds > 10_000) return await systemClock.wait(milliseconds, signal);
      waits.push(milliseconds);
      if (signal !== undefined) ended.push(signal);
    },
  };
  await using api = await openTestApi({ plugins: [patient], clock });
  const create = async (name: string, query: string): Promise<number> => {
    const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { name } };
    return (await api.call("POST", `${PATH}${query}`, { body })).code;
  };
  assert.equal(await create("hasty", ""), 201);
  assert.deepEqual(waits, [], "whoever waits for nobody needs no clock");
  for (const [name, query, wait] of [
    ["a", "", 10_000],
    ["b", "?timeout=2s", 1800],
    ["c", "?timeout=1m", 10_000],
    ["d", "?timeout=soon", 10_000],
    ["e", "?timeout=0s", 10_000],
  ] as const) {
    assert.equal(await create(name, query), 201);
    assert.equal(waits.pop(), wait, query);
    assert.equal(ended.pop()?.aborted, true, "the clock is called off");
  }
});
