import { ClientError } from "./errors.ts";
import { sameOrigin } from "./dispatcher.ts";
import type { HttpResponse } from "./http.ts";
import { sanitizeUrl } from "./sanitize-url.ts";

/**
 * The address in `Link: <…>; rel="next"`. It must lead to the same server: it is followed with our credential.
 *
 * @throws ClientError `RESPONSE_INVALID`
 */
export function nextPage(response: Pick<HttpResponse, "headers" | "url">): URL | undefined {
  const link = response
    .headers("link")
    .map(findNext)
    .find((found) => found !== undefined);
  if (link === undefined) return undefined;
  const from = response.url;
  const next = URL.canParse(link, from.href) ? new URL(link, from) : undefined;
  if (next !== undefined && sameOrigin(next, from)) return next;
  throw new ClientError(
    "RESPONSE_INVALID",
    `Cannot read the next page after "${sanitizeUrl(from)}": its link leads to another server`,
  );
}

/** Reads a list of links: an address in angle brackets, parameters, a comma. */
function findNext(header: string): string | undefined {
  for (const match of header.matchAll(
    /<([^<>]*)>((?:\s*;\s*[\w!#$&+.^`|~*-]+\s*(?:=\s*(?:"(?:[^"\\]|\\.)*"|[^\s",;]*))?)*)/g,
  )) {
    const relation = /;\s*rel\s*=\s*(?:"([^"]*)"|([^\s",;]*))/i.exec(match[2] ?? "");
    const words = (relation?.[1] ?? relation?.[2] ?? "").toLowerCase().split(/\s+/);
    if (words.includes("next")) return match[1];
  }
  return undefined;
}
