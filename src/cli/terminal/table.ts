import { padEnd, padStart, printable, textWidth, truncate } from "./width.ts";
import type { Style, Styling } from "./style.ts";

export interface Cell {
  readonly text: string;
  readonly styling?: Styling | undefined;
}

export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
  /** The least width this column is cut to when the line is too long; columns without it are never cut. */
  readonly shrinkTo?: number;
}

export interface TableOptions {
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly (Cell | string)[])[];
  /** Cells in a line; columns that may shrink do until the table fits. Without it nothing is cut. */
  readonly width?: number | undefined;
  readonly style: Style;
}

const GAP = 2;

/** The lines of a table under a bold heading, without trailing blanks. */
export function renderTable(options: TableOptions): string[] {
  const { columns, style } = options;
  const rows = options.rows.map((row) => columns.map((_, index) => toCell(row[index])));
  const widths = columns.map((column, index) =>
    Math.max(textWidth(column.title), ...rows.map((row) => textWidth(row[index]?.text ?? ""))),
  );
  if (options.width !== undefined) shrink(widths, columns, options.width);
  const heading = columns.map((column): Cell => ({ text: column.title, styling: "bold" }));
  return [heading, ...rows].map((row) => renderRow(row, columns, widths, style));
}

function toCell(value: Cell | string | undefined): Cell {
  const cell = typeof value === "object" ? value : { text: value ?? "" };
  return { ...cell, text: printable(cell.text) };
}

/** Takes cells from the widest column that may still give some, so that no column starves before its turn. */
function shrink(widths: number[], columns: readonly Column[], width: number): void {
  const sum = (): number => widths.reduce((total, cells) => total + cells, 0) + GAP * (widths.length - 1);
  for (let excess = sum() - width; excess > 0; excess = sum() - width) {
    let widest = -1;
    for (const [index, column] of columns.entries()) {
      const cells = widths[index] ?? 0;
      if (column.shrinkTo === undefined || cells <= column.shrinkTo) continue;
      if (widest < 0 || cells > (widths[widest] ?? 0)) widest = index;
    }
    if (widest < 0) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}

function renderRow(
  row: readonly Cell[],
  columns: readonly Column[],
  widths: readonly number[],
  style: Style,
): string {
  let line = "";
  let blanks = 0;
  for (const [index, cell] of row.entries()) {
    const width = widths[index] ?? 0;
    const text = truncate(cell.text, width);
    const padded = columns[index]?.align === "right" ? padStart(text, width) : padEnd(text, width);
    const trimmed = padded.trimEnd();
    if (trimmed !== "") {
      line += " ".repeat(blanks) + (cell.styling === undefined ? trimmed : style(cell.styling, trimmed));
      blanks = 0;
    }
    blanks += textWidth(padded) - textWidth(trimmed) + GAP;
  }
  return line;
}
