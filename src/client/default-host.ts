/**
 * How a registry is reached when nothing is configured for it.
 *
 * | host | contacted |
 * | --- | --- |
 * | `docker.io` | `https://registry-1.docker.io` |
 * | `localhost`, `127.0.0.0/8`, `[::1]`; no port or 443 | https, any certificate |
 * | the same with port 80 | http |
 * | the same with another port | https with any certificate, then http |
 * | anything else | https |
 *
 * A caller's default scheme takes the place of the last column's scheme; `http` becomes "https, then http" where TLS
 * settings were given and the port isn't 80. A CA given for every host is checked against on this machine, too.
 */
import { isIP } from "node:net";

export type Scheme = "http" | "https";

export interface DefaultHost {
  readonly scheme: Scheme;
  readonly host: string;
  readonly httpFallback: boolean;
  /** Certificates of this host are not checked: it's this machine. */
  readonly skipVerify: boolean;
}

export interface DefaultHostOptions {
  readonly defaultScheme?: Scheme | undefined;
  /** TLS settings were given for every host. */
  readonly tlsConfigured?: boolean | undefined;
}

export function defaultHost(domain: string, options: DefaultHostOptions = {}): DefaultHost {
  const { scheme, host, skipVerify } = withoutTls(domain, options.defaultScheme);
  const explicitTls = skipVerify || options.tlsConfigured === true;
  return { ...chooseScheme({ scheme, host, explicitTls }), host, skipVerify };
}

/** With TLS settings, an `http` endpoint is asked over https first, unless its port can't mean anything but http. */
export function chooseScheme(endpoint: {
  readonly scheme: Scheme;
  readonly host: string;
  readonly explicitTls: boolean;
}): { readonly scheme: Scheme; readonly httpFallback: boolean } {
  const ambiguous =
    endpoint.scheme === "http" && endpoint.explicitTls && splitPort(endpoint.host)?.port !== "80";
  return ambiguous
    ? { scheme: "https", httpFallback: true }
    : { scheme: endpoint.scheme, httpFallback: false };
}

/** This machine: `localhost`, `127.0.0.0/8` or `::1`, with or without a port. */
export function matchLocalhost(host: string): boolean {
  if (host === "::1" || host === "[::1]") return true;
  const split = splitPort(host);
  if (split === undefined || split.port === "") return false;
  if (split.host === "localhost") return true;
  return isLoopback(split.host);
}

/** The scheme of a mirror endpoint written without one. */
export function criDefaultScheme(host: string): Scheme {
  return matchLocalhost(host) ? "http" : "https";
}

function withoutTls(
  domain: string,
  defaultScheme: Scheme | undefined,
): { readonly scheme: Scheme; readonly host: string; readonly skipVerify: boolean } {
  if (domain === "docker.io") {
    return { scheme: "https", host: "registry-1.docker.io", skipVerify: false };
  }
  if (defaultScheme !== undefined || !matchLocalhost(domain)) {
    return { scheme: defaultScheme ?? "https", host: domain, skipVerify: false };
  }
  const port = splitPort(domain)?.port;
  const scheme = port === undefined || port === "443" ? "https" : "http";
  return { scheme, host: domain, skipVerify: port !== "80" };
}

/** Host and port; undefined when the colons make no sense. Brackets stay only where there's no port, and then it's no address. */
function splitPort(text: string): { readonly host: string; readonly port: string | undefined } | undefined {
  const bracketed = /^\[([^\][]*)\]:([^:[\]]*)$/.exec(text);
  if (bracketed !== null) return { host: bracketed[1] ?? "", port: bracketed[2] };
  const [host = "", port, ...more] = text.split(":");
  if (text.startsWith("[")) return { host: text, port: undefined };
  return more.length > 0 ? undefined : { host, port };
}

function isLoopback(address: string): boolean {
  if (isIP(address) === 4) return address.startsWith("127.");
  if (isIP(address) !== 6 || address.includes("%")) return false;
  const normal = new URL(`http://[${address}]`).hostname;
  return normal === "[::1]" || /^\[::ffff:7f[0-9a-f]{2}:[0-9a-f]{1,4}\]$/.test(normal);
}
