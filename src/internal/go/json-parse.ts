/**
 * JSON as Go's scanner takes it and with its words for what is wrong. Members keep their order and their duplicates,
 * which decoding gives a meaning: {@link "./json-decode.ts"}.
 */
import { GoError } from "./errors.ts";
import { goQuote } from "./quote.ts";
import { decodeReplacing } from "./utf8.ts";

export type JsonNode =
  | { readonly kind: "null" }
  | { readonly kind: "bool"; readonly value: boolean }
  | { readonly kind: "number"; readonly text: string }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "array"; readonly items: readonly JsonNode[] }
  | { readonly kind: "object"; readonly members: readonly (readonly [name: string, value: JsonNode])[] };

/**
 * What a complaint quotes. Go's own package has come to quote characters; the API machinery goes on with a copy that
 * takes a byte for one.
 */
export type JsonQuoting = "byte" | "rune";

/** @throws GoError in Go's words, which quote one character at most */
export function parseJson(text: Uint8Array | string, quoting: JsonQuoting = "byte"): JsonNode {
  return new Scanner(typeof text === "string" ? Buffer.from(text, "utf8") : text, quoting).document();
}

/** Go allows 10,000; so many would need as many frames here, and no document of ours has ten. */
const MAX_DEPTH = 1000;

const [QUOTE, BACKSLASH, COMMA, COLON, SPACE] = [0x22, 0x5c, 0x2c, 0x3a, 0x20] as const;
const [OPEN_BRACE, CLOSE_BRACE, OPEN_BRACKET, CLOSE_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d] as const;
const [MINUS, PLUS, DOT, ZERO] = [0x2d, 0x2b, 0x2e, 0x30] as const;

const LITERALS: Readonly<Record<number, readonly [word: string, node: JsonNode]>> = {
  0x74: ["true", { kind: "bool", value: true }],
  0x66: ["false", { kind: "bool", value: false }],
  0x6e: ["null", { kind: "null" }],
};

const ESCAPES: Readonly<Record<string, string>> = {
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  "\\": "\\",
  "/": "/",
  '"': '"',
};

class Scanner {
  readonly #bytes: Buffer;
  readonly #quoting: JsonQuoting;
  #at = 0;
  #depth = 0;

  constructor(bytes: Uint8Array, quoting: JsonQuoting) {
    this.#quoting = quoting;
    this.#bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  document(): JsonNode {
    const node = this.#value(this.#skip());
    while (this.#at < this.#bytes.length) {
      const byte = this.#bytes[this.#at] as number;
      if (!isSpace(byte)) throw this.#unexpected(byte, "after top-level value");
      this.#at++;
    }
    return node;
  }

  /** `first` is the byte at hand, not yet consumed. */
  #value(first: number): JsonNode {
    if (first === OPEN_BRACE) return this.#nested(() => this.#object());
    if (first === OPEN_BRACKET) return this.#nested(() => this.#array());
    if (first === QUOTE) return { kind: "string", value: this.#string() };
    if (first === MINUS || isDigit(first)) return this.#number();
    const literal = LITERALS[first];
    if (literal === undefined) throw this.#unexpected(first, "looking for beginning of value");
    const [word, node] = literal;
    this.#at++;
    for (const expected of word.slice(1)) {
      const byte = this.#peek();
      if (byte !== expected.charCodeAt(0)) {
        throw this.#unexpected(byte, `in literal ${word} (expecting '${expected}')`);
      }
      this.#at++;
    }
    return node;
  }

  #nested(read: () => JsonNode): JsonNode {
    if (++this.#depth > MAX_DEPTH) throw new GoError("exceeded max depth");
    this.#at++;
    const node = read();
    this.#depth--;
    return node;
  }

