/**
 * `node test/traces/admission/run.ts [FOLDER]`: replays every recording of a folder, the project's own by default.
 * Exits with 1 when one was different.
 */
import { fileURLToPath } from "node:url";

import { readAdmissionRecordings } from "./recording.ts";
import { replayAdmission } from "./replay.ts";

const folder = process.argv[2] ?? fileURLToPath(new URL("recordings/", import.meta.url));
let [equal, different] = [0, 0];
for await (const recording of readAdmissionRecordings(folder)) {
  const differences = await replayAdmission(recording);
  if (differences.length === 0) equal++;
  else different++;
  process.stdout.write(`${recording.id}: ${differences.length === 0 ? "equal" : "different"}\n`);
  for (const difference of differences) process.stdout.write(`  ${difference}\n`);
}
process.stdout.write(`total: ${equal} equal, ${different} different\n`);
process.exitCode = different > 0 || equal === 0 ? 1 : 0;
