/**
 * `npm run traces -- [FOLDER…]`: replays every recording of the folders, the project's own by default, and prints
 * which were equal, different or not covered yet. What kind of recordings a folder has, its files tell; a folder of
 * folders is all of those. Commands of kubectl are replayed twice: their questions alone, and, where kubectl is here,
 * as kubectl itself asks them. Exits with 1 when something was different, with 2 when a folder can't be read.
 */
import { readdir, readFile } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";

import { isRecord } from "./kubectl/json.ts";
import { RecordingError } from "./recording.ts";
import { KINDS, type Kind, type Result } from "./replays.ts";

/** Differences shown of one recording. */
const SHOWN = 4;
const OWN = [
  "recordings",
  "api/recordings",
  "admission/recordings",
  "kubectl/recordings",
  "cri/recordings",
].map((path) => fileURLToPath(new URL(path, import.meta.url)));

interface Total {
  readonly kind: string;
  equal: number;
  different: number;
  uncovered: number;
}

const totals: Total[] = [];
const folders = process.argv.length > 2 ? process.argv.slice(2) : OWN;
try {
  for (const folder of folders) await replayFolder(folder);
  if (totals.length > 1) for (const total of totals) say(`${total.kind}: ${format(total)}`);
  const sum: Total = { kind: "total", equal: 0, different: 0, uncovered: 0 };
  for (const { equal, different, uncovered } of totals) {
    sum.equal += equal;
    sum.different += different;
    sum.uncovered += uncovered;
  }
  say(`total: ${format(sum)}`);
  process.exitCode = sum.different > 0 ? 1 : 0;
} catch (error) {
  if (!(error instanceof RecordingError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 2;
}

async function replayFolder(folder: string): Promise<void> {
  const { kind, folders: inner } = await look(folder);
  if (kind === undefined && inner.length === 0) {
    throw new RecordingError(`Cannot find a recording in ${JSON.stringify(folder)}`);
  }
  if (kind === undefined) for (const one of inner) await replayFolder(join(folder, one));
  else if (kind === "unknown") say(`${basename(folder)}: recordings of a kind that isn't replayed`);
  else for (const one of kind.replays) await replayAs(one.name, one.replay(folder));
}

async function replayAs(kind: string, results: AsyncIterable<Result> | string): Promise<void> {
  if (typeof results === "string") {
    say(`${kind}: ${results}`);
    return;
  }
  const total = { kind, equal: 0, different: 0, uncovered: 0 };
  totals.push(total);
  for await (const { name, differences, uncovered, right = [] } of results) {
    if (uncovered !== undefined) {
      total.uncovered++;
      say(`${name}: not yet covered, ${uncovered}`);
      continue;
    }
    if (differences.length === 0) total.equal++;
    else total.different++;
    say(`${name}: ${describe(differences, right)}`);
    for (const difference of differences.slice(0, SHOWN)) say(`  ${difference}`);
    if (differences.length > SHOWN) say(`  … and ${differences.length - SHOWN} more`);
    for (const why of new Set(right)) say(`  differs rightly: ${why}`);
  }
}

/** The kind of the first file that is of one; otherwise the folders within. */
async function look(
  folder: string,
): Promise<{ readonly kind: Kind | "unknown" | undefined; readonly folders: readonly string[] }> {
  const entries = await readdir(folder, { withFileTypes: true }).catch((cause: unknown) => {
    throw new RecordingError(`Cannot read folder ${JSON.stringify(folder)}`, { cause });
  });
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const files = entries.filter((entry) => entry.isFile() && entry.name.endsWith(".json"));
  for (const { name } of files.toSorted((one, other) => (one.name < other.name ? -1 : 1))) {
    const content = await readJson(join(folder, name), name);
    const kind = KINDS.find((one) => isRecord(content) && one.is(content));
    if (kind !== undefined) return { kind, folders: folders.toSorted() };
  }
  const kind = files.length > 0 && folders.length === 0 ? "unknown" : undefined;
  return { kind, folders: folders.toSorted() };
}

async function readJson(path: string, name: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8")) as unknown;
  } catch (cause) {
    throw new RecordingError(`Cannot read recording ${JSON.stringify(name)}: not JSON`, { cause });
  }
}

function describe(differences: readonly string[], right: readonly string[]): string {
  if (differences.length > 0) return "different";
  return right.length > 0 ? "equal but for what is right" : "equal";
}

function format({ equal, different, uncovered }: Total): string {
  return `${equal} equal, ${different} different, ${uncovered} not yet covered`;
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
