/**
 * JSON with the duplicate members found, which `JSON.parse` drops silently. Records are read strictly: a file that
 * says two things is no evidence for either.
 */

export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;
/** Member names keep their meaning here, `__proto__` included. */
export type JsonObject = ReadonlyMap<string, JsonValue>;

export interface StrictJson {
  readonly value: JsonValue;
  /** Paths of members that stand twice, such as `credentialMapping.a`. */
  readonly duplicates: readonly string[];
}

/** @throws SyntaxError */
export function parseStrictJson(text: string): StrictJson {
  // The engine's parser decides what is JSON at all; below only its structure is walked again.
  JSON.parse(text);
  const walker = new Walker(text);
  return { value: walker.read(""), duplicates: walker.duplicates };
}

const SCALAR = /[^\s,\]}]+/y;
const STRING = /"(?:[^"\\]|\\.)*"/y;
const SPACE = /[ \t\n\r]*/y;

/** Walks a text that is known to be JSON. */
class Walker {
  readonly duplicates: string[] = [];
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  read(path: string): JsonValue {
    this.#take(SPACE);
    switch (this.#text.charAt(this.#at)) {
      case "{":
        return this.#readObject(path);
      case "[":
        return this.#readArray(path);
      case '"':
        return this.#readString();
      default:
        return JSON.parse(this.#take(SCALAR)) as null | boolean | number;
    }
  }

  #readObject(path: string): JsonObject {
    const members = new Map<string, JsonValue>();
    this.#at++;
    while (!this.#ends("}")) {
      const name = this.#readString();
      const inner = path === "" ? name : `${path}.${name}`;
      this.#take(SPACE);
      this.#at++;
      if (members.has(name)) this.duplicates.push(inner);
      members.set(name, this.read(inner));
    }
    return members;
  }

  #readArray(path: string): readonly JsonValue[] {
    const items: JsonValue[] = [];
    this.#at++;
    while (!this.#ends("]")) items.push(this.read(`${path}[${items.length}]`));
    return items;
  }

  #readString(): string {
    return JSON.parse(this.#take(STRING)) as string;
  }

  /** Steps over white space, a comma, and the end where it stands. */
  #ends(end: string): boolean {
    this.#take(SPACE);
    if (this.#text[this.#at] === ",") {
      this.#at++;
      this.#take(SPACE);
    }
    if (this.#text[this.#at] !== end) return false;
    this.#at++;
    return true;
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at;
    const [found = ""] = pattern.exec(this.#text) ?? [];
    this.#at += found.length;
    return found;
  }
}
