/** `25%` of a total or a plain number, as rolling updates have them. Anything else counts as none. */
export function resolveCount(value: unknown, total: number, round: "up" | "down"): number {
  if (typeof value === "number") return value;
  const percent = /^(\d+)%$/v.exec(typeof value === "string" ? value : "")?.[1];
  if (percent === undefined) return 0;
  const exact = (Number(percent) * total) / 100;
  return round === "up" ? Math.ceil(exact) : Math.floor(exact);
}
