/** Numbers for people. Sizes are decimal, as docker's are: 1 kB is 1000 bytes. */

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"] as const;

/** `999 B`, `1.5 kB`, `12.3 MB`, `168 MB`. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.5 would round to a fourth digit: the next unit says it better.
  while (value >= 999.5 && unit < UNITS.length - 1) {
    value /= 1000;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1;
  return `${value.toFixed(digits)} ${UNITS[unit] ?? ""}`;
}

/** `12.3 MB/s`. */
export function formatRate(bytesPerSecond: number): string {
  return `${formatBytes(bytesPerSecond)}/s`;
}

/** `350ms`, `4.2s`, `1m05s`, `2h03m`. */
export function formatDuration(milliseconds: number): string {
  if (milliseconds < 999.5) return `${Math.round(milliseconds)}ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 59.95) return `${seconds.toFixed(1)}s`;
  const whole = Math.round(seconds);
  if (whole < 3600) return `${Math.floor(whole / 60)}m${pad(whole % 60)}s`;
  const minutes = Math.round(seconds / 60);
  return `${Math.floor(minutes / 60)}h${pad(minutes % 60)}m`;
}

/** `just now`, `3 minutes ago`, `2 weeks ago`. */
export function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, milliseconds) / 1000;
  if (seconds < 10) return "just now";
  for (const [length, name, limit] of AGES) {
    if (seconds < limit) return plural(Math.max(1, Math.floor(seconds / length)), name);
  }
  return plural(Math.floor(seconds / YEAR), "year");
}

const DAY = 86_400;
const YEAR = 365 * DAY;
const AGES: readonly (readonly [number, string, number])[] = [
  [1, "second", 60],
  [60, "minute", 3600],
  [3600, "hour", 2 * DAY],
  [DAY, "day", 14 * DAY],
  [7 * DAY, "week", 60 * DAY],
  [30 * DAY, "month", 2 * YEAR],
];

function plural(count: number, name: string): string {
  return `${count} ${name}${count === 1 ? "" : "s"} ago`;
}

function pad(value: number): string {
  return String(value).padStart(2, "0");
}
