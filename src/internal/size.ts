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

/** Bytes from `50GiB`, `1.5TB`, `500MB` or `4096`, one at least; `undefined` for what is no size. */
export function parseSize(text: string): number | undefined {
  const [, amount = "", unit = ""] = /^([0-9]{1,12}(?:\.[0-9]{1,3})?)(|[kMGT]B|[KMGT]iB)$/.exec(text) ?? [];
  const bytes = Math.round(Number(amount) * (UNITS[unit] ?? Number.NaN));
  return amount !== "" && bytes >= 1 && Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** What the suffixes of Kubernetes' quantities stand for, as far as bytes have them. */
export const QUANTITY_FACTORS: Readonly<Record<string, number>> = {
  "": 1,
  k: 1e3,
  M: 1e6,
  G: 1e9,
  T: 1e12,
  Ki: 1024,
  Mi: 1024 ** 2,
  Gi: 1024 ** 3,
  Ti: 1024 ** 4,
};
