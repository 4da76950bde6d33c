import type { Output } from "../context.ts";

const HIDE_CURSOR = "\x1b[?25l";
const SHOW_CURSOR = "\x1b[?25h";
const CLEAR_LINE_END = "\x1b[K";
const CLEAR_BELOW = "\x1b[J";

/**
 * Lines at the bottom of a terminal that are drawn over again and again. Text that should stay is printed above
 * them. Only for terminals: whoever writes to a pipe prints a line per change instead.
 */
export class LiveRegion {
  readonly #output: Output;
  #lines: readonly string[] = [];
  #drawnColumns = 0;
  #open = false;

  constructor(output: Output) {
    this.#output = output;
  }

  /** Shows these lines in place of the earlier ones. They must fit the width; rows beyond the screen are left out. */
  draw(lines: readonly string[]): void {
    const room = Math.max(1, this.#output.rows - 1);
    const shown =
      lines.length <= room ? lines : [...lines.slice(0, room - 1), `… and ${lines.length - room + 1} more`];
    const start = this.#open ? "" : HIDE_CURSOR;
    this.#open = true;
    const body = shown.map((line) => `${line}${CLEAR_LINE_END}\n`).join("");
    void this.#output.write(start + this.#backToTop() + body + CLEAR_BELOW);
    this.#lines = shown;
    this.#drawnColumns = this.#output.columns;
  }

  /** Prints text that stays, above the region. */
  print(text: string): void {
    const top = this.#backToTop();
    const lines = this.#lines.map((line) => `${line}${CLEAR_LINE_END}\n`).join("");
    void this.#output.write(`${top}${CLEAR_BELOW}${text.endsWith("\n") ? text : `${text}\n`}${lines}`);
  }

  /** Leaves the last lines standing, or wipes them, and gives the cursor back. */
  close(options: { readonly wipe?: boolean } = {}): void {
    if (!this.#open) return;
    void this.#output.write((options.wipe === true ? this.#backToTop() + CLEAR_BELOW : "") + SHOW_CURSOR);
    this.#open = false;
    this.#lines = [];
  }

  /** A terminal that became narrower wrapped our lines into more rows than we drew; climb over all of them. */
  #backToTop(): string {
    const columns = Math.max(1, this.#output.columns);
    const wraps = columns < this.#drawnColumns ? Math.ceil(this.#drawnColumns / columns) : 1;
    const rows = this.#lines.length * wraps;
    return rows === 0 ? "" : `\x1b[${rows}A\r`;
  }
}
