import { GoError } from "./errors.ts";

/** Nanoseconds, as a Go duration counts them; it holds some 292 years either way. */
export type GoDuration = bigint;

const LIMIT = 1n << 63n;

const UNITS: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  "\u00b5s": 1_000n,
  "\u03bcs": 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

/**
 * `1h30m`, `-1.5s`, `0`: every number but a lone zero has a unit.
 *
 * @throws GoError
 */
export function parseDuration(text: string): GoDuration {
  const [, sign, unsigned = ""] = /^([+-]?)(.*)$/s.exec(text) ?? [];
  if (unsigned === "0") return 0n;
  const invalid = new GoError(`time: invalid duration ${quoteBytes(text)}`);
  if (unsigned === "") throw invalid;
  let rest = unsigned;
  let total = 0n;
  while (rest !== "") {
    const number = /^(\d*)(?:\.(\d*))?/.exec(rest);
    const [whole = "", fraction = ""] = number?.slice(1) ?? [];
    if (whole === "" && fraction === "") throw invalid;
    rest = rest.slice(number?.[0].length ?? 0);
    const name = /^[^.\d]*/.exec(rest)?.[0] ?? "";
    if (name === "") throw new GoError(`time: missing unit in duration ${quoteBytes(text)}`);
    const unit = Object.hasOwn(UNITS, name) ? UNITS[name] : undefined;
    if (unit === undefined) {
      throw new GoError(`time: unknown unit ${quoteBytes(name)} in duration ${quoteBytes(text)}`);
    }
    rest = rest.slice(name.length);
    total += BigInt(whole) * unit + fractionOf(fraction, unit);
    if (total > LIMIT) throw invalid;
  }
  if (sign === "-") return -total;
  if (total >= LIMIT) throw invalid;
  return total;
}

/** `1h0m0s`, `1.5s`, `250ms`, `0s`. */
export function formatDuration(duration: GoDuration): string {
  if (duration === 0n) return "0s";
  if (duration < 0n) return `-${formatDuration(-duration)}`;
  if (duration < 1_000n) return `${duration}ns`;
  if (duration < 1_000_000n) return `${decimal(duration, 3)}\u00b5s`;
  if (duration < 1_000_000_000n) return `${decimal(duration, 6)}ms`;
  const seconds = decimal(duration % 60_000_000_000n, 9);
  const minutes = duration / 60_000_000_000n;
  if (minutes === 0n) return `${seconds}s`;
  return minutes < 60n ? `${minutes}m${seconds}s` : `${minutes / 60n}h${minutes % 60n}m${seconds}s`;
}

export function toMilliseconds(duration: GoDuration): number {
  return Number(duration) / 1e6;
}

function decimal(value: bigint, digits: number): string {
  const scale = 10n ** BigInt(digits);
  const fraction = (value % scale).toString().padStart(digits, "0").replace(/0+$/, "");
  return fraction === "" ? `${value / scale}` : `${value / scale}.${fraction}`;
}

/** Cut off below a nanosecond; digits beyond what 63 bits hold don't count. */
function fractionOf(digits: string, unit: bigint): bigint {
  const kept = digits.slice(0, 18);
  return kept === "" ? 0n : (BigInt(kept) * unit) / 10n ** BigInt(kept.length);
}

/** The time package's own quoting: all but printable ASCII in hex. */
function quoteBytes(text: string): string {
  let quoted = "";
  for (const byte of Buffer.from(text, "utf8")) {
    if (byte === 0x22 || byte === 0x5c) quoted += `\\${String.fromCharCode(byte)}`;
    else if (byte < 0x20 || byte >= 0x80) quoted += `\\x${byte.toString(16).padStart(2, "0")}`;
    else quoted += String.fromCharCode(byte);
  }
  return `"${quoted}"`;
}
