/** Amounts of resources, such as `500m`, `1Gi` or `2e3`, as numbers that can be compared. */

/** In thousand-millionths, so that the smallest amount there is counts as one. */
export type Quantity = bigint;

export const ONE: Quantity = 10n ** 9n;

const PATTERN = /^([+-]?)(\d*)(?:\.(\d*))?(|[numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)$/;

const NANO_DIGITS = 9;

const POWERS: Readonly<Record<string, number>> = {
  n: -9,
  u: -6,
  m: -3,
  k: 3,
  M: 6,
  G: 9,
  T: 12,
  P: 15,
  E: 18,
};

const BINARY = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/** Beyond these, a text of a few bytes would stand for a number of gigabytes. */
const MAX_POWER = 64;

/** Undefined for what is no amount. */
export function parseQuantity(text: string): Quantity | undefined {
  const match = PATTERN.exec(text);
  const [, sign = "", whole = "", fraction = "", suffix = ""] = match ?? [];
  if (match === null || (whole === "" && fraction === "")) return undefined;
  const exponent = /^[eE]([+-]?\d+)$/.exec(suffix)?.[1];
  const power = exponent === undefined ? (POWERS[suffix] ?? 0) : Number(exponent);
  if (Math.abs(power) > MAX_POWER) return undefined;
  const binary = 1024n ** BigInt(BINARY.indexOf(suffix) + 1);
  const amount = scale(BigInt(`${whole}${fraction}`) * binary, NANO_DIGITS + power - fraction.length);
  return sign === "-" ? -amount : amount;
}

/** Times a power of ten; a negative one rounds away from zero, since less would not be enough. */
function scale(value: bigint, power: number): bigint {
  if (power >= 0) return value * 10n ** BigInt(power);
  const divisor = 10n ** BigInt(-power);
  return (value + divisor - 1n) / divisor;
}
