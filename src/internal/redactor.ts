/**
 * Takes secrets out of whatever is about to be shown. Nothing of ours prints one, but a registry's error text or a
 * provider's complaint may quote what it was sent.
 */
import { Secret } from "./secret.ts";

/** Shorter texts occur everywhere, and a password of three letters keeps no secret. */
const SHORTEST = 4;
const HIDDEN = "[secret]";

export class Redactor {
  readonly #secrets = new Set<string>();
  #pattern: RegExp | undefined;

  add(secret: Secret | string | undefined): void {
    const text = secret instanceof Secret ? secret.reveal() : (secret ?? "");
    if (text.length < SHORTEST) return;
    for (const form of [text, encode(text), encodeURIComponent(text), JSON.stringify(text).slice(1, -1)]) {
      if (this.#secrets.size < this.#secrets.add(form).size) this.#pattern = undefined;
    }
  }

  /** A user's login in all the forms in which it travels. */
  addLogin(username: string, password: Secret | string): void {
    const text = password instanceof Secret ? password.reveal() : password;
    this.add(text);
    if (text.length > 0) this.add(encode(`${username}:${text}`));
  }

  text(text: string): string {
    if (this.#secrets.size === 0) return text;
    this.#pattern ??= patternOf(this.#secrets);
    return text.replaceAll(this.#pattern, HIDDEN);
  }

  /** The same value with every text in it cleaned. */
  value<T>(value: T): T {
    return this.#clean(value) as T;
  }

  #clean(value: unknown): unknown {
    if (typeof value === "string") return this.text(value);
    if (Array.isArray(value)) return value.map((item) => this.#clean(item));
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, this.#clean(member)]));
  }
}

/** The longest first, so that one that holds another goes as a whole. */
function patternOf(secrets: ReadonlySet<string>): RegExp {
  const sorted = [...secrets].toSorted((a, b) => b.length - a.length);
  return new RegExp(sorted.map((text) => text.replaceAll(/[$()*+.?[\\\]^{|}]/g, "\\$&")).join("|"), "g");
}

function encode(text: string): string {
  return Buffer.from(text, "utf8").toString("base64");
}
