import type { Output } from "../context.ts";

export type Styling = "bold" | "dim" | "red" | "green" | "yellow";

export type Style = (styling: Styling, text: string) => string;

const CODES: Readonly<Record<Styling, readonly [number, number]>> = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
};

/** Colour for terminals that may have it: never in a pipe, never under `NO_COLOR` (https://no-color.org). */
export function createStyle(output: Output, env: Readonly<Record<string, string | undefined>>): Style {
  const plain = !output.isTTY || (env["NO_COLOR"] ?? "") !== "" || env["TERM"] === "dumb";
  if (plain) return (_, text) => text;
  return (styling, text) => {
    const [on, off] = CODES[styling];
    return `\x1b[${on}m${text}\x1b[${off}m`;
  };
}
