/** Reads a document member by member and notes every fault with its place, instead of ending at the first one. */
import { parseSize } from "../../internal/size.ts";

export type Path = readonly (string | number)[];

export interface Fault {
  readonly path: Path;
  /** What is wrong, and how to mend it. */
  readonly why: string;
}

const DURATIONS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

export class ConfigReader {
  readonly faults: Fault[] = [];

  fault(path: Path, why: string): undefined {
    this.faults.push({ path, why });
    return undefined;
  }

  /** Members by name, each one known. */
  object(
    value: unknown,
    path: Path,
    known: readonly string[],
  ): Readonly<Record<string, unknown>> | undefined {
    if (value === undefined) return undefined;
    if (!isObject(value)) return this.fault(path, `is not an object with ${listOf(known)}`);
    for (const name of Object.keys(value)) {
      if (!known.includes(name)) this.fault([...path, name], `is not known here; there are ${listOf(known)}`);
    }
    return value;
  }

  /** Members of any name. */
  record(value: unknown, path: Path): Readonly<Record<string, unknown>> {
    if (value === undefined) return {};
    if (isObject(value)) return value;
    this.fault(path, "is not an object");
    return {};
  }

  list(value: unknown, path: Path): readonly unknown[] {
    if (value === undefined) return [];
    if (Array.isArray(value)) return value;
    this.fault(path, "is not a list");
    return [];
  }

  text(value: unknown, path: Path): string | undefined {
    if (value === undefined) return undefined;
    if (typeof value === "string" && value !== "") return value;
    return this.fault(path, value === "" ? "is empty" : "is not a text; put it in quotes");
  }

  texts(value: unknown, path: Path): readonly string[] {
    return this.list(value, path).flatMap((one, index) => this.text(one, [...path, index]) ?? []);
  }

  flag(value: unknown, path: Path): boolean | undefined {
    if (value === undefined || typeof value === "boolean") return value;
    return this.fault(path, "is neither true nor false");
  }

  oneOf<Word extends string>(value: unknown, path: Path, words: readonly Word[]): Word | undefined {
    if (value === undefined) return undefined;
    const found = words.find((word) => word === value);
    return found ?? this.fault(path, `is ${JSON.stringify(value)}; it can be ${listOf(words)}`);
  }

  /** A whole number from `least` up. */
  count(value: unknown, path: Path, least: number): number | undefined {
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= least) return value;
    return this.fault(path, `is not a whole number from ${least} up`);
  }

  /** Milliseconds from `90s`, `5m`, `12h`, `30d`. */
  duration(value: unknown, path: Path, least: number): number | undefined {
    if (value === undefined) return undefined;
    const text = typeof value === "string" ? value : "";
    const [, amount, unit = ""] = /^([0-9]{1,9})([smhd])$/.exec(text) ?? [];
    if (amount === undefined) {
      return this.fault(path, "is not a duration; write 90s, 5m, 12h or 30d");
    }
    const milliseconds = Number(amount) * (DURATIONS[unit] ?? 1);
    return milliseconds >= least
      ? milliseconds
      : this.fault(path, `is too short; it takes ${least / 1_000}s at least`);
  }

  /** Bytes from `50GiB`, `500MB` or a plain number. */
  size(value: unknown, path: Path): number | undefined {
    if (value === undefined) return undefined;
    if (typeof value === "number") return this.count(value, path, 1);
    const bytes = typeof value === "string" ? parseSize(value) : undefined;
    return bytes ?? this.fault(path, "is not a size; write 50GiB, 500MB or a number of bytes");
  }

  url(value: unknown, path: Path): string | undefined {
    const text = this.text(value, path);
    if (text === undefined) return undefined;
    const url = URL.canParse(text) ? new URL(text) : undefined;
    const web = url?.protocol === "https:" || url?.protocol === "http:";
    return web ? text : this.fault(path, "is not a URL; write https://HOST/PATH");
  }
}

/** `policies[0].subjects[1]` */
export function formatPath(path: Path): string {
  return path
    .map((part, index) => (typeof part === "number" ? `[${part}]` : index === 0 ? part : `.${part}`))
    .join("");
}

function listOf(words: readonly string[]): string {
  return words.length < 2 ? words.join("") : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
