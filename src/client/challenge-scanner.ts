/** Reads the pieces that `WWW-Authenticate` is made of (RFC 9110 §5.6). Every step moves forward, so a line costs its length. */
const TOKEN = /[!#$%&'*+\-.^_`|~0-9A-Za-z]*/y;
const TOKEN68 = /[A-Za-z0-9\-._~+/]+=*(?=[ \t\r\n]*(?:,|$))/y;
const SPACE = /[ \t\r\n]*/y;
const SEPARATORS = /[ \t\r\n,]*/y;

export class HeaderScanner {
  readonly text: string;
  at = 0;

  constructor(text: string) {
    this.text = text;
  }

  get atEnd(): boolean {
    return this.at >= this.text.length;
  }

  /** True when the next character is `char`; steps over it. */
  take(char: string): boolean {
    if (this.text[this.at] !== char) return false;
    this.at++;
    return true;
  }

  token(): string {
    return this.#match(TOKEN);
  }

  token68(): string | undefined {
    return this.#match(TOKEN68) || undefined;
  }

  space(): void {
    this.#match(SPACE);
  }

  /** White space and commas: a list may have empty elements. */
  separators(): void {
    this.#match(SEPARATORS);
  }

  /** A quoted string from its opening quote; undefined, at the end of the text, when it is never closed. */
  quoted(): string | undefined {
    const { text } = this;
    let value = "";
    let from = this.at + 1;
    for (let i = from; i < text.length; i++) {
      const char = text[i];
      if (char === '"') {
        this.at = i + 1;
        return value + text.slice(from, i);
      }
      if (char === "\\") {
        value += text.slice(from, i);
        from = ++i;
      }
    }
    this.at = text.length;
    return undefined;
  }

  tokenOrQuoted(): string | undefined {
    return this.text[this.at] === '"' ? this.quoted() : this.token();
  }

  /** To the next comma that isn't inside quotes. */
  skipElement(): void {
    while (!this.atEnd && this.text[this.at] !== ",") {
      if (this.text[this.at] === '"') this.quoted();
      else this.at++;
    }
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? "";
    this.at += found.length;
    return found;
  }
}