  #object(): JsonNode {
    const members: [string, JsonNode][] = [];
    let byte = this.#skip();
    while (byte !== CLOSE_BRACE || members.length > 0) {
      if (byte !== QUOTE) throw this.#unexpected(byte, "looking for beginning of object key string");
      const name = this.#string();
      byte = this.#skip();
      if (byte !== COLON) throw this.#unexpected(byte, "after object key");
      this.#at++;
      members.push([name, this.#value(this.#skip())]);
      byte = this.#skip();
      if (byte === CLOSE_BRACE) break;
      if (byte !== COMMA) throw this.#unexpected(byte, "after object key:value pair");
      this.#at++;
      byte = this.#skip();
    }
    this.#at++;
    return { kind: "object", members };
  }

  #array(): JsonNode {
    const items: JsonNode[] = [];
    let byte = this.#skip();
    while (byte !== CLOSE_BRACKET || items.length > 0) {
      items.push(this.#value(byte));
      byte = this.#skip();
      if (byte === CLOSE_BRACKET) break;
      if (byte !== COMMA) throw this.#unexpected(byte, "after array element");
      this.#at++;
      byte = this.#skip();
    }
    this.#at++;
    return { kind: "array", items };
  }

  #number(): JsonNode {
    const start = this.#at;
    if (this.#peek() === MINUS) {
      this.#at++;
      this.#expectDigit("in numeric literal");
    }
    if (this.#peek() === ZERO) this.#at++;
    else this.#digits();
    if (this.#peek() === DOT) {
      this.#at++;
      this.#expectDigit("after decimal point in numeric literal");
      this.#digits();
    }
    if ((this.#peek() | 0x20) === 0x65) {
      this.#at++;
      const sign = this.#peek();
      if (sign === PLUS || sign === MINUS) this.#at++;
      this.#expectDigit("in exponent of numeric literal");
      this.#digits();
    }
    return { kind: "number", text: Buffer.from(this.#bytes.subarray(start, this.#at)).toString("latin1") };
  }

  #expectDigit(context: string): void {
    const byte = this.#peek();
    if (!isDigit(byte)) throw this.#unexpected(byte, context);
  }

  #digits(): void {
    while (isDigit(this.#peek())) this.#at++;
  }

  #string(): string {
    let text = "";
    let start = ++this.#at;
    let bits = 0;
    for (;;) {
      const byte = this.#bytes[this.#at];
      if (byte === undefined) throw ended();
      if (byte < SPACE) throw this.#unexpected(byte, "in string literal");
      bits |= byte;
      if (byte === QUOTE || byte === BACKSLASH) {
        // ASCII, as nearly all text is, needs no decoder, whose call costs more than its work.
        const plain = bits < 0x80;
        text += plain
          ? this.#bytes.toString("latin1", start, this.#at)
          : decodeReplacing(this.#bytes.subarray(start, this.#at));
        this.#at++;
        // Halves of a pair may stand in two escapes, but a lone one is no character.
        if (byte === QUOTE) return text.toWellFormed();
        text += this.#escape();
        start = this.#at;
      } else this.#at++;
    }
  }

  #escape(): string {
    const byte = this.#peek();
    const simple = ESCAPES[String.fromCharCode(byte)];
    if (simple === undefined && byte !== 0x75) throw this.#unexpected(byte, "in string escape code");
    this.#at++;
    if (simple !== undefined) return simple;
    for (let digit = 0; digit < 4; digit++) {
      const next = this.#peek();
      if (!/[0-9a-f]/i.test(String.fromCharCode(next))) {
        throw this.#unexpected(next, "in \\u hexadecimal character escape");
      }
      this.#at++;
    }
    const hex = Buffer.from(this.#bytes.subarray(this.#at - 4, this.#at)).toString("latin1");
    return String.fromCharCode(Number.parseInt(hex, 16));
  }

  #unexpected(byte: number, context: string): GoError {
    const whole = this.#quoting === "rune" && byte >= 0x80;
    const quoted = whole ? quoteRune(this.#bytes.subarray(this.#at, this.#at + 4)) : quoteByte(byte);
    return new GoError(`invalid character ${quoted} ${context}`);
  }

  /** The byte at hand; a blank at the end of the text, as Go's scanner is told of it. */
  #peek(): number {
    return this.#bytes[this.#at] ?? SPACE;
  }

  /** The next byte that isn't white space. */
  #skip(): number {
    for (; this.#at < this.#bytes.length; this.#at++) {
      const byte = this.#bytes[this.#at] as number;
      if (!isSpace(byte)) return byte;
    }
    throw ended();
  }
}

function isSpace(byte: number): boolean {
  return byte === SPACE || byte === 0x09 || byte === 0x0a || byte === 0x0d;
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39;
}

function ended(): GoError {
  return new GoError("unexpected end of JSON input");
}

function quoteByte(byte: number): string {
  if (byte === 0x27) return "'\\''";
  if (byte === QUOTE) return "'\"'";
  return `'${goQuote(String.fromCharCode(byte)).slice(1, -1)}'`;
}

/** The first character; a byte that begins none is quoted as itself. */
function quoteRune(bytes: Buffer): string {
  for (let length = 2; length <= bytes.length; length++) {
    const text = bytes.toString("utf8", 0, length);
    if (!text.includes("\ufffd")) return `'${goQuote(text).slice(1, -1)}'`;
  }
  return `'\\x${(bytes[0] ?? 0).toString(16)}'`;
}
