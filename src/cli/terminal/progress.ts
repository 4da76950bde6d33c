import type { Clock, Output } from "../context.ts";
import { LiveRegion } from "./live.ts";
import { type Style, createStyle } from "./style.ts";
import { formatBytes, formatDuration, formatRate } from "./units.ts";
import { padEnd, padStart, printable, textWidth, truncate } from "./width.ts";

export interface ProgressOptions {
  readonly output: Output;
  readonly clock: Clock;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Milliseconds between redraws; 0 redraws at every change. */
  readonly interval?: number;
}

interface Item {
  readonly label: string;
  readonly total: number;
  bytes: number;
  /** Bytes that were there before this process began; they don't count into the rate. */
  base: number | undefined;
  startedAt: number;
  /** Stands where the rate does. */
  note: string | undefined;
  state: string | undefined;
  endedAt: number | undefined;
}

const BAR = 24;

/** A live line per layer: bytes, rate, time left. On anything but a terminal it shows nothing. */
export class ProgressLines {
  readonly #region: LiveRegion | undefined;
  readonly #output: Output;
  readonly #clock: Clock;
  readonly #style: Style;
  readonly #interval: number;
  readonly #items = new Map<string, Item>();
  #drawnAt = 0;

  constructor(options: ProgressOptions) {
    this.#output = options.output;
    this.#clock = options.clock;
    this.#style = createStyle(options.output, options.env);
    this.#interval = options.interval ?? 100;
    this.#region =
      options.output.isTTY && options.env["TERM"] !== "dumb" ? new LiveRegion(options.output) : undefined;
  }

  /** Whether anything is shown; callers may skip the work of telling otherwise. */
  get active(): boolean {
    return this.#region !== undefined;
  }

  /** Begins a line, or brings it back to life. `total` is in bytes. */
  start(key: string, label: string, total: number): void {
    if (this.#region === undefined || this.#items.has(key)) return;
    const startedAt = this.#clock.now();
    this.#items.set(key, {
      label,
      total,
      bytes: 0,
      base: undefined,
      startedAt,
      note: undefined,
      state: undefined,
      endedAt: undefined,
    });
    this.#redraw(true);
  }

  /** How many bytes are there, resumed ones included; a note says more than how fast they come. */
  update(key: string, bytes: number, note?: string): void {
    const item = this.#items.get(key);
    if (item === undefined) return;
    item.base ??= bytes;
    item.bytes = bytes;
    item.note = note;
    this.#redraw(false);
  }

  /** Ends a line with a word: `done`, `already there`. */
  finish(key: string, state: string): void {
    const item = this.#items.get(key);
    if (item === undefined) return;
    item.state = state;
    item.endedAt = this.#clock.now();
    this.#redraw(true);
  }

  /** Prints a line that stays, above the live ones. */
  print(text: string): void {
    if (this.#region === undefined) void this.#output.write(`${text}\n`);
    else this.#region.print(text);
  }

  close(): void {
    if (this.#region === undefined || this.#items.size === 0) return;
    this.#redraw(true);
    this.#region.close();
    this.#items.clear();
  }

  #redraw(now: boolean): void {
    const time = this.#clock.now();
    if (!now && time - this.#drawnAt < this.#interval) return;
    this.#drawnAt = time;
    const items = [...this.#items.values()];
    const labels = Math.min(32, Math.max(0, ...items.map((item) => textWidth(item.label))));
    this.#region?.draw(items.map((item) => this.#line(item, labels, time)));
  }

  #line(item: Item, labels: number, time: number): string {
    const label = padEnd(truncate(printable(item.label), labels), labels);
    const width = this.#output.columns - 1;
    if (item.state !== undefined) {
      const size = padStart(formatBytes(item.total), 9);
      const spent = item.endedAt === undefined ? "" : formatDuration(item.endedAt - item.startedAt);
      return truncate(
        `${label}  ${size}  ${item.state} ${item.state === "done" ? spent : ""}`.trimEnd(),
        width,
      );
    }
    const part = item.total === 0 ? 1 : Math.min(1, item.bytes / item.total);
    const rate = ((item.bytes - (item.base ?? 0)) / Math.max(1, time - item.startedAt)) * 1000;
    const left = rate > 0 ? formatDuration(((item.total - item.bytes) / rate) * 1000) : "";
    const numbers = `${padStart(formatBytes(item.bytes), 9)} / ${padEnd(formatBytes(item.total), 9)}`;
    const speed = rate > 0 ? `${padStart(formatRate(rate), 11)}  ${left} left` : "";
    const tail = item.note ?? speed;
    const full = `${label}  ${bar(part)}  ${numbers}  ${tail}`.trimEnd();
    if (textWidth(full) <= width) return full.replace(/█+/, (filled) => this.#style("green", filled));
    return truncate(`${label}  ${padStart(String(Math.floor(part * 100)), 3)}%  ${tail}`.trimEnd(), width);
  }
}

function bar(part: number): string {
  const filled = Math.round(part * BAR);
  return "█".repeat(filled) + "░".repeat(BAR - filled);
}
