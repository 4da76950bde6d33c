import type { CommandContext } from "../context.ts";
import { createStyle, type Style, type Styling } from "../terminal/style.ts";
import { printable } from "../terminal/width.ts";
import type { Finding, Findings, Looked, Severity } from "./finding.ts";

const STYLES: Readonly<Record<Severity, Styling>> = { error: "red", warning: "yellow", info: "dim" };
const ORDER: readonly Severity[] = ["error", "warning", "info"];

/** The worst first, then what was looked at and what wasn't. */
export async function printFindings(
  { all, checked, unchecked }: Findings,
  { stdout, env }: CommandContext,
): Promise<void> {
  const style = createStyle(stdout, env);
  const lines = ORDER.flatMap((severity) =>
    all.filter((one) => one.severity === severity).flatMap((one) => describe(one, style)),
  );
  lines.push(
    ...listed("Looked at", checked, style),
    ...listed("Not looked at", unchecked, style),
    summary(all),
  );
  await stdout.write(lines.map((line) => `${line}\n`).join(""));
}

function describe({ code, severity, where, what, mend }: Finding, style: Style): readonly string[] {
  return [
    `${style(STYLES[severity], severity.padEnd(7))}  ${style("bold", code)}  ${printable(where)}`,
    `         ${printable(what)}`,
    `         → ${printable(mend)}`,
    "",
  ];
}

function listed(title: string, items: readonly Looked[], style: Style): readonly string[] {
  if (items.length === 0) return [];
  return [style("bold", `${title}:`), ...items.map(({ area, what }) => `  ${area}: ${printable(what)}`), ""];
}

function summary(findings: readonly Finding[]): string {
  const counts = ORDER.slice(0, 2).map((severity) => {
    const count = findings.filter((one) => one.severity === severity).length;
    return `${count} ${severity}${count === 1 ? "" : "s"}`;
  });
  return findings.length === 0 ? "Nothing to mend was found" : counts.join(", ");
}
