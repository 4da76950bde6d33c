/** The kinds of recordings there are, and how each is replayed. */
import { findPeer } from "../interop/peers.ts";
import { readAdmissionRecordings } from "./admission/recording.ts";
import { replayAdmission } from "./admission/replay.ts";
import { openApiLab } from "./api/lab.ts";
import { isApiGroup, readApiGroups } from "./api/recording.ts";
import { replayApi } from "./api/replay.ts";
import { isCriRecording, readCriRecordings } from "./cri/recording.ts";
import { replayCri } from "./cri/replay.ts";
import { isCommandRecording } from "./kubectl/recording.ts";
import { replayCommands } from "./kubectl/run-commands.ts";
import { replayWithKubectl } from "./kubectl/with-kubectl.ts";
import { readRecordings } from "./recording.ts";
import { replay } from "./replay.ts";

export interface Result {
  readonly name: string;
  readonly differences: readonly string[];
  /** Why something else is right where it differs. */
  readonly right?: readonly string[];
  /** Where it isn't covered yet, why. */
  readonly uncovered?: string;
}

export interface Kind {
  is(content: Readonly<Record<string, unknown>>): boolean;
  readonly replays: readonly {
    readonly name: string;
    /** @returns a sentence where it can't be done on this machine */
    replay(folder: string): AsyncIterable<Result> | string;
  }[];
}

export const KINDS: readonly Kind[] = [
  { is: (content) => isApiGroup(content), replays: [{ name: "requests", replay: replayRequests }] },
  {
    is: (content) => Array.isArray(content["admissionCalls"]),
    replays: [{ name: "admission", replay: replayReviews }],
  },
  { is: (content) => isCriRecording(content), replays: [{ name: "CRI", replay: replayCalls }] },
  {
    is: (content) => isCommandRecording(content),
    replays: [
      { name: "kubectl's questions", replay: replayQuestions },
      { name: "kubectl", replay: replayKubectl },
    ],
  },
  {
    is: (content) => Array.isArray(content["samples"]) && Array.isArray(content["steps"]),
    replays: [{ name: "node", replay: replayNode }],
  },
];

async function* replayNode(folder: string): AsyncGenerator<Result> {
  for await (const recording of readRecordings(folder)) {
    const outcome = await replay(recording);
    const name = recording.scenario;
    if (outcome.state === "uncovered") yield { name, differences: [], uncovered: outcome.why };
    else yield { name, differences: outcome.state === "different" ? outcome.differences : [] };
  }
}

async function* replayRequests(folder: string): AsyncGenerator<Result> {
  for await (const group of readApiGroups(folder)) {
    await using lab = await openApiLab();
    for (const { name, differences } of await replayApi(group, lab.send)) {
      yield { name: `${group.group}, ${name}`, differences };
    }
  }
}

async function* replayReviews(folder: string): AsyncGenerator<Result> {
  for await (const recording of readAdmissionRecordings(folder)) {
    yield { name: recording.id, differences: await replayAdmission(recording) };
  }
}

async function* replayCalls(folder: string): AsyncGenerator<Result> {
  for await (const recording of readCriRecordings(folder)) {
    yield { name: recording.id, differences: await replayCri(recording) };
  }
}

async function* replayQuestions(folder: string): AsyncGenerator<Result> {
  for await (const { id, differences } of replayCommands(folder)) {
    yield { name: `${id} (questions)`, differences };
  }
}

function replayKubectl(folder: string): AsyncIterable<Result> | string {
  const kubectl = findPeer("kubectl");
  return kubectl === undefined
    ? `kubectl isn't here; "npm run peers" fetches it`
    : replayPrinted(folder, kubectl);
}

async function* replayPrinted(folder: string, kubectl: string): AsyncGenerator<Result> {
  for await (const { id, differences, right } of replayWithKubectl(folder, kubectl)) {
    // One reason is behind many lines.
    yield { name: `${id} (printed)`, differences, right: right.map((one) => one.why) };
  }
}
