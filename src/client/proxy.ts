/**
 * Which proxy a URL is reached through, by the environment's usual variables.
 *
 * ```text
 * HTTPS_PROXY, https_proxy    for https URLs
 * HTTP_PROXY, http_proxy      for http URLs
 * NO_PROXY, no_proxy          a comma list of hosts reached directly:
 *   example.com               the domain and its sub-domains
 *   .example.com, *.example.com   its sub-domains only
 *   10.0.0.1, fd00::1         an address
 *   10.0.0.0/8                a range of addresses
 *   example.com:8443          any of the names and addresses, at one port
 *   *                         everything
 * ```
 *
 * `localhost` and loopback addresses are never proxied. A proxy written without scheme is an `http` one.
 */
import { BlockList, isIP } from "node:net";
import { ClientError } from "./errors.ts";

export type ProxyEnvironment = Readonly<Record<string, string | undefined>>;

/** @throws ClientError `PROXY_FAILED` when the variable holds no URL of a proxy */
export function selectProxy(url: URL, env: ProxyEnvironment): URL | undefined {
  const setting = proxyFor(url.protocol, env);
  if (setting === undefined) return undefined;
  const target: Target = {
    host: bare(url.hostname.toLowerCase()).replace(/\.$/, ""),
    port: url.port === "" ? (url.protocol === "https:" ? "443" : "80") : url.port,
  };
  if (isLocal(target.host)) return undefined;
  const rules = (either(env, "NO_PROXY") ?? "").split(",");
  if (rules.some((rule) => matches(rule.trim().toLowerCase(), target))) return undefined;
  return parseProxy(setting);
}

interface Target {
  readonly host: string;
  readonly port: string;
}

function proxyFor(protocol: string, env: ProxyEnvironment): string | undefined {
  if (protocol === "https:") return either(env, "HTTPS_PROXY");
  if (protocol !== "http:") return undefined;
  // A web server hands its scripts the request's headers as HTTP_*: there `Proxy:` becomes HTTP_PROXY, chosen by anyone.
  return env["REQUEST_METHOD"] ? env["http_proxy"] || undefined : either(env, "HTTP_PROXY");
}

function either(env: ProxyEnvironment, name: string): string | undefined {
  return env[name] || env[name.toLowerCase()] || undefined;
}

function matches(rule: string, target: Target): boolean {
  if (rule === "") return false;
  if (rule === "*") return true;
  const range = /^([^/]+)\/(\d{1,3})$/.exec(rule);
  if (range !== null) return inRange(target.host, range[1] ?? "", Number(range[2]));
  const { host, port } = splitRule(rule);
  if (host === "" || (port !== "" && port !== target.port)) return false;
  if (isIP(host) !== 0) return sameAddress(host, target.host);
  const domain = host.startsWith("*.") ? host.slice(1) : host;
  return domain.startsWith(".")
    ? target.host.endsWith(domain)
    : target.host === domain || target.host.endsWith(`.${domain}`);
}

function splitRule(rule: string): { readonly host: string; readonly port: string } {
  if (isIP(rule) !== 0) return { host: rule, port: "" };
  const [, host = "", port = ""] = /^(\[[^\]]*\]|[^:]*)(?::(\d*))?$/.exec(rule) ?? [];
  return { host: bare(host), port };
}

function inRange(host: string, network: string, prefix: number): boolean {
  const family = isIP(network);
  if (family === 0 || isIP(host) !== family || prefix > (family === 4 ? 32 : 128)) return false;
  const type = family === 4 ? "ipv4" : "ipv6";
  const list = new BlockList();
  list.addSubnet(network, prefix, type);
  return list.check(host, type);
}

function sameAddress(a: string, b: string): boolean {
  return inRange(b, a, isIP(a) === 4 ? 32 : 128);
}

function isLocal(host: string): boolean {
  return host === "localhost" || inRange(host, "127.0.0.0", 8) || inRange(host, "::1", 128);
}

function bare(host: string): string {
  return host.startsWith("[") ? host.slice(1, -1) : host;
}

function parseProxy(setting: string): URL {
  const text = /^[a-z][a-z0-9+.-]*:\/\//i.test(setting) ? setting : `http://${setting}`;
  // The value may hold a password, so it isn't quoted.
  if (!URL.canParse(text))
    throw new ClientError("PROXY_FAILED", "Cannot use the proxy from the environment: not a URL");
  const url = new URL(text);
  if (!["http:", "https:"].includes(url.protocol) || url.hostname === "") {
    throw new ClientError(
      "PROXY_FAILED",
      `Cannot use the proxy from the environment: "${url.protocol}//" is neither http:// nor https://`,
    );
  }
  return url;
}
