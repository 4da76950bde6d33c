/** Compares what kubectl printed with what it printed when it was recorded. */
import { parseAllDocuments } from "yaml";

import { differences, isRecord, type Json } from "./json.ts";
import { normalise } from "./normalise.ts";

/** What differs from run to run, and what stands for it. The order matters: an age is within a time. */
const VOLATILE: readonly (readonly [RegExp, string])[] = [
  // The header of a line of kubectl's own log.
  [/^([EWIF])\d{4} \d\d:\d\d:\d\d\.\d+\s+\d+ (\S+\])/gm, "$1 $2"],
  [/\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, "TIME"],
  [/\b(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}/g, "TIME"],
  [/\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b/g, "UID"],
  [/\b(?:https:\/\/)?\d+\.\d+\.\d+\.\d+(?::\d+)?\b/g, "ADDRESS"],
  [/\b(resourceVersion"?: )"\d+"/g, "$1VERSION"],
  [/\bkube-api-access-[a-z0-9]{5}\b/g, "kube-api-access-xxxxx"],
  // Of a ReplicaSet, and of its Pod.
  [/-[bcdf-hj-np-tv-xz2456789]{8,10}(-[bcdf-hj-np-tv-xz2456789]{5})?\b/g, "-HASH"],
  [/\b(?:\d+[smhdy]){1,2}\b/g, "AGE"],
];

export interface Printed {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | null;
}

/** Whether a recorded line speaks of something that our server cannot have. */
export type Unknown = (line: string) => boolean;

/**
 * @returns each line or member that differs: `stdout: - "…"` where only the recording has it, `stdout: + "…"` where
 * only ours has
 */
export function comparePrinted(
  recorded: Printed,
  ours: Printed,
  isUnknown: Unknown = () => false,
): readonly string[] {
  return [
    ...(recorded.exitCode === ours.exitCode ? [] : [`exit code: ${recorded.exitCode} ≠ ${ours.exitCode}`]),
    ...compareText([recorded.stdout, ours.stdout], isUnknown).map((one) => `stdout: ${one}`),
    ...compareText([recorded.stderr, ours.stderr], isUnknown).map((one) => `stderr: ${one}`),
  ];
}

function compareText([recorded, ours]: readonly [string, string], isUnknown: Unknown): readonly string[] {
  const documents = parseDocuments(recorded);
  const others = documents === undefined ? undefined : parseDocuments(ours);
  if (documents !== undefined && others !== undefined) {
    return differences(normalise(documents), normalise(others));
  }
  const expected = steady(recorded).split("\n");
  const actual = steady(ours).split("\n");
  if (recorded.endsWith("...")) {
    // The last line that was kept may itself be cut.
    const count = expected.length - 1;
    return compareLines(expected.slice(0, count), actual.slice(0, count));
  }
  return compareLines(
    expected.filter((line) => !isUnknown(line)),
    actual,
  );
}

/** What one text has and the other hasn't, by their longest common part. */
function compareLines(one: readonly string[], other: readonly string[]): readonly string[] {
  const common = one.map(() => new Uint32Array(other.length + 1));
  common.push(new Uint32Array(other.length + 1));
  for (let row = one.length - 1; row >= 0; row--) {
    for (let column = other.length - 1; column >= 0; column--) {
      const length =
        one[row] === other[column]
          ? at(common, row + 1, column + 1) + 1
          : Math.max(at(common, row + 1, column), at(common, row, column + 1));
      (common[row] as Uint32Array)[column] = length;
    }
  }
  const found: string[] = [];
  let row = 0;
  let column = 0;
  while (row < one.length || column < other.length) {
    if (row < one.length && column < other.length && one[row] === other[column]) {
      row++;
      column++;
    } else if (
      column === other.length ||
      (row < one.length && at(common, row + 1, column) >= at(common, row, column + 1))
    ) {
      found.push(`- ${JSON.stringify(one[row++])}`);
    } else {
      found.push(`+ ${JSON.stringify(other[column++])}`);
    }
  }
  return found;
}

function at(table: readonly Uint32Array[], row: number, column: number): number {
  return table[row]?.[column] ?? 0;
}

/** Without what differs from run to run. Columns are as wide as that; how far a line is moved in says something. */
export function steady(text: string): string {
  let steadied = text;
  for (const [pattern, word] of VOLATILE) steadied = steadied.replace(pattern, word);
  return steadied.replaceAll(/(\S) {2,}/g, "$1  ").replaceAll(/[ \t]+$/gm, "");
}

/** JSON and YAML are compared by what they say; `undefined` for anything else. */
function parseDocuments(text: string): Json | undefined {
  if (!/^(?:\{|\[|[A-Za-z]+:)/.test(text)) return undefined;
  const documents = parseAllDocuments(text);
  if (!Array.isArray(documents) || documents.some(({ errors }) => errors.length > 0)) return undefined;
  const values = documents.map((one) => one.toJS() as Json);
  return values.every((value) => isRecord(value) || Array.isArray(value)) ? values : undefined;
}
