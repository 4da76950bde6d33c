import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { openApiLab } from "../traces/api/lab.ts";
import { type ApiCase, type ApiGroup, readApiGroups } from "../traces/api/recording.ts";
import { replayApi } from "../traces/api/replay.ts";

const FOLDER = fileURLToPath(new URL("../traces/api/recordings/", import.meta.url));

test("recorded requests get the API server's answers from ours", { timeout: 300_000 }, async (t) => {
  let cases = 0;
  for await (const group of readApiGroups(FOLDER)) {
    cases += group.cases.length;
    await t.test(group.group, async () => assert.deepEqual(await differencesOf(group), []));
  }
  assert.ok(cases > 200, `only ${cases} cases`);
});

test("a replay tells what differs from its recording", { timeout: 300_000 }, async () => {
  const group = await findGroup("pod-policies");
  const [accepted, refused, warned] = [
    group.cases.find(({ response }) => response.stored !== undefined),
    group.cases.find(({ response }) => response.code === 422),
    group.cases.find(({ response }) => response.warning !== undefined),
  ];
  assert.ok(accepted && refused && warned);
  const wrong: readonly [expected: RegExp, changed: ApiCase][] = [
    [/^code/, change(accepted, { code: 200 })],
    [/^stored/, change(accepted, { stored: { ...accepted.response.stored, serviceAccountName: "other" } })],
    [/^body/, change(refused, { body: { ...refused.response.body, message: "other" } })],
    [/^warning/, change(warned, { warning: '299 - "other"' })],
    [/^content type/, change(accepted, { contentType: "text/plain" })],
  ];
  for (const [expected, changed] of wrong) {
    const differences = await differencesOf({ ...group, cases: [changed] });
    assert.equal(differences.length, 1, String(expected));
    assert.match(differences[0] ?? "", expected);
  }
});

async function differencesOf(group: ApiGroup): Promise<readonly string[]> {
  await using lab = await openApiLab();
  const outcomes = await replayApi(group, lab.send);
  return outcomes.flatMap(({ differences }) => differences);
}

function change(one: ApiCase, response: Partial<ApiCase["response"]>): ApiCase {
  return { ...one, response: { ...one.response, ...response } };
}

async function findGroup(name: string): Promise<ApiGroup> {
  for await (const group of readApiGroups(FOLDER)) if (group.group === name) return group;
  throw new Error(`no group ${name}`);
}
