/** An explanation as a tree: the verdict first, then what led to it. */
import type { Advice, Explanation, Finding, ImageTrace, PodTrace } from "../../explain/index.ts";
import type { Style } from "../terminal/style.ts";
import { printable, textWidth } from "../terminal/width.ts";
import { type Branch, imageBranch, podBranches } from "./branches.ts";
import { outcomeWords, podWords, slotWords } from "./words.ts";

export interface TreeOptions {
  /** Cells to a line. */
  readonly width: number;
  readonly style: Style;
  /** Only causes and advice. */
  readonly quiet: boolean;
}

export function printTree(explanation: Explanation, options: TreeOptions): readonly string[] {
  const lines: string[] = [];
  for (const pod of explanation.pods) {
    if (lines.length > 0) lines.push("");
    lines.push(...printPod(pod, options));
  }
  const notes = [
    ...explanation.problems.map((problem) => `Left out: ${problem}`),
    ...explanation.unseen.map((what) => `Not seen: ${what}`),
  ];
  if (notes.length > 0) lines.push("", ...notes.flatMap((note) => wrap(note, options.width, "  ")));
  return lines;
}

function printPod(pod: PodTrace, options: TreeOptions): readonly string[] {
  const { style, width } = options;
  const head = wrap(podWords(pod), width, "  ").map((line) => style("bold", line));
  const lines = [...head, ...pod.causes.flatMap((cause) => printFinding(cause, options))];
  for (const image of pod.images) {
    const mark = markOf(image);
    const [first = "", ...rest] = wrap(
      `${mark} ${slotWords(image)}, ${image.name.written}: ${outcomeWords(image)}`,
      width,
      "  ",
    );
    lines.push(
      style(COLOURS[mark], first),
      ...rest,
      ...image.causes.flatMap((cause) => printFinding(cause, options)),
    );
  }
  if (options.quiet) return lines;
  const branches = [...podBranches(pod), ...pod.images.map(imageBranch)];
  return [...lines, ...printBranches(branches, "", options)];
}

type Mark = "✓" | "✗" | "?";
const COLOURS = { "✓": "green", "✗": "red", "?": "yellow" } as const;

function markOf({ outcome, causes }: ImageTrace): Mark {
  if (causes.some(({ severity }) => severity === "failure") || outcome.state === "failed") return "✗";
  return outcome.state === "present" || outcome.state === "pullable" ? "✓" : "?";
}

const SEVERITIES = { failure: "red", risk: "yellow", note: "dim" } as const;

function printFinding(
  { code, severity, summary, advice, page }: Finding,
  options: TreeOptions,
): readonly string[] {
  const { style, width } = options;
  const [first = "", ...rest] = wrap(`  ${code}: ${summary}`, width, "    ");
  const coloured = first.replace(code, style(SEVERITIES[severity], code));
  return [
    coloured,
    ...rest,
    ...advice.flatMap((one) => printAdvice(one, width)),
    style("dim", `    see ${page}`),
  ];
}

/** What is to be pasted is never broken: a terminal's own wrapping can be copied, ours couldn't. */
function printAdvice({ text, command, yaml }: Advice, width: number): readonly string[] {
  return [
    ...wrap(`    → ${text}${command === undefined && yaml === undefined ? "" : ":"}`, width, "      "),
    ...(command === undefined ? [] : [`        ${printable(command)}`]),
    ...(yaml === undefined ? [] : yaml.split("\n").map((line) => `        ${printable(line)}`)),
  ];
}

function printBranches(branches: readonly Branch[], indent: string, options: TreeOptions): readonly string[] {
  return branches.flatMap(({ text, below }, index) => {
    const last = index === branches.length - 1;
    const [first, next] = last ? ["└─ ", "   "] : ["├─ ", "│  "];
    const width = options.width - textWidth(indent) - 3;
    const lines = wrap(text, width, "");
    const drawn = lines.map((line, at) => {
      return options.style("dim", `${indent}${at === 0 ? first : next}`) + line;
    });
    return [...drawn, ...printBranches(below, `${indent}${next}`, options)];
  });
}

const NARROWEST = 24;

/** Breaks between words; a word that is longer than a line stays whole. */
function wrap(text: string, width: number, hang: string): readonly string[] {
  const most = Math.max(width, NARROWEST);
  const clean = printable(text);
  const lead = /^ */.exec(clean)?.[0] ?? "";
  const lines: string[] = [];
  let line = lead;
  let empty = true;
  for (const word of clean.slice(lead.length).split(" ")) {
    if (!empty && textWidth(line) + 1 + textWidth(word) > most) {
      lines.push(line);
      line = hang;
      empty = true;
    }
    line += empty ? word : ` ${word}`;
    empty = false;
  }
  return [...lines, line];
}
