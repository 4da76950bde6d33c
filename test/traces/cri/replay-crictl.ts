/** Runs recorded commands of crictl again, as we print them, and tells what is printed otherwise. */
import { isDeepStrictEqual } from "node:util";

import { isKnownCommand, runCrictl } from "./crictl.ts";
import { factOfError, factOfRecorded } from "./facts.ts";
import type { CriLab } from "./lab.ts";
import type { CriRecording, RecordedCommand } from "./recording.ts";

export async function replayCommands(recording: CriRecording, lab: CriLab): Promise<readonly string[]> {
  for (const image of recording.registry.images) lab.push(image);
  const differences: string[] = [];
  for (const command of recording.commands ?? []) {
    for (const difference of await replayCommand(command, lab)) {
      differences.push(`${command.argv.join(" ")}: ${difference}`);
    }
  }
  return differences;
}

async function replayCommand(command: RecordedCommand, lab: CriLab): Promise<readonly string[]> {
  if (!isKnownCommand(command.argv)) return ["it isn't a command that is replayed"];
  const { exitCode, stdout, stderr, failure } = await runCrictl(command.argv, lab.client);
  const differences: string[] = [];
  const compare = (what: string, is: unknown, was: unknown): void => {
    if (isDeepStrictEqual(is, was)) return;
    differences.push(`${what} ${JSON.stringify(is)}, where it was ${JSON.stringify(was)}`);
  };
  compare("exit code", exitCode, command.exitCode);
  if (command.json === undefined) compare("output", stdout, command.stdout);
  else compare("output", withoutMachine(JSON.parse(stdout)), withoutMachine(command.json));
  const fact = failure && factOfError(failure);
  const ours = failure === undefined ? stderr : replaceMessage(stderr, failure.rawMessage, `‹${fact}›`);
  compare("errors", ours, normalise(command.stderr));
  return differences;
}

/** Recorded errors without the moment and the process, and with the fact in place of containerd's words. */
function normalise(stderr: string): string {
  const lines = stderr.replaceAll(/^E[0-9]{4} \S+ +[0-9]+ \S+\] /gm, "E ");
  const message = /desc = ((?:[^"\\]|\\.)*)" image=/.exec(lines)?.[1];
  if (message === undefined) return lines;
  const words = JSON.parse(`"${message}"`) as string;
  return replaceMessage(lines, words, `‹${factOfRecorded(words)}›`);
}

function replaceMessage(text: string, message: string, by: string): string {
  return text.replaceAll(JSON.stringify(message).slice(1, -1), by);
}

/** Where the images are, when somebody looked, and how much there was are the machine's. */
function withoutMachine(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (key, member: unknown) =>
      ["mountpoint", "timestamp"].includes(key) ? typeof member : isCount(key, member) ? "count" : member,
    ),
  );
}

function isCount(key: string, member: unknown): boolean {
  return ["usedBytes", "inodesUsed"].includes(key) && typeof member === "object" && member !== null;
}
