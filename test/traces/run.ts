/**
 * `npm run traces -- [FOLDER]`: replays every recording of a folder, the project's own of a node by default, and
 * prints which were equal, different or not covered yet. What kind of recordings they are, the first of them tells.
 * Exits with 1 when one was different, with 2 when the folder can't be read.
 */
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

import { readAdmissionRecordings } from "./admission/recording.ts";
import { replayAdmission } from "./admission/replay.ts";
import { openApiLab } from "./api/lab.ts";
import { isApiGroup, readApiGroups } from "./api/recording.ts";
import { replayApi } from "./api/replay.ts";
import { readRecordings, RecordingError } from "./recording.ts";
import { replay } from "./replay.ts";

/** Differences shown of one recording. */
const SHOWN = 4;

interface Result {
  readonly name: string;
  readonly differences: readonly string[];
  /** Where it isn't covered yet, why. */
  readonly uncovered?: string;
}

const folder = process.argv[2] ?? fileURLToPath(new URL("recordings/", import.meta.url));
const total = { equal: 0, different: 0, uncovered: 0 };
try {
  for await (const { name, differences, uncovered } of await replaysOf(folder)) {
    if (uncovered !== undefined) {
      total.uncovered++;
      say(`${name}: not yet covered, ${uncovered}`);
      continue;
    }
    if (differences.length === 0) total.equal++;
    else total.different++;
    say(`${name}: ${differences.length === 0 ? "equal" : "different"}`);
    for (const difference of differences.slice(0, SHOWN)) say(`  ${difference}`);
    if (differences.length > SHOWN) say(`  … and ${differences.length - SHOWN} more`);
  }
  const { equal, different, uncovered } = total;
  say(`total: ${equal} equal, ${different} different, ${uncovered} not yet covered`);
  process.exitCode = different > 0 ? 1 : 0;
} catch (error) {
  if (!(error instanceof RecordingError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}

async function replaysOf(path: string): Promise<AsyncIterable<Result>> {
  const first = await readFirst(path);
  if (isApiGroup(first)) return replayApiFolder(path);
  const reviews = typeof first === "object" && first !== null && "admissionCalls" in first;
  return reviews ? replayAdmissionFolder(path) : replayNodeFolder(path);
}

async function* replayNodeFolder(path: string): AsyncGenerator<Result> {
  for await (const recording of readRecordings(path)) {
    const outcome = await replay(recording);
    const name = recording.scenario;
    if (outcome.state === "uncovered") yield { name, differences: [], uncovered: outcome.why };
    else yield { name, differences: outcome.state === "different" ? outcome.differences : [] };
  }
}

async function* replayApiFolder(path: string): AsyncGenerator<Result> {
  for await (const group of readApiGroups(path)) {
    await using lab = await openApiLab();
    for (const { name, differences } of await replayApi(group, lab.send)) {
      yield { name: `${group.group}, ${name}`, differences };
    }
  }
}

async function* replayAdmissionFolder(path: string): AsyncGenerator<Result> {
  for await (const recording of readAdmissionRecordings(path)) {
    yield { name: recording.id, differences: await replayAdmission(recording) };
  }
}

async function readFirst(path: string): Promise<unknown> {
  const names = await readdir(path).catch((cause: unknown) => {
    throw new RecordingError(`Cannot read folder ${JSON.stringify(path)}`, { cause });
  });
  const name = names.toSorted().find((one) => one.endsWith(".json"));
  if (name === undefined) throw new RecordingError(`Cannot find a recording in ${JSON.stringify(path)}`);
  try {
    return JSON.parse(await readFile(join(path, name), "utf8")) as unknown;
  } catch (cause) {
    throw new RecordingError(`Cannot read recording ${JSON.stringify(name)}: not JSON`, { cause });
  }
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
