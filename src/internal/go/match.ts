/** Whether a name matches a shell pattern; undefined for a pattern that is malformed, as far as it was looked at. */
export function matchPattern(pattern: string, name: string): boolean | undefined {
  let rest = Array.from(pattern);
  let text = Array.from(name);
  while (rest.length > 0) {
    const star = rest[0] === "*";
    let start = 0;
    while (rest[start] === "*") start++;
    const end = endOfChunk(rest, start);
    const chunk = rest.slice(start, end);
    rest = rest.slice(end);
    if (star && chunk.length === 0) return !text.includes("/");
    const found = matchChunk(chunk, text);
    if (found === undefined) return undefined;
    // The last chunk must reach the end, else a star before it may still move on.
    if (found !== false && (found.length === 0 || rest.length > 0)) {
      text = found;
      continue;
    }
    const moved = star ? matchLater(chunk, text, rest.length === 0) : false;
    if (moved === undefined) return undefined;
    if (moved !== false) {
      text = moved;
      continue;
    }
    // The rest of the pattern may still be malformed.
    while (rest.length > 0) {
      let next = 0;
      while (rest[next] === "*") next++;
      const stop = endOfChunk(rest, next);
      if (matchChunk(rest.slice(next, stop), []) === undefined) return undefined;
      rest = rest.slice(stop);
    }
    return false;
  }
  return text.length === 0;
}

/** Where the next star outside brackets stands. */
function endOfChunk(pattern: readonly string[], start: number): number {
  let inRange = false;
  for (let at = start; at < pattern.length; at++) {
    const character = pattern[at];
    if (character === "\\") at++;
    else if (character === "[") inRange = true;
    else if (character === "]") inRange = false;
    else if (character === "*" && !inRange) return at;
  }
  return pattern.length;
}

function matchLater(
  chunk: readonly string[],
  text: readonly string[],
  last: boolean,
): string[] | false | undefined {
  for (let skipped = 0; skipped < text.length && text[skipped] !== "/"; skipped++) {
    const found = matchChunk(chunk, text.slice(skipped + 1));
    if (found === undefined) return undefined;
    if (found !== false && !(last && found.length > 0)) return found;
  }
  return false;
}

/** What is left of the text behind the chunk; false if it doesn't begin so; undefined for a malformed chunk. */
function matchChunk(chunk: readonly string[], text: readonly string[]): string[] | false | undefined {
  let at = 0;
  let failed = false;
  for (let index = 0; index < chunk.length; index++) {
    if (!failed && at === text.length) failed = true;
    const character = chunk[index] as string;
    const next = failed ? undefined : (text[at] as string);
    if (character === "[") {
      const range = matchRange(chunk, index + 1, next);
      if (range === undefined) return undefined;
      if (!range.matched) failed = true;
      index = range.end;
      at++;
      continue;
    }
    if (character === "?") {
      if (next === "/") failed = true;
      at++;
      continue;
    }
    let literal = character;
    if (character === "\\") {
      index++;
      if (index === chunk.length) return undefined;
      literal = chunk[index] as string;
    }
    if (literal !== next) failed = true;
    at++;
  }
  return failed ? false : text.slice(at);
}

function matchRange(
  chunk: readonly string[],
  start: number,
  character: string | undefined,
): { readonly matched: boolean; readonly end: number } | undefined {
  const negated = chunk[start] === "^";
  const code = character?.codePointAt(0) ?? 0;
  let at = negated ? start + 1 : start;
  let matched = false;
  for (let ranges = 0; ; ranges++) {
    if (chunk[at] === "]" && ranges > 0) break;
    const low = readBound(chunk, at);
    if (low === undefined) return undefined;
    at = low.end;
    let high = low;
    if (chunk[at] === "-") {
      const bound = readBound(chunk, at + 1);
      if (bound === undefined) return undefined;
      high = bound;
      at = bound.end;
    }
    if (low.code <= code && code <= high.code) matched = true;
  }
  return { matched: character !== undefined && matched !== negated, end: at };
}

/** One end of a range. It can't be the last of the chunk, since a bracket has to follow. */
function readBound(
  chunk: readonly string[],
  start: number,
): { readonly code: number; readonly end: number } | undefined {
  let at = start;
  if (at >= chunk.length || chunk[at] === "-" || chunk[at] === "]") return undefined;
  if (chunk[at] === "\\") at++;
  if (at + 1 >= chunk.length) return undefined;
  return { code: (chunk[at] as string).codePointAt(0) ?? 0, end: at + 1 };
}
