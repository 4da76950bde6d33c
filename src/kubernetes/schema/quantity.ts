/**
 * Amounts of cpu, memory and the like, as the API server writes them back.
 *
 *     quantity = [sign] digits ["." digits] [suffix]
 *     suffix   = n u m "" k M G T P E        thousands
 *              | Ki Mi Gi Ti Pi Ei           powers of 1024
 *              | (e | E) [sign] digits       powers of ten
 *
 * The canonical form has no fraction, the largest suffix that allows that, and the family of suffixes it was given in.
 */
import { GoError } from "../../internal/go/errors.ts";

const QUANTITY = /^([+-]?)(0*)(\d*)(?:\.(\d*))?([eEinumkKMGTP]*[-+]?\d*)$/;

const THOUSANDS: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  "": 0,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};
const SUFFIX_OF_EXPONENT: ReadonlyMap<number, string> = new Map(
  Object.entries(THOUSANDS).map(([suffix, exponent]) => [exponent, suffix]),
);
const LARGEST = 18;
const BINARY: readonly string[] = ["", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/** No amount needs more; long numbers take long to multiply. */
const MAX_LENGTH = 1000;
const MAX = 2n ** 63n - 1n;
const NANO = -9;

type Family = "thousands" | "binary" | "exponent";

/** A number is `mantissa` × 10 ^ `exponent`. */
interface Amount {
  readonly mantissa: bigint;
  readonly exponent: number;
  readonly family: Family;
}

/** @throws GoError in the API machinery's words */
export function canonicalQuantity(text: string): string {
  // Nearly all of them stand in this form already.
  if (/^[1-9]\d{0,2}(?:m|k|M|G)?$/.test(text)) return text;
  const match = QUANTITY.exec(text);
  if (match === null || text === "") {
    throw new GoError(
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    );
  }
  if (text.length > MAX_LENGTH) throw new GoError("unable to parse numeric part of quantity");
  const [, sign = "", , whole = "", fraction = "", suffix = ""] = match;
  const unit = interpret(suffix);
  const digits = `${whole === "" ? "0" : whole}${fraction}`;
  if (isKept(digits, fraction.length, unit)) return text;
  const magnitude = BigInt(digits) << BigInt(unit.twos);
  const scaled = roundUp(magnitude, unit.tens - fraction.length);
  const capped =
    unit.family === "binary" && compare(scaled, MAX) > 0 ? { mantissa: MAX, exponent: 0 } : scaled;
  const mantissa = sign === "-" ? -capped.mantissa : capped.mantissa;
  return format({ mantissa, exponent: capped.exponent, family: unit.family });
}

interface Unit {
  readonly family: Family;
  readonly tens: number;
  readonly twos: number;
}

function interpret(suffix: string): Unit {
  const tens = Object.hasOwn(THOUSANDS, suffix) ? THOUSANDS[suffix] : undefined;
  if (tens !== undefined) return { family: "thousands", tens, twos: 0 };
  const power = BINARY.indexOf(suffix);
  if (power > 0) return { family: "binary", tens: 0, twos: power * 10 };
  const exponent = /^[eE]([-+]?\d+)$/.exec(suffix)?.[1];
  if (exponent === undefined) throw new GoError("unable to parse quantity's suffix");
  // The original keeps 32 bits of it.
  return { family: "exponent", tens: Number(BigInt.asIntN(32, BigInt(exponent))), twos: 0 };
}

/** Kubernetes takes a text for canonical by these signs and keeps it, even where it could be shorter: `1.500`. */
function isKept(digits: string, decimals: number, unit: Unit): boolean {
  if (unit.family === "binary") {
    return decimals === 0 && digits.length + unit.twos * 0.3 < 15 && (BigInt(digits) & 7n) !== 0n;
  }
  const exponent = unit.tens - decimals;
  return (
    digits.length <= 18 &&
    exponent >= NANO &&
    exponent % 3 === 0 &&
    !digits.endsWith("000") &&
    !digits.startsWith("0")
  );
}

/** To whole billionths, away from zero. */
function roundUp(mantissa: bigint, exponent: number): { mantissa: bigint; exponent: number } {
  if (exponent >= NANO || mantissa === 0n) return { mantissa, exponent };
  const lost = NANO - exponent;
  if (lost > mantissa.toString().length) return { mantissa: 1n, exponent: NANO };
  const divisor = 10n ** BigInt(lost);
  return { mantissa: (mantissa + divisor - 1n) / divisor, exponent: NANO };
}

function compare(amount: { mantissa: bigint; exponent: number }, limit: bigint): number {
  const { mantissa, exponent } = amount;
  const difference = exponent >= 0 ? mantissa - limit : mantissa - limit * 10n ** BigInt(-exponent);
  return difference > 0n ? 1 : difference < 0n ? -1 : 0;
}

function format(amount: Amount): string {
  const { mantissa, exponent } = strip(amount.mantissa, amount.exponent);
  if (mantissa === 0n) return "0";
  if (amount.family === "binary") {
    const size = mantissa < 0n ? -mantissa : mantissa;
    // Below 1024, and where a fraction is left, thousands lose nothing.
    if (exponent >= 0 && compare({ mantissa: size, exponent }, 1024n) >= 0) {
      return formatBinary(mantissa * 10n ** BigInt(exponent));
    }
  }
  // Digits are added until the exponent is one that has a suffix.
  const excess = ((exponent % 3) + 3) % 3;
  const number = mantissa * 10n ** BigInt(excess);
  const rest = exponent - excess;
  if (amount.family === "exponent") return rest === 0 ? `${number}` : `${number}e${rest}`;
  if (rest > LARGEST) return `${number * 10n ** BigInt(rest - LARGEST)}E`;
  return `${number}${SUFFIX_OF_EXPONENT.get(rest) ?? ""}`;
}

function formatBinary(value: bigint): string {
  let number = value;
  let power = 0;
  while (power < BINARY.length - 1 && number % 1024n === 0n) {
    number /= 1024n;
    power++;
  }
  return `${number}${BINARY[power]}`;
}

function strip(mantissa: bigint, exponent: number): { mantissa: bigint; exponent: number } {
  if (mantissa === 0n) return { mantissa, exponent: 0 };
  const text = mantissa.toString();
  const zeros = text.length - text.replace(/0+$/, "").length;
  return zeros === 0
    ? { mantissa, exponent }
    : { mantissa: mantissa / 10n ** BigInt(zeros), exponent: exponent + zeros };
}
