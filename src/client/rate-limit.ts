/** Pull limits as Docker Hub reports them: `ratelimit-limit: 100;w=21600`, `ratelimit-remaining: 0;w=21600`. */
import type { HttpResponse } from "./http.ts";

export interface RateLimit {
  readonly limit: number | undefined;
  readonly remaining: number | undefined;
  /** Seconds the numbers are counted over. */
  readonly window: number | undefined;
  /** Whom the registry counts: an address or an account id. */
  readonly source: string | undefined;
}

export function parseRateLimit(response: Pick<HttpResponse, "header">): RateLimit | undefined {
  const limit = quota(response.header("ratelimit-limit"));
  const remaining = quota(response.header("ratelimit-remaining"));
  if (limit === undefined && remaining === undefined) return undefined;
  return {
    limit: limit?.count,
    remaining: remaining?.count,
    window: limit?.window ?? remaining?.window,
    source: response.header("docker-ratelimit-source"),
  };
}

/** `0 of 100 pulls left in 6 h, counted for 192.0.2.1`, for an error's text. */
export function formatRateLimit({ limit, remaining, window, source }: RateLimit): string {
  const count =
    remaining === undefined
      ? `limit of ${limit} pulls`
      : limit === undefined
        ? `${remaining} pulls left`
        : `${remaining} of ${limit} pulls left`;
  const span = window === undefined ? "" : ` in ${formatWindow(window)}`;
  return `${count}${span}${source === undefined ? "" : `, counted for ${source}`}`;
}

function quota(
  value: string | undefined,
): { readonly count: number; readonly window: number | undefined } | undefined {
  const [count = "", ...attributes] = (value ?? "").slice(0, 256).split(";");
  if (!/^\d{1,15}$/.test(count.trim())) return undefined;
  const window = attributes
    .map((attribute) => /^w=(\d{1,15})$/.exec(attribute.replaceAll(/\s/g, ""))?.[1])
    .find((seconds) => seconds !== undefined);
  return { count: Number(count), window: window === undefined ? undefined : Number(window) };
}

function formatWindow(seconds: number): string {
  if (seconds > 0 && seconds % 3600 === 0) return `${seconds / 3600} h`;
  if (seconds > 0 && seconds % 60 === 0) return `${seconds / 60} min`;
  return `${seconds} s`;
}
