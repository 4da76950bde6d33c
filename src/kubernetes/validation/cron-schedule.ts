/** Whether a CronJob's schedule is one: five fields, or a word such as `@daily`. */
import { GoError } from "../../internal/go/errors.ts";
import { parseDuration } from "../../internal/go/duration.ts";
import { goQuote } from "../../internal/go/quote.ts";

interface Field {
  readonly min: number;
  readonly max: number;
  readonly names?: readonly string[];
}

const FIELDS: readonly Field[] = [
  { min: 0, max: 59 },
  { min: 0, max: 23 },
  { min: 1, max: 31 },
  {
    min: 1,
    max: 12,
    names: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
  },
  { min: 0, max: 6, names: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] },
];

const WORDS = ["@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"];

/** What is wrong with it, or undefined. */
export function scheduleFault(schedule: string): string | undefined {
  const text = schedule.replace(/^(TZ|CRON_TZ)=\S* */, "");
  if (text.startsWith("@")) return wordFault(text);
  const fields = text.split(/\s+/).filter((field) => field !== "");
  if (fields.length !== FIELDS.length) {
    return `expected exactly ${FIELDS.length} fields, found ${fields.length}: [${fields.join(" ")}]`;
  }
  for (const [index, field] of fields.entries()) {
    const bounds = FIELDS[index];
    const fault = bounds && fieldFault(field, bounds);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function wordFault(text: string): string | undefined {
  if (WORDS.includes(text)) return undefined;
  if (!text.startsWith("@every ")) return `unrecognized descriptor: ${text}`;
  try {
    parseDuration(text.slice("@every ".length));
    return undefined;
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    return `failed to parse duration ${text}: ${error.message}`;
  }
}

function fieldFault(field: string, bounds: Field): string | undefined {
  for (const part of field.split(",").filter((one) => one !== "")) {
    const fault = rangeFault(part, bounds);
    if (fault !== undefined) return fault;
  }
  return undefined;
}

function rangeFault(part: string, bounds: Field): string | undefined {
  const steps = part.split("/");
  const ends = (steps[0] ?? "").split("-");
  if (ends.length > 2) return `too many hyphens: ${part}`;
  if (steps.length > 2) return `too many slashes: ${part}`;
  const [first = "", last] = ends;
  const whole = first === "*" || first === "?";
  const start = whole ? bounds.min : numberOf(first, bounds);
  if (typeof start === "string") return start;
  const end =
    whole || (last === undefined && steps.length === 2) ? bounds.max : numberOf(last ?? first, bounds);
  if (typeof end === "string") return end;
  const step = steps[1] === undefined ? 1 : numberOf(steps[1], { min: 0, max: Infinity });
  if (typeof step === "string") return step;
  if (start < bounds.min) return `beginning of range (${start}) below minimum (${bounds.min}): ${part}`;
  if (end > bounds.max) return `end of range (${end}) above maximum (${bounds.max}): ${part}`;
  if (start > end) return `beginning of range (${start}) beyond end of range (${end}): ${part}`;
  return step === 0 ? `step of range should be a positive number: ${part}` : undefined;
}

/** A number, or what is wrong with it. */
function numberOf(text: string, bounds: Field): number | string {
  const named = bounds.names?.indexOf(text.toLowerCase()) ?? -1;
  if (named !== -1) return named + bounds.min;
  if (/^-\d+$/.test(text)) return `negative number (${text}) not allowed: ${text}`;
  if (/^\+?\d+$/.test(text)) return Number(text);
  return `failed to parse int from ${text}: strconv.Atoi: parsing ${goQuote(text)}: invalid syntax`;
}
