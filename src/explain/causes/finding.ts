import type { Advice, Finding } from "../trace.ts";
import { type CauseCode, CAUSES, pageOf } from "./codes.ts";

export function finding(
  code: CauseCode,
  severity: Finding["severity"],
  summary: string,
  advice: readonly Advice[] = [],
): Finding {
  return {
    code,
    severity,
    summary,
    advice: advice.length > 0 ? advice : [{ text: plain(CAUSES[code].fix) }],
    page: pageOf(code),
  };
}

const WEIGHTS = { failure: 0, risk: 1, note: 2 } as const;

/** Failures first, each code once; within a severity in the order found. */
export function orderFindings(findings: readonly Finding[]): readonly Finding[] {
  const seen = new Set<string>();
  return findings
    .toSorted((a, b) => WEIGHTS[a.severity] - WEIGHTS[b.severity])
    .filter(({ code, summary }) => {
      const key = `${code} ${summary}`;
      return seen.size < seen.add(key).size;
    });
}

/** Markdown's marks mean nothing on a terminal. */
function plain(text: string): string {
  return text.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1").replaceAll("`", "");
}
