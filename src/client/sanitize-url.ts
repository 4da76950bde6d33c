const SHAPE = /^([a-z][a-z0-9+.-]*:\/\/)([^/?#]*)([^?#]*)(?:\?([^#]*))?(#.*)?$/is;

/**
 * A URL as it may be shown: the password and every query value are hidden, except `ns`, which names the image's
 * host. Signed storage links carry their authority in the query, so none of it is printed. What isn't a URL comes
 * back unchanged.
 */
export function sanitizeUrl(url: URL | string): string {
  const text = String(url);
  const [, scheme, authority = "", path = "", query, fragment = ""] = SHAPE.exec(text) ?? [];
  if (scheme === undefined) return text;
  return scheme + hidePassword(authority) + path + hideQuery(query) + fragment;
}

function hidePassword(authority: string): string {
  const at = authority.lastIndexOf("@");
  const colon = authority.indexOf(":");
  return at === -1 || colon === -1 || colon > at
    ? authority
    : `${authority.slice(0, colon)}:xxxxx${authority.slice(at)}`;
}

function hideQuery(query: string | undefined): string {
  if (query === undefined) return "";
  if (query === "") return "?";
  const pairs = [...new URLSearchParams(query)]
    .toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0))
    .map(([name, value]): [string, string] => [name, value === "" || name === "ns" ? value : "REDACTED"]);
  return `?${new URLSearchParams(pairs).toString()}`;
}
