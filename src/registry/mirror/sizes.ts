import type { ConfigReader, Path } from "../access/config-reader.ts";

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  kB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
  TiB: 2 ** 40,
};

/** Bytes from `50GiB`, `500MB` or a plain number. */
export function readSize(reader: ConfigReader, value: unknown, path: Path): number | undefined {
  if (value === undefined) return undefined;
  if (typeof value === "number") return reader.count(value, path, 1);
  const text = typeof value === "string" ? value : "";
  const [, amount = "", unit = ""] = /^([0-9]{1,12})(|[kMGT]B|[KMGT]iB)$/.exec(text) ?? [];
  const bytes = Number(amount) * (UNITS[unit] ?? Number.NaN);
  if (amount !== "" && bytes >= 1 && Number.isSafeInteger(bytes)) return bytes;
  return reader.fault(path, "is not a size; write 50GiB, 500MB or a number of bytes");
}
