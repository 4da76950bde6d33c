/** Where a request came from, and what it called us, through any proxies that are to be believed. */
import { BlockList, isIP } from "node:net";

import type { RegistryRequest } from "../request.ts";

/** `10.0.0.0/8`, `::1`; or what is wrong with it. */
export function parseNetworks(
  texts: readonly string[],
): BlockList | { readonly fault: string; readonly at: number } {
  const list = new BlockList();
  for (const [at, text] of texts.entries()) {
    const [address = "", bits, ...rest] = text.split("/");
    const version = isIP(address);
    const most = version === 4 ? 32 : 128;
    const length = bits === undefined ? most : /^[0-9]{1,3}$/.test(bits) ? Number(bits) : -1;
    if (version === 0 || rest.length > 0 || length < 0 || length > most) {
      return { fault: "is no address or network; write 10.0.0.0/8 or ::1", at };
    }
    list.addSubnet(address, length, familyOf(version));
  }
  return list;
}

/**
 * Whose guesses are counted together: an IPv4 address, or an IPv6 network of 64 bits, since one machine has as many
 * addresses of it as it likes. Behind a trusted proxy it is the last address that no trusted proxy vouched for.
 */
export function addressOf(request: RegistryRequest, trusted: BlockList): string {
  return group(clientOf(request, trusted));
}

/** The same for logs: the whole address, `undefined` where there is none. */
export function clientOf(request: RegistryRequest, trusted: BlockList): string | undefined {
  let address = normalize(request.address ?? "");
  if (address === undefined || !isTrusted(address, trusted)) return address;
  const hops = (request.header("x-forwarded-for") ?? "").split(",").toReversed();
  for (const hop of hops) {
    const next = normalize(hop.trim());
    if (next === undefined) break;
    address = next;
    if (!isTrusted(next, trusted)) break;
  }
  return address;
}

/** Scheme and host as the client wrote them. It is told to nobody but this client, so its word is good enough. */
export function originOf(request: RegistryRequest, fallbackHost: string): string {
  const forwarded = parseForwarded(request.header("forwarded"));
  const proto = forwarded.get("proto") ?? firstOf(request.header("x-forwarded-proto"));
  const host = forwarded.get("host") ?? firstOf(request.header("x-forwarded-host")) ?? request.header("host");
  const scheme = proto === "https" || proto === "http" ? proto : request.secure === true ? "https" : "http";
  return `${scheme}://${host !== undefined && isHost(host) ? host : fallbackHost}`;
}

/** The pairs of the first element: what the proxy nearest to the client saw. */
function parseForwarded(header: string | undefined): ReadonlyMap<string, string> {
  const first = firstOf(header) ?? "";
  const pairs = first.split(";").flatMap((pair): [string, string][] => {
    const [, key = "", value = ""] =
      /^\s*([A-Za-z]+)=(?:"([^"]*)"|([^"]*?))\s*$/.exec(pair)?.map((x) => x ?? "") ?? [];
    const plain = /^\s*[A-Za-z]+=([^"\s]+)\s*$/.exec(pair)?.[1];
    return key === "" ? [] : [[key.toLowerCase(), plain ?? value]];
  });
  return new Map(pairs);
}

function firstOf(header: string | undefined): string | undefined {
  const first = header?.split(",")[0]?.trim();
  return first === "" ? undefined : first;
}

function isHost(text: string): boolean {
  return /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?$/.test(text);
}

function normalize(text: string): string | undefined {
  const bare = text.replace(/^\[(.*)\](?::[0-9]+)?$/, "$1").replace(/^((?:[0-9]+\.){3}[0-9]+):[0-9]+$/, "$1");
  const mapped = bare.replace(/^::ffff:(?=[0-9]+\.)/i, "").replace(/%.*$/, "");
  return isIP(mapped) === 0 ? undefined : mapped;
}

function isTrusted(address: string, trusted: BlockList): boolean {
  return trusted.check(address, familyOf(isIP(address)));
}

function group(address: string | undefined): string {
  if (address === undefined) return "unknown";
  return isIP(address) === 6 ? `${expand(address).slice(0, 4).join(":")}::/64` : address;
}

/** The eight groups of an IPv6 address. */
function expand(address: string): string[] {
  const [head = "", tail] = address.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros = tail === undefined ? 0 : Math.max(0, 8 - left.length - right.length);
  return [...left, ...Array<string>(zeros).fill("0"), ...right].map((part) =>
    part.toLowerCase().replace(/^0+(?=.)/, ""),
  );
}

function familyOf(version: number): "ipv4" | "ipv6" {
  return version === 4 ? "ipv4" : "ipv6";
}
