/** What is wrong with a pattern: one that can match no tag would protect nothing, or keep nothing. */
export function findTagPatternFault(text: string): string | undefined {
  const strange = /[^A-Za-z0-9._*-]/.exec(text)?.[0];
  return strange === undefined
    ? undefined
    : `has ${JSON.stringify(strange)}; tags are of letters, digits, ".", "_" and "-", and "*" is any text`;
}

/** A pattern of tags: `*` is any text, everything else itself. Matched without backtracking. */
export class TagPattern {
  readonly text: string;
  readonly #parts: readonly string[];

  constructor(text: string) {
    this.text = text;
    this.#parts = text.split("*");
  }

  matches(tag: string): boolean {
    const [first = "", ...rest] = this.#parts;
    const last = rest.pop();
    if (last === undefined) return tag === first;
    if (!tag.startsWith(first)) return false;
    let at = first.length;
    for (const part of rest) {
      const found = tag.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return tag.length - at >= last.length && tag.endsWith(last);
  }
}
