/** Where kubectl prints something else of our server than of the recorded one, and why that is right. */
import type { CommandRecording } from "./recording.ts";

interface RightDifference {
  /** Of the commands it is about; the words after `kubectl`. */
  readonly command: RegExp;
  readonly difference: RegExp;
  readonly why: string;
}

const RIGHT: readonly RightDifference[] = [
  {
    command: /^api-resources\b/,
    difference: /^stdout: - /,
    why: "only what dray keeps is listed; no line is there that the recording hasn't got",
  },
  {
    command: /^explain\b/,
    difference: /^stdout: [-+] "(?: {4}.*)?"$/,
    why: "descriptions are dray's own words; names, types and values are the same",
  },
  {
    command: /^config view\b/,
    difference:
      /^stdout: .*(?:name|context\.cluster|context\.user|current-context|cluster\.server|certificate-authority-data|insecure-skip-tls-verify): /,
    why: "dray's kubeconfig has names of its own, and trusts dray's authority instead of everybody",
  },
];

export interface KnownDifference {
  readonly difference: string;
  readonly why: string;
}

export function asFarAsRight(
  command: CommandRecording,
  found: readonly string[],
): { readonly right: readonly KnownDifference[]; readonly differences: readonly string[] } {
  const words = command.argv.slice(1).join(" ");
  const right: KnownDifference[] = [];
  const differences: string[] = [];
  for (const difference of found) {
    const known = RIGHT.find((one) => one.command.test(words) && one.difference.test(difference));
    if (known === undefined) differences.push(difference);
    else right.push({ difference, why: known.why });
  }
  return { right, differences };
}
