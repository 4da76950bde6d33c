/**
 * Text that must not be shown: a password, a token. Printing, serialising or inspecting it shows a placeholder, so
 * a secret can't slip into a log, an error or a test's diff (a private field is invisible to `util.inspect`); `reveal()` is the one way in, and easy to search for.
 */
export class Secret {
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
  }

  reveal(): string {
    return this.#text;
  }

  get empty(): boolean {
    return this.#text === "";
  }

  toString(): string {
    return "[secret]";
  }

  toJSON(): string {
    return "[secret]";
  }
}
