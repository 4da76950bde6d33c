/**
 * Which token services may be sent a credential.
 *
 * The realm comes from whoever answered the request, so it may point a client into a private network, or make it
 * spell a password over plain HTTP. The registry's own host and port are always trusted; beyond that only https
 * (http only for a registry that is itself spoken to over http), and never an address that only means something
 * inside our network.
 */
import { isIP } from "node:net";

export interface RealmContext {
  /** The registry as contacted: host with optional port. */
  readonly registry: string;
  /** The registry itself is being accessed over plain HTTP. */
  readonly plainHttp: boolean;
}

/** The realm as a URL; undefined unless it's an absolute http(s) URL. */
export function parseRealm(realm: string): URL | undefined {
  // A URL parser alone would repair "https:///x" or take a backslash for a slash; a realm needs no repairing.
  if (!/^https?:\/\/[^/?#\\\s]+(?:[/?#][^\\\s]*)?$/i.test(realm)) return undefined;
  return URL.canParse(realm) ? new URL(realm) : undefined;
}

export function realmAllowed(realm: URL | string, context: RealmContext): boolean {
  const url = typeof realm === "string" ? parseRealm(realm) : realm;
  if (url === undefined || url.hostname === "") return false;
  if (url.protocol !== "https:" && !(url.protocol === "http:" && context.plainHttp)) return false;
  if (sameHost(url, context)) return true;
  return !isInternalAddress(url.hostname);
}

function sameHost(url: URL, { registry, plainHttp }: RealmContext): boolean {
  const own = `${plainHttp ? "http" : "https"}://${registry}`;
  if (!URL.canParse(own)) return false;
  return withPort(new URL(own)) === withPort(url);
}

function withPort({ hostname, port, protocol }: URL): string {
  return `${hostname}:${port === "" ? (protocol === "https:" ? "443" : "80") : port}`;
}

/** A literal address that is loopback, private, link-local or unspecified. `URL` has already undone odd spellings (`0x7f.1`). */
export function isInternalAddress(hostname: string): boolean {
  const bare = hostname.startsWith("[") ? hostname.slice(1, -1) : hostname;
  const version = isIP(bare);
  if (version === 4) return isInternalV4(bare.split(".").map(Number));
  if (version !== 6) return false;
  const groups = expandV6(bare);
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  const [high = 0, low = 0] = groups.slice(6);
  if (mapped) return isInternalV4([high >> 8, high & 255, low >> 8, low & 255]);
  const first = groups[0] ?? 0;
  return (
    (groups.slice(0, 7).every((group) => group === 0) && (low === 0 || low === 1)) ||
    (first & 0xfe00) === 0xfc00 ||
    (first & 0xffc0) === 0xfe80 ||
    (first & 0xff0f) === 0xff02
  );
}

function isInternalV4([a = 0, b = 0, c = 0, d = 0]: readonly number[]): boolean {
  return (
    a === 127 ||
    a === 10 ||
    (a === 172 && b >= 16 && b <= 31) ||
    (a === 192 && b === 168) ||
    (a === 169 && b === 254) ||
    (a === 224 && b === 0 && c === 0) ||
    (a === 0 && b === 0 && c === 0 && d === 0)
  );
}

/** Eight groups of an address `URL` has normalised (so without a dotted tail). */
function expandV6(address: string): number[] {
  const [head = "", tail] = address.split("::");
  const parse = (text: string): number[] =>
    text === "" ? [] : text.split(":").map((group) => Number.parseInt(group, 16));
  const before = parse(head);
  if (tail === undefined) return before;
  const after = parse(tail);
  return [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
}
