import { ClientError } from "./errors.ts";
import type { RegistryHost } from "./host.ts";
import type { HttpResponse, HttpSend, TlsSettings } from "./http.ts";
import { realmAllowed } from "./realm.ts";
import { sanitizeUrl } from "./sanitize-url.ts";

/** One exchange at a token service, before redirects. */
export interface TokenHttpRequest {
  readonly method: "GET" | "POST";
  readonly url: URL;
  readonly authorization?: string;
  /** A form; it holds a secret. */
  readonly body?: Uint8Array;
}

export interface TokenSendContext {
  readonly send: HttpSend;
  readonly userAgent: string;
  readonly host: RegistryHost;
  readonly plainHttp: boolean;
  readonly signal: AbortSignal;
}

const MAX_REDIRECTS = 10;

/**
 * Sends a token request and follows redirects as far as they're safe: each address passes the realm's rules, another
 * host is shown no credential, no extra header and no client certificate, and a form with a secret goes to no
 * other host. A redirect that would turn a POST into a GET is returned as it is.
 */
export async function sendTokenRequest(
  request: TokenHttpRequest,
  context: TokenSendContext,
): Promise<HttpResponse> {
  const { host, plainHttp, signal } = context;
  let { url } = request;
  let own = true;
  for (let redirects = 0; ; redirects++) {
    if (!realmAllowed(url, { registry: host.host, plainHttp })) throw refused(url, host);
    const response = await context.send({
      method: request.method,
      url,
      headers: headersFor(request, { ...context, own }),
      tls: own ? host.tls : publicTls(host.tls),
      signal,
      ...(request.body !== undefined && { body: request.body }),
      ...(host.dialTimeout !== undefined && { dialTimeout: host.dialTimeout }),
    });
    const next = redirectTarget(response, request.method);
    if (next === undefined) return response;
    await response.discard();
    if (redirects === MAX_REDIRECTS) {
      throw new ClientError(
        "REDIRECT_REFUSED",
        `Cannot get a token from "${sanitizeUrl(request.url)}": more than ${MAX_REDIRECTS} redirects`,
      );
    }
    const secret = request.body !== undefined || request.authorization !== undefined;
    own &&= sameHost(url, next);
    const downgrade = url.protocol === "https:" && next.protocol === "http:";
    if ((request.body !== undefined && !own) || (downgrade && secret && own)) throw refused(next, host);
    url = next;
  }
}

function headersFor(
  request: TokenHttpRequest,
  { host, userAgent, own }: TokenSendContext & { readonly own: boolean },
): Readonly<Record<string, string>> {
  const extra = Object.entries(own ? host.headers : {}).map(([name, values]) => [name, values.join(", ")]);
  return {
    "user-agent": userAgent,
    accept: "application/json",
    ...Object.fromEntries(extra),
    ...(request.body !== undefined && {
      "content-type": "application/x-www-form-urlencoded; charset=utf-8",
    }),
    ...(own && request.authorization !== undefined && { authorization: request.authorization }),
  };
}

/** Undefined for an answer that isn't a redirect to follow. */
function redirectTarget(response: HttpResponse, method: "GET" | "POST"): URL | undefined {
  const follow = method === "GET" ? [301, 302, 303, 307, 308] : [307, 308];
  const location = response.header("location");
  if (!follow.includes(response.status) || location === undefined) return undefined;
  return URL.canParse(location, response.url.href) ? new URL(location, response.url) : undefined;
}

/** The same name and port, or the https door of the same name. */
function sameHost(from: URL, to: URL): boolean {
  if (from.host === to.host) return true;
  return from.hostname === to.hostname && from.port === "" && to.port === "" && to.protocol === "https:";
}

/** What of a host's TLS settings may serve another host: more authorities, but no trust without any, and no identity. */
function publicTls(tls: TlsSettings): TlsSettings {
  return tls.ca === undefined ? {} : { ca: tls.ca };
}

function refused(url: URL, host: RegistryHost): ClientError {
  return new ClientError(
    "REALM_REFUSED",
    `Cannot get a token for "${host.host}": its token service "${sanitizeUrl(url)}" is not a safe place to send credentials to`,
  );
}
