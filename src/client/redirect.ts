import { matchLocalhost } from "./default-host.ts";
import { ClientError } from "./errors.ts";
import type { HttpResponse } from "./http.ts";
import { isInternalAddress } from "./realm.ts";
import { sanitizeUrl } from "./sanitize-url.ts";

export const MAX_REDIRECTS = 10;

/** Whether this answer sends the request elsewhere. Bodies are only sent again where the server insists on the method. */
export function isRedirect(method: string, status: number): boolean {
  if (status === 307 || status === 308) return true;
  return (status === 301 || status === 302 || status === 303) && (method === "GET" || method === "HEAD");
}

export interface RedirectContext {
  /** The present request carried a credential. */
  readonly authorized: boolean;
  /** The registry that was asked in the beginning. */
  readonly origin: URL;
  /** The address that answered, when known. */
  readonly peer: string | undefined;
}

/**
 * Where to go next.
 *
 * @throws ClientError `REDIRECT_REFUSED`
 */
export function redirectTarget(response: HttpResponse, context: RedirectContext): URL {
  const from = response.url;
  const location = response.header("location") ?? "";
  if (location === "" || !URL.canParse(location, from.href)) {
    throw refused(from, `answered ${response.status} without a usable location`);
  }
  const to = new URL(location, from);
  if (to.protocol !== "https:" && to.protocol !== "http:") {
    throw refused(from, `redirected to ${quote(to.protocol)}, which is not followed`);
  }
  if (
    context.authorized &&
    from.protocol === "https:" &&
    to.protocol === "http:" &&
    from.hostname === to.hostname
  ) {
    throw refused(from, "redirected from https to http, where the credential would be readable");
  }
  if (to.username !== "" || to.password !== "") {
    throw refused(from, "redirected to an address with a user in it");
  }
  guardInternal(to, context);
  return to;
}

/**
 * A public server must not make us knock at doors inside our own network. A registry that is itself in there may
 * point to its neighbours.
 *
 * @throws ClientError `REDIRECT_REFUSED`
 */
export function guardInternal(to: URL, context: Pick<RedirectContext, "origin" | "peer">): void {
  const { origin, peer } = context;
  if (!isInternalAddress(to.hostname) || to.host === origin.host) return;
  const insider = matchLocalhost(origin.host) || isInternalAddress(origin.hostname);
  if (insider || (peer !== undefined && isInternalAddress(peer))) return;
  throw refused(origin, `a public registry pointed to the internal address ${quote(to.host)}`);
}

export function tooManyRedirects(from: URL): ClientError {
  return refused(from, `redirected more than ${MAX_REDIRECTS} times`);
}

function refused(from: URL, why: string): ClientError {
  return new ClientError("REDIRECT_REFUSED", `Cannot follow "${sanitizeUrl(from)}": ${why}`);
}

function quote(text: string): string {
  return JSON.stringify(text);
}
