import type { CommandContext } from "../context.ts";
import { GivenUp } from "../errors.ts";

const END = new Set(["\r", "\n", "\u0004"]);
const BACKSPACE = new Set(["\u007f", "\b"]);
const CTRL_C = "\u0003";
const MAX_LENGTH = 65_536;

/** Asks the person at the terminal, one line after the other. */
export class Prompt {
  readonly #context: CommandContext;
  readonly #input: AsyncIterator<Uint8Array>;
  readonly #decoder = new TextDecoder();
  /** Typed ahead. */
  #rest = "";

  constructor(context: CommandContext) {
    this.#context = context;
    this.#input = context.stdin[Symbol.asyncIterator]();
  }

  /**
   * A line as it was typed; `undefined` when the input ended before anything came.
   *
   * @throws GivenUp at Ctrl-C, which a terminal that shows nothing hands on as a key
   */
  async ask(question: string, options: { readonly hidden?: boolean } = {}): Promise<string | undefined> {
    const { stderr, stdin } = this.#context;
    const hidden = options.hidden === true;
    await stderr.write(question);
    if (hidden) stdin.setRawMode?.(true);
    try {
      return await this.#readLine();
    } finally {
      if (hidden) {
        stdin.setRawMode?.(false);
        await stderr.write("\n");
      }
    }
  }

  async #readLine(): Promise<string | undefined> {
    let line = "";
    for (;;) {
      for (let index = 0; index < this.#rest.length; index++) {
        const key = this.#rest.charAt(index);
        if (key === CTRL_C) throw new GivenUp();
        if (END.has(key)) {
          this.#rest = this.#rest.slice(index + 1);
          return line;
        }
        line = BACKSPACE.has(key) ? line.slice(0, -1) : line + key;
      }
      this.#rest = "";
      const { done, value } = await this.#input.next();
      if (done === true) return line === "" ? undefined : line;
      this.#rest = this.#decoder.decode(value, { stream: true });
      if (line.length > MAX_LENGTH) return undefined;
    }
  }
}
