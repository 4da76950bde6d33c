const UNITS = ["KiB", "MiB", "GiB", "TiB"] as const;

/** `1023 B`, `1.5 GiB`: whole bytes, or one digit behind the point; ties go to the even digit. */
export function formatSize(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  let unit = 1024n;
  let index = 0;
  while (index < UNITS.length - 1 && BigInt(bytes) >= unit * 1024n) {
    unit *= 1024n;
    index++;
  }
  const scaled = BigInt(bytes) * 10n;
  let tenths = scaled / unit;
  const twice = 2n * (scaled % unit);
  if (twice > unit || (twice === unit && tenths % 2n === 1n)) tenths++;
  return `${tenths / 10n}.${tenths % 10n} ${UNITS[index]}`;
}
