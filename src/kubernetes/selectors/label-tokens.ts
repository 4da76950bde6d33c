/** The words of a label selector. */

export type TokenKind = "identifier" | "end" | "error" | "in" | "notin" | Symbol;
type Symbol = ")" | "," | "!" | "==" | "=" | ">" | "<" | "!=" | "(";

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
}

const SYMBOLS: ReadonlySet<string> = new Set([")", ",", "!", "==", "=", ">", "<", "!=", "("]);
const WORD = /[^=!(),<> \t\r\n\0]+/y;
const SPECIAL = /[=!(),<>]/;
const SPACE = /[ \t\r\n]*/y;

/** The last one is always the end. */
export function tokenize(text: string): readonly Token[] {
  const tokens: Token[] = [];
  for (let at = 0; ;) {
    SPACE.lastIndex = at;
    at += SPACE.exec(text)?.[0].length ?? 0;
    const character = text[at];
    if (character === undefined || character === "\0") break;
    const word = SPECIAL.test(character) ? symbolAt(text, at) : wordAt(text, at);
    tokens.push({ kind: kindOf(word), text: word });
    at += word.length;
  }
  tokens.push({ kind: "end", text: "" });
  return tokens;
}

function wordAt(text: string, at: number): string {
  WORD.lastIndex = at;
  return WORD.exec(text)?.[0] ?? "";
}

/** The longest that is one; each of their characters is one by itself. */
function symbolAt(text: string, at: number): string {
  const two = text.slice(at, at + 2);
  return two.length === 2 && SYMBOLS.has(two) ? two : text.slice(at, at + 1);
}

function kindOf(word: string): TokenKind {
  if (word === "in" || word === "notin") return word;
  return SYMBOLS.has(word) ? (word as Symbol) : "identifier";
}
