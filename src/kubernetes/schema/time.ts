/** Times in objects: RFC 3339 in, whole seconds (or millionths) in UTC out, and Go's words for what is none. */
import { GoError } from "../../internal/go/errors.ts";
import { goQuote } from "../../internal/go/quote.ts";

export type Precision = "seconds" | "micro";

const LAYOUTS: Readonly<Record<Precision, string>> = {
  seconds: "2006-01-02T15:04:05Z07:00",
  micro: "2006-01-02T15:04:05.000000Z07:00",
};

/** What needs no look: nearly all times come as they go out, and no month is shorter. */
const CANONICAL = /^[1-9]\d{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\dZ$/;

/** Go's zero time, which stands for none. */
const NONE = Date.parse("0001-01-01T00:00:00Z");

/**
 * The same moment as the API server writes it; undefined for the year 1, which stands for no time.
 *
 * @throws GoError
 */
export function canonicalTime(text: string, precision: Precision): string | undefined {
  if (precision === "seconds" && CANONICAL.test(text)) return text;
  const parsed = new Parsing(text, precision).parse();
  return formatTime(parsed.milliseconds, parsed.nanoseconds, precision);
}

/** @param seconds since 1970 */
export function timeFromSeconds(seconds: bigint, nanos: number, precision: Precision): string | undefined {
  if (seconds < -62_135_596_800n || seconds > 253_402_300_799n) throw new GoError("time out of range");
  // Go carries what is more than a second, or less than none.
  const carried = Math.floor(nanos / 1e9);
  return formatTime((Number(seconds) + carried) * 1000, nanos - carried * 1e9, precision);
}

function formatTime(milliseconds: number, nanos: number, precision: Precision): string | undefined {
  if (milliseconds === NONE && nanos === 0) return undefined;
  const whole = new Date(milliseconds).toISOString().slice(0, 19);
  if (precision === "seconds") return `${whole}Z`;
  return `${whole}.${String(Math.trunc(nanos / 1000)).padStart(6, "0")}Z`;
}

const DAYS = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];

/** Goes along the layout as Go does, to stop where Go stops. */
class Parsing {
  readonly #text: string;
  readonly #layout: string;
  readonly #micro: boolean;
  #rest: string;

  constructor(text: string, precision: Precision) {
    this.#text = text;
    this.#rest = text;
    this.#layout = LAYOUTS[precision];
    this.#micro = precision === "micro";
  }

  parse(): { readonly milliseconds: number; readonly nanoseconds: number } {
    const year = Number(this.#take(/^\d{4}/, "2006"));
    this.#literal("-");
    const month = this.#number(/^\d{2}/, "01", { name: "month", from: 1, to: 12 });
    this.#literal("-");
    const day = this.#number(/^\d{1,2}/, "02", { name: "day", from: 0, to: 99 });
    this.#literal("T");
    const hour = this.#number(/^\d{1,2}/, "15", { name: "hour", from: 0, to: 23 });
    this.#literal(":");
    const minute = this.#number(/^\d{2}/, "04", { name: "minute", from: 0, to: 59 });
    this.#literal(":");
    const second = this.#number(/^\d{2}/, "05", { name: "second", from: 0, to: 59 });
    const fraction = this.#micro
      ? this.#take(/^[.,]\d{6}/, ".000000")
      : (/^[.,]\d+/.exec(this.#rest)?.[0] ?? "");
    if (!this.#micro) this.#rest = this.#rest.slice(fraction.length);
    const offset = this.#offset();
    if (this.#rest !== "") throw this.#error(`: extra text: ${goQuote(this.#rest)}`);
    const leap = month === 2 && year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
    if (day < 1 || day > (DAYS[month - 1] ?? 0) + (leap ? 1 : 0)) throw this.#error(": day out of range");
    const date = new Date(0);
    date.setUTCFullYear(year, month - 1, day);
    date.setUTCHours(hour, minute, second);
    return {
      milliseconds: date.getTime() - offset * 60_000,
      nanoseconds: Number(fraction.slice(1, 10).padEnd(9, "0")),
    };
  }

  /** In minutes. */
  #offset(): number {
    if (this.#rest.startsWith("Z")) {
      this.#rest = this.#rest.slice(1);
      return 0;
    }
    const zone = this.#take(/^[+-]\d\d:\d\d/, "Z07:00");
    const [hours, minutes] = [Number(zone.slice(1, 3)), Number(zone.slice(4, 6))];
    if (hours > 24) throw this.#error(": time zone offset hour out of range");
    if (minutes > 60) throw this.#error(": time zone offset minute out of range");
    return (zone.startsWith("-") ? -1 : 1) * (hours * 60 + minutes);
  }

  #number(
    pattern: RegExp,
    chunk: string,
    range: { readonly name: string; readonly from: number; readonly to: number },
  ): number {
    const value = Number(this.#take(pattern, chunk));
    if (value < range.from || value > range.to) throw this.#error(`: ${range.name} out of range`);
    return value;
  }

  #take(pattern: RegExp, chunk: string): string {
    const taken = pattern.exec(this.#rest)?.[0];
    if (taken === undefined) throw this.#mismatch(chunk);
    this.#rest = this.#rest.slice(taken.length);
    return taken;
  }

  #literal(text: string): void {
    if (!this.#rest.startsWith(text)) throw this.#mismatch(text);
    this.#rest = this.#rest.slice(text.length);
  }

  #mismatch(chunk: string): GoError {
    return this.#error(
      ` as ${goQuote(this.#layout)}: cannot parse ${goQuote(this.#rest)} as ${goQuote(chunk)}`,
    );
  }

  #error(what: string): GoError {
    return new GoError(`parsing time ${goQuote(this.#text)}${what}`);
  }
}
