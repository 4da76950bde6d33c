import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { readRecordings, type Recording } from "../traces/recording.ts";
import { type Outcome, replay } from "../traces/replay.ts";

const FOLDER = fileURLToPath(new URL("../traces/recordings/", import.meta.url));

test("a recorded kubelet's scenarios are the same with our node", { timeout: 600_000 }, async () => {
  const wrong: [string, Outcome][] = [];
  let replayed = 0;
  for await (const recording of readRecordings(FOLDER)) {
    const outcome = await replay(recording);
    if (outcome.state !== "equal") wrong.push([recording.scenario, outcome]);
    replayed++;
  }
  assert.deepEqual(wrong, []);
  assert.ok(replayed > 100, `only ${replayed} recordings`);
});

test("a replay tells what differs from its recording", { timeout: 300_000 }, async () => {
  const recording = await findRecording("private-wrong");
  const changes: readonly [expected: RegExp, changed: Recording][] = [
    [/^event at/, { ...recording, events: recording.events.slice(1) }],
    [/^event at/, { ...recording, events: change(recording.events, 1, { count: 7 }) }],
    [/^event at/, { ...recording, events: change(recording.events, 3, { message: "Back-off" }) }],
    [/^status of/, { ...recording, samples: recording.samples.toReversed() }],
    [/^status of/, { ...recording, samples: recording.samples.toSpliced(3, 2) }],
    [/^status of/, { ...recording, samples: change(recording.samples, 3, { phase: "Running" }) }],
    [/^status of/, { ...recording, samples: change(recording.samples, 3, { conditions: {} }) }],
    [/^request to/, { ...recording, registryRequests: recording.registryRequests.filter(({ t }) => t < 30) }],
    [
      /^request to/,
      {
        ...recording,
        registryRequests: recording.registryRequests.map((request) => ({ ...request, authorization: null })),
      },
    ],
    [
      /^pull intent: missing/,
      {
        ...recording,
        imageManagerRecords: { pulled: [], pulling: [{ file: "sha256-1", content: { image: "x" } }] },
      },
    ],
    [
      /^image on the node: missing/,
      {
        ...recording,
        nodeImagesAfter: [
          { id: "sha256:1", repoTags: ["localhost:5011/private-wrong/app:v1"], repoDigests: [], size: "1" },
        ],
      },
    ],
  ];
  for (const [expected, changed] of changes) {
    const outcome = await replay(changed);
    assert.equal(outcome.state, "different", String(expected));
    const first = outcome.state === "different" ? outcome.differences : [];
    assert.ok(
      first.some((difference) => expected.test(difference)),
      `${expected}: ${first.join("\n")}`,
    );
  }
});

test("a step that isn't understood leaves a recording uncovered", async () => {
  const recording = await findRecording("private-wrong");
  const steps = [...recording.steps, { t: 1, action: "node struck by lightning" }];
  assert.deepEqual(await replay({ ...recording, steps }), {
    state: "uncovered",
    why: 'step "node struck by lightning"',
  });
});

async function findRecording(scenario: string): Promise<Recording> {
  for await (const recording of readRecordings(FOLDER)) if (recording.scenario === scenario) return recording;
  throw new Error(`no recording ${scenario}`);
}

function change<T extends object>(list: readonly T[], index: number, part: Partial<T>): readonly T[] {
  return list.map((item, at) => (at === index ? { ...item, ...part } : item));
}
