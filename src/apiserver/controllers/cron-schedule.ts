/**
 * When a CronJob is due.
 *
 * ```text
 * ┌ minute 0-59  ┌ hour 0-23  ┌ day of month 1-31  ┌ month 1-12, jan-dec  ┌ day of week 0-6, sun-sat
 * 30             4            1,15                 *                      mon-fri/2
 *
 * field   * or ?, N, N-M, each with /step; N/step goes on to the end; several with commas
 * days    when both are restricted, one that fits is enough; when one is * (or ?), both have to fit
 * @yearly @annually @monthly @weekly @daily @midnight @hourly, @every 1h30m
 * ```
 *
 * A time that a change of clocks leaves out is left out; one that comes twice is due twice.
 */
import { parseDuration, toMilliseconds } from "../../internal/go/duration.ts";

export interface CronSchedule {
  /** The first moment after `time` that is due, in milliseconds since the epoch; `undefined` when none is in five years. */
  next(time: number): number | undefined;
}

interface Field {
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const MINUTE: Field = { min: 0, max: 59 };
const HOUR: Field = { min: 0, max: 23 };
const DAY: Field = { min: 1, max: 31 };
const MONTH: Field = { min: 1, max: 12, names: MONTHS };
const WEEKDAY: Field = { min: 0, max: 6, names: DAYS };

const WORDS: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const HORIZON_DAYS = 5 * 366;

/**
 * @param timeZone a name of the IANA database; the machine's own is never used
 * @throws RangeError saying what can't be read, or that there is no such zone
 */
export function parseCronSchedule(text: string, timeZone = "UTC"): CronSchedule {
  const offsetAt = zoneOffset(timeZone);
  const every = /^@every (.+)$/v.exec(text)?.[1];
  if (every !== undefined) return constantDelay(every);
  const fields = (WORDS[text] ?? text).trim().split(/\s+/v);
  const [minute = "", hour = "", day = "", month = "", weekday = ""] = fields;
  if (fields.length !== 5)
    throw new RangeError(`Cannot read schedule ${JSON.stringify(text)}: it has not five fields`);
  const minutes = parseField(minute, MINUTE);
  const hours = parseField(hour, HOUR);
  const days = parseField(day, DAY);
  const months = parseField(month, MONTH);
  const weekdays = parseField(weekday, WEEKDAY);
  const both = days.free || weekdays.free;
  const fitsDay = (date: Date): boolean => {
    if (!months.values.has(date.getUTCMonth() + 1)) return false;
    const inMonth = days.values.has(date.getUTCDate());
    const inWeek = weekdays.values.has(date.getUTCDay());
    return both ? inMonth && inWeek : inMonth || inWeek;
  };
  const moments = [...hours.values].flatMap((one) =>
    [...minutes.values].map((other) => (one * 60 + other) * MINUTE_MS),
  );
  return {
    next(time) {
      // A date of the zone's calendar, written as if it were UTC.
      const start = Math.floor((time + offsetAt(time)) / DAY_MS) * DAY_MS;
      for (let count = 0; count <= HORIZON_DAYS; count++) {
        const date = start + count * DAY_MS;
        if (!fitsDay(new Date(date))) continue;
        const offsets = new Set([offsetAt(date - DAY_MS), offsetAt(date + 2 * DAY_MS)]);
        const due = [...offsets]
          .flatMap((offset) => moments.map((moment) => ({ utc: date + moment - offset, offset })))
          .filter(({ utc, offset }) => utc > time && (offsets.size === 1 || offsetAt(utc) === offset))
          .map(({ utc }) => utc);
        // Not spread over a call's arguments: a day may have 1440 of them.
        if (due.length > 0) return due.reduce((first, one) => Math.min(first, one));
      }
      return undefined;
    },
  };
}

interface Values {
  readonly values: ReadonlySet<number>;
  /** Written as a star: it restricts nothing, and says so. */
  readonly free: boolean;
}

function parseField(text: string, field: Field): Values {
  const values = new Set<number>();
  let free = false;
  for (const part of text.split(",")) {
    const [range = "", stepText, ...more] = part.split("/");
    const star = range === "*" || range === "?";
    const [from = "", to, ...others] = range.split("-");
    const first = star ? field.min : parseValue(from, field);
    const last =
      star || (to === undefined && stepText !== undefined) ? field.max : parseValue(to ?? from, field);
    const step = stepText === undefined ? 1 : parseNumber(stepText);
    const wrong = more.length > 0 || others.length > 0 || (star && to !== undefined);
    if (
      wrong ||
      first === undefined ||
      last === undefined ||
      step === undefined ||
      step === 0 ||
      first > last
    ) {
      throw new RangeError(
        `Cannot read schedule: ${JSON.stringify(part)} is no range of ${field.min} to ${field.max}`,
      );
    }
    for (let value = first; value <= last; value += step) values.add(value);
    if (star && step === 1) free = true;
  }
  return { values, free };
}

function parseValue(text: string, field: Field): number | undefined {
  const named = field.names?.indexOf(text.toLowerCase()) ?? -1;
  const value = named === -1 ? parseNumber(text) : named + field.min;
  return value !== undefined && value >= field.min && value <= field.max ? value : undefined;
}

function parseNumber(text: string): number | undefined {
  return /^\d{1,9}$/v.test(text) ? Number(text) : undefined;
}

/** Whole seconds, one at least. */
function constantDelay(text: string): CronSchedule {
  let delay: number;
  try {
    delay = toMilliseconds(parseDuration(text));
  } catch (cause) {
    throw new RangeError(`Cannot read schedule: ${JSON.stringify(text)} is no duration`, { cause });
  }
  const seconds = Math.max(1, Math.floor(delay / 1000));
  return { next: (time) => (Math.floor(time / 1000) + seconds) * 1000 };
}

/** How far a zone's clocks are ahead of UTC at a moment, in milliseconds. */
function zoneOffset(timeZone: string): (utc: number) => number {
  if (timeZone === "UTC" || timeZone === "Etc/UTC") return () => 0;
  const format = new Intl.DateTimeFormat("en-US", {
    timeZone,
    hourCycle: "h23",
    year: "numeric",
    month: "numeric",
    day: "numeric",
    hour: "numeric",
    minute: "numeric",
    second: "numeric",
  });
  return (utc) => {
    const parts = new Map(format.formatToParts(utc).map(({ type, value }) => [type, Number(value)]));
    const get = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
    const local = Date.UTC(
      get("year"),
      get("month") - 1,
      get("day"),
      get("hour"),
      get("minute"),
      get("second"),
    );
    return local - Math.floor(utc / 1000) * 1000;
  };
}
