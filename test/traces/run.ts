/**
 * `npm run traces -- [FOLDER]`: replays every recording of a folder, the project's own by default, and prints which
 * were equal, different or not covered yet. Exits with 1 when one was different, with 2 when the folder can't be read.
 */
import { fileURLToPath } from "node:url";

import { readRecordings, RecordingError } from "./recording.ts";
import { replay } from "./replay.ts";

/** Differences shown of one recording. */
const SHOWN = 4;

const folder = process.argv[2] ?? fileURLToPath(new URL("recordings/", import.meta.url));
const total = { equal: 0, different: 0, uncovered: 0 };
try {
  for await (const recording of readRecordings(folder)) {
    const outcome = await replay(recording);
    total[outcome.state]++;
    if (outcome.state === "equal") say(`${recording.scenario}: equal`);
    else if (outcome.state === "uncovered") {
      say(`${recording.scenario}: not yet covered, ${outcome.why}`);
    } else {
      const { differences } = outcome;
      say(`${recording.scenario}: different`);
      for (const difference of differences.slice(0, SHOWN)) say(`  ${difference}`);
      if (differences.length > SHOWN) say(`  … and ${differences.length - SHOWN} more`);
    }
  }
  const { equal, different, uncovered } = total;
  say(`total: ${equal} equal, ${different} different, ${uncovered} not yet covered`);
  process.exitCode = different > 0 ? 1 : 0;
} catch (error) {
  if (!(error instanceof RecordingError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
