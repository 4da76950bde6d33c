import type { TomlTable } from "smol-toml";

export type ParseToml = (text: string) => TomlTable;

/**
 * The hosts of a `hosts.toml`, in the order of their table headers. Parsed TOML forgets where a table stood, so the
 * text is walked once for lines that open a table; strings and arrays that span lines are stepped over. Headers
 * of the same host in a row (`[host."x"]`, `[host."x".header]`) count once; a host that comes back later is listed
 * again. Dotted keys and inline tables name no host.
 */
export function orderOfHostTables(text: string, parse: ParseToml): readonly string[] {
  const order: string[] = [];
  for (const header of tableHeaders(text)) {
    const host = hostOf(header, parse);
    if (host !== undefined && host !== order.at(-1)) order.push(host);
  }
  return order;
}

/** The text of each `[…]` header; `[[…]]` opens no table of its own name. */
function* tableHeaders(text: string): Generator<string> {
  let at = 0;
  while (at < text.length) {
    at = skip(text, at, /[ \t\r\n]*/y);
    const char = text[at];
    const end = endOfExpression(text, at);
    if (char === "[" && text[at + 1] !== "[") yield text.slice(at, end);
    at = end;
  }
}

/** The end of the line, or of what a string or bracket opened on it carries on. */
function endOfExpression(text: string, start: number): number {
  let depth = 0;
  let at = start;
  while (at < text.length) {
    const char = text[at] as string;
    if (char === "\n" && depth === 0) return at;
    if (char === "#") at = skip(text, at, /[^\n]*/y);
    else if (char === '"' || char === "'") at = endOfString(text, at, char);
    else {
      if (char === "[" || char === "{") depth++;
      if (char === "]" || char === "}") depth--;
      at++;
    }
  }
  return at;
}

function endOfString(text: string, start: number, quote: string): number {
  const long = quote.repeat(3);
  const isLong = text.startsWith(long, start);
  const close = isLong ? long : quote;
  for (let at = start + close.length; at < text.length; at++) {
    if (quote === '"' && text[at] === "\\") at++;
    else if (text.startsWith(close, at)) {
      let end = at + close.length;
      // A long string may end in up to two quotes of its own.
      while (isLong && text[end] === quote && end < at + 5) end++;
      return end;
    }
  }
  return text.length;
}

function hostOf(header: string, parse: ParseToml): string | undefined {
  // The parser reads quoted and bare keys alike; alone, a header gives one nested path.
  const [first] = Object.entries(parse(header.trimEnd()));
  if (first?.[0] !== "host") return undefined;
  return Object.keys(first[1] as TomlTable)[0];
}

function skip(text: string, at: number, pattern: RegExp): number {
  pattern.lastIndex = at;
  return at + (pattern.exec(text)?.[0].length ?? 0);
}
