import { goQuote } from "../../internal/go/quote.ts";

/** No more are kept of one document. */
const LIMIT = 100;

/** What a strict reader has to say, and where in the document it stands. */
export class StrictErrors {
  readonly #messages = new Set<string>();
  readonly #path: (string | number)[] = [];

  get messages(): readonly string[] {
    return [...this.#messages];
  }

  enter(step: string | number): void {
    this.#path.push(step);
  }

  leave(): void {
    this.#path.pop();
  }

  add(what: "unknown" | "duplicate", name: string): void {
    if (this.#messages.size >= LIMIT) return;
    const path = [...this.#path, name]
      .map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`))
      .join("")
      .replace(/^\./, "");
    this.#messages.add(`${what} field ${goQuote(path)}`);
  }
}
