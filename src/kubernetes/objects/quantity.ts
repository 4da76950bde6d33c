/**
 * Amounts of resources, such as `500m`, `1Gi` or `2e3`: read exactly, compared, and written in the one form that
 * the API gives back.
 */

/** `value` thousand-millionths (10⁻⁹), rounded up as amounts are; `style` says in which family it is written. */
export interface Quantity {
  readonly nano: bigint;
  readonly style: "decimal" | "binary" | "exponent";
}

const PATTERN = /^([+-]?)(\d*)(?:\.(\d*))?(|[numkMGTPE]|[KMGTPE]i|[eE][+-]?\d+)$/;

const NANO_DIGITS = 9;
const NANO = 10n ** 9n;

const DECIMAL: readonly (readonly [suffix: string, power: number])[] = [
  ["E", 18],
  ["P", 15],
  ["T", 12],
  ["G", 9],
  ["M", 6],
  ["k", 3],
  ["", 0],
  ["m", -3],
  ["u", -6],
  ["n", -9],
];

const BINARY = ["Ki", "Mi", "Gi", "Ti", "Pi", "Ei"];

/** Undefined for what is no amount. */
export function parseQuantity(text: string): Quantity | undefined {
  const match = PATTERN.exec(text);
  const [, sign = "", whole = "", fraction = "", suffix = ""] = match ?? [];
  if (match === null || (whole === "" && fraction === "")) return undefined;
  const exponent = /^[eE]([+-]?\d+)$/.exec(suffix)?.[1];
  const binary = BINARY.indexOf(suffix);
  const power = exponent === undefined ? powerOf(suffix) : Number(exponent);
  // Beyond these, a text of a few bytes would stand for a number of gigabytes.
  if (Math.abs(power) > 64) return undefined;
  const digits = BigInt(`${whole}${fraction}` || "0") * (binary === -1 ? 1n : 1024n ** BigInt(binary + 1));
  const nano = scaleUp(digits, NANO_DIGITS + power - fraction.length);
  const style = exponent !== undefined ? "exponent" : binary === -1 ? "decimal" : "binary";
  return { nano: sign === "-" ? -nano : nano, style };
}

/** As the API writes it: no fraction, the largest suffix that leaves none. */
export function formatQuantity({ nano, style }: Quantity): string {
  if (nano === 0n) return "0";
  // Below 1024 a binary amount has nothing to be counted in.
  const small = nano < 1024n * NANO && nano > -1024n * NANO;
  if (style === "binary" && !small) return formatBinary((nano + NANO - 1n) / NANO);
  for (const [suffix, power] of DECIMAL) {
    const unit = 10n ** BigInt(NANO_DIGITS + power);
    if (nano % unit !== 0n) continue;
    return `${nano / unit}${style === "exponent" && power !== 0 ? `e${power}` : suffix}`;
  }
  return `${nano}n`;
}

/** The form that is given back, or the text itself where it's no amount. */
export function canonicalQuantity(text: string): string {
  const quantity = parseQuantity(text);
  return quantity === undefined ? text : formatQuantity(quantity);
}

function formatBinary(value: bigint): string {
  let rest = value;
  let suffix = "";
  for (const next of BINARY) {
    if (rest % 1024n !== 0n) break;
    rest /= 1024n;
    suffix = next;
  }
  return `${rest}${suffix}`;
}

function powerOf(suffix: string): number {
  return DECIMAL.find(([one]) => one === suffix)?.[1] ?? 0;
}

/** Times a power of ten; a negative one rounds away from zero, since less would not be enough. */
function scaleUp(value: bigint, power: number): bigint {
  if (power >= 0) return value * 10n ** BigInt(power);
  const divisor = 10n ** BigInt(-power);
  return (value + divisor - 1n) / divisor;
}
