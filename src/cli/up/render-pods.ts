import type { NodeState } from "../../node/index.ts";
import type { Style } from "../terminal/style.ts";
import { renderTable } from "../terminal/table.ts";
import { printable, textWidth, truncate } from "../terminal/width.ts";
import { type ContainerRow, describeContainer } from "./describe-container.ts";

const COLUMNS = [
  { title: "POD", shrinkTo: 8 },
  { title: "CONTAINER", shrinkTo: 6 },
  { title: "IMAGE", shrinkTo: 16 },
  { title: "POLICY" },
  { title: "STATE" },
  { title: "DIGEST", shrinkTo: 10 },
  { title: "SIZE", align: "right" },
  { title: "TIME", align: "right" },
] as const;

const MESSAGE_LINES = 3;

/** The table of all Pods, a line for each container, with a failure's reason under its line. */
export function renderPods(
  state: Pick<NodeState, "pods" | "problems">,
  options: { readonly width: number; readonly style: Style },
): string[] {
  const { width, style } = options;
  const rows = state.pods.flatMap((pod) =>
    pod.containers.map((container) => describeContainer(pod, container)),
  );
  const table = renderTable({ columns: COLUMNS, rows: rows.map(toCells), width, style });
  const [heading = "", ...lines] = table;
  const body = lines.flatMap((line, index) => {
    const message = rows[index]?.message ?? "";
    if (message === "") return [line];
    return [
      line,
      ...wrap(message, width - 4).map((text, at) => style("dim", `${at === 0 ? "  └ " : "    "}${text}`)),
    ];
  });
  const problems = state.problems.map((problem) => style("red", truncate(`! ${printable(problem)}`, width)));
  const pods = rows.length === 0 ? ["No Pods yet."] : [heading, ...body];
  return problems.length === 0 ? pods : [...pods, "", ...problems];
}

/** One line for a change, for pipes. */
export function formatChange(row: ContainerRow): string {
  const facts = [row.pod, row.container, row.image, row.policy, row.state, row.digest, row.size, row.time];
  const line = facts
    .filter((fact) => fact !== "")
    .map(printable)
    .join("  ");
  return row.message === "" ? line : `${line}  ${printable(row.message)}`;
}

function toCells(row: ContainerRow): ({ text: string; styling: ContainerRow["styling"] } | string)[] {
  const state = { text: row.state, styling: row.styling };
  return [row.pod, row.container, row.image, row.policy, state, row.digest, row.size, row.time];
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of printable(text).split(" ")) {
    if (line !== "" && textWidth(line) + 1 + textWidth(word) > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  lines.push(line);
  const shown =
    lines.length <= MESSAGE_LINES
      ? lines
      : [...lines.slice(0, MESSAGE_LINES - 1), `${lines[MESSAGE_LINES - 1] ?? ""} …`];
  return shown.map((each) => truncate(each, width));
}
