/** A stretch of bytes, both ends included, as HTTP counts them. */
export interface ByteRange {
  readonly first: number;
  readonly last: number;
}

/**
 * Reads a `Range` header against content of `size` bytes. `undefined` means: answer with everything, because the
 * header asks for several ranges or speaks of another unit. An end before its start counts as unsatisfiable, where
 * RFC 9110 would let us ignore it: clients of registries expect a refusal.
 */
export function parseRange(header: string, size: number): ByteRange | "unsatisfiable" | undefined {
  const match = /^\s*bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header);
  if (match === null) return undefined;
  const [, from = "", to = ""] = match;
  if (from === "") {
    if (to === "") return undefined;
    const suffix = Number(to);
    if (suffix === 0 || size === 0) return "unsatisfiable";
    return { first: Math.max(0, size - suffix), last: size - 1 };
  }
  const first = Number(from);
  const last = to === "" ? size - 1 : Math.min(Number(to), size - 1);
  return first >= size || last < first ? "unsatisfiable" : { first, last };
}

/** Reads the `Content-Range` of an upload's chunk: `0-511`, without a unit; `bytes 0-511/*` is understood, too. */
export function parseContentRange(header: string): ByteRange | undefined {
  const match = /^\s*(?:bytes[ =])?(\d{1,15})-(\d{1,15})(?:\/(?:\d+|\*))?\s*$/i.exec(header);
  if (match === null) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2]);
  return last < first ? undefined : { first, last };
}

/** What an upload received so far. An empty one says `0-0`, as every registry does. */
export function formatReceived(offset: number): string {
  return `0-${Math.max(0, offset - 1)}`;
}
