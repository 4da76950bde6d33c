/**
 * The authority of a URL, RFC 3986 as Go's `net/url` reads it: the ground that the looser dialects of image names
 * stand on. No user part, an optional numeric port, a host of unreserved and sub-delimiter characters (and `"<>`,
 * which Go lets through) or an address in brackets.
 */
const HOST = /^[A-Za-z0-9\-_.~!$&'()*+,;=:[\]<>"\u0080-\u{10ffff}]*$/u;
const BRACKETED = /^\[[0-9A-Fa-f:.]+(?:%25[^\]]+)?\](?::[0-9]*)?$/;
const PORT = /^:[0-9]*$/;

/** Whether `text` is an authority that is its own host: nothing to decode, no user. The empty text is one. */
export function isAuthority(text: string): boolean {
  if (text.startsWith("[")) return BRACKETED.test(text) && !text.includes("%");
  if (!HOST.test(text)) return false;
  const colon = text.lastIndexOf(":");
  return colon < 0 || PORT.test(text.slice(colon));
}
