/**
 * URLs as Go 1.26 parses them, as far as an `https` URL with a host goes.
 *
 * ```text
 * https://[user@]host[:port][/path][?query][#fragment]
 * ```
 */
import { isIPv4, isIPv6 } from "node:net";
import { GoError } from "./errors.ts";
import { goQuote } from "./quote.ts";
import { decodeBytes } from "./utf8.ts";

export interface GoUrl {
  /** With its port, in the case it was written in, percent escapes decoded. */
  readonly host: string;
  /** Percent escapes decoded. */
  readonly path: string;
}

/** Those of ASCII; the ones of Latin-1 are as good as any other character. */
const CONTROL = /[^\P{Cc}\u0080-\u009f]/u;
/** What a host may hold as it is, besides everything beyond ASCII. */
const HOST_CHARACTER = /[A-Za-z0-9\-_.~!$&'()*+,;=:[\]<>"\u0080-\uffff]/;
const USER_INFO = /^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/;

/**
 * Parses a URL that begins with `https://` or `http://`.
 *
 * @throws GoError `parse "<url>": <cause>`
 */
export function parseUrl(url: string): GoUrl {
  const [whole = "", ...fragments] = url.split("#");
  let parsed: GoUrl;
  try {
    parsed = parseWithoutFragment(whole);
  } catch (error) {
    throw wrap(whole, error);
  }
  try {
    unescape(fragments.join("#"), "path");
  } catch (error) {
    throw wrap(url, error);
  }
  return parsed;
}

/** Host and port, as Go's net package splits them; a host that can't be split is all host. */
export function splitHostPort(hostport: string): { readonly host: string; readonly port: string } {
  const unsplit = { host: hostport, port: "" };
  const colon = hostport.lastIndexOf(":");
  if (colon === -1) return unsplit;
  let host = hostport.slice(0, colon);
  if (hostport.startsWith("[")) {
    const end = hostport.indexOf("]");
    if (end === -1 || end + 1 !== colon) return unsplit;
    host = hostport.slice(1, end);
    if (host.includes("[") || hostport.includes("]", end + 1)) return unsplit;
  } else if (host.includes(":") || /[[\]]/.test(hostport)) return unsplit;
  return { host, port: hostport.slice(colon + 1) };
}

function parseWithoutFragment(url: string): GoUrl {
  if (CONTROL.test(url)) throw new GoError("net/url: invalid control character in URL");
  const beforeQuery = url.split("?")[0] ?? "";
  const rest = beforeQuery.replace(/^https?:\/\//, "");
  const slash = rest.indexOf("/");
  const authority = slash === -1 ? rest : rest.slice(0, slash);
  const host = parseAuthority(authority);
  return { host, path: slash === -1 ? "" : unescape(rest.slice(slash), "path") };
}

function parseAuthority(authority: string): string {
  const at = authority.lastIndexOf("@");
  const host = parseHost(authority.slice(at + 1));
  if (at === -1) return host;
  const user = authority.slice(0, at);
  if (!USER_INFO.test(user)) throw new GoError("net/url: invalid userinfo");
  for (const part of splitOnce(user, ":")) unescape(part, "path");
  return host;
}

function parseHost(host: string): string {
  const open = host.lastIndexOf("[");
  if (open > 0) throw new GoError("invalid IP-literal");
  if (open === 0) return parseLiteral(host);
  const colon = host.indexOf(":");
  if (colon !== -1) checkPort(host.slice(colon));
  return unescape(host, "host");
}

/** `[fe80::1%25eth0]:443` */
function parseLiteral(host: string): string {
  const close = host.lastIndexOf("]");
  if (close === -1) throw new GoError("missing ']' in host");
  const port = host.slice(close + 1);
  checkPort(port);
  const inside = host.slice(1, close);
  const zone = inside.indexOf("%25");
  const address =
    zone === -1
      ? unescape(inside, "host")
      : unescape(inside.slice(0, zone), "host") + unescape(inside.slice(zone), "zone");
  if (isIPv4(address)) throw new GoError("invalid IP-literal");
  if (!isIPv6(address)) throw new GoError(`invalid host: ParseAddr(${goQuote(address)}): unable to parse IP`);
  return `[${address}]${port}`;
}

function checkPort(text: string): void {
  if (!/^(?::\d*)?$/.test(text)) throw new GoError(`invalid port ${goQuote(text)} after host`);
}

/** Decodes percent escapes; a host may hold none for ASCII but `%25`, and not every character either. */
function unescape(text: string, mode: "path" | "host" | "zone"): string {
  let plain = mode === "path" && !text.includes("%");
  if (plain) return text;
  plain = true;
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string;
    if (character === "%") {
      const escape = text.slice(at, at + 3);
      if (!/^%[0-9a-f]{2}$/i.test(escape)) throw invalidEscape(Buffer.from(text.slice(at, at + 3)));
      const code = Number.parseInt(escape.slice(1), 16);
      const forbidden =
        mode === "host"
          ? code < 0x80 && escape !== "%25"
          : mode === "zone" && escape !== "%25" && code !== 0x20 && !isHostByte(code);
      if (forbidden) throw invalidEscape(Buffer.from(escape));
      plain = false;
      at += 2;
    } else if (mode !== "path" && !HOST_CHARACTER.test(character)) {
      throw new GoError(`invalid character ${goQuote(character)} in host name`);
    }
  }
  return plain ? text : decodeEscapes(text);
}

function decodeEscapes(text: string): string {
  const source = Buffer.from(text, "utf8");
  const result = Buffer.alloc(source.length);
  let length = 0;
  for (let at = 0; at < source.length; at++) {
    const byte = source[at] as number;
    if (byte === 0x25) {
      result[length++] = Number.parseInt(source.toString("latin1", at + 1, at + 3), 16);
      at += 2;
    } else result[length++] = byte;
  }
  return decodeBytes(result.subarray(0, length));
}

function isHostByte(code: number): boolean {
  return code < 0x80 && HOST_CHARACTER.test(String.fromCharCode(code));
}

function invalidEscape(escape: Buffer): GoError {
  return new GoError(`invalid URL escape ${goQuote(decodeBytes(escape.subarray(0, 3)))}`);
}

function wrap(url: string, error: unknown): GoError {
  if (!(error instanceof GoError)) throw error;
  return new GoError(`parse ${goQuote(url)}: ${error.message}`);
}

function splitOnce(text: string, separator: string): readonly string[] {
  const at = text.indexOf(separator);
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)];
}
