import type { Document, LineCounter, Pair } from "yaml";

import { yaml } from "../../internal/yaml.ts";
import { parseConfigDocument } from "../access/config-document.ts";
import { formatPath, type Fault, type Path } from "../access/config-reader.ts";
import { RegistryError } from "../errors.ts";

/** A YAML or JSON text that knows where each of its members stands. */
export class LocatedDocument {
  readonly value: unknown;
  readonly #file: string;
  readonly #document: Document.Parsed;
  readonly #lines: LineCounter;

  private constructor(
    file: string,
    parsed: { readonly document: Document.Parsed; readonly lines: LineCounter; readonly value: unknown },
  ) {
    this.#file = file;
    this.#document = parsed.document;
    this.#lines = parsed.lines;
    this.value = parsed.value;
  }

  /** @throws RegistryError `CONFIG_INVALID` for what is no YAML, with each place */
  static parse(text: string, file: string): LocatedDocument {
    const { document, lines, faults } = parseConfigDocument(text);
    if (faults.length > 0) {
      throw invalid(
        file,
        faults.map(({ line, col, why }) => `${file}:${line}:${col}: ${why}`),
      );
    }
    try {
      return new LocatedDocument(file, { document, lines, value: document.toJS() ?? {} });
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : "it cannot be read";
      throw invalid(file, [`${file}:1:1: ${why}`], cause);
    }
  }

  /** @throws RegistryError `CONFIG_INVALID` with every fault and its place, unless there is none */
  check(faults: readonly Fault[]): void {
    if (faults.length === 0) return;
    const placed = faults.map((fault) => ({ ...this.#find(fault.path), text: describe(fault) }));
    placed.sort((a, b) => a.line - b.line || a.col - b.col);
    throw invalid(
      this.#file,
      placed.map(({ line, col, text }) => `${this.#file}:${line}:${col}: ${text}`),
    );
  }

  /** Where a member begins, or for one that is missing the nearest thing around it. */
  #find(path: Path): { readonly line: number; readonly col: number } {
    for (let length = path.length; length > 0; length--) {
      const offset = this.#offsetOf(path.slice(0, length));
      if (offset !== undefined) return this.#lines.linePos(offset);
    }
    return { line: 1, col: 1 };
  }

  #offsetOf(path: Path): number | undefined {
    const last = path.at(-1);
    const parent =
      path.length === 1 ? this.#document.contents : this.#document.getIn(path.slice(0, -1), true);
    if (yaml().isMap(parent)) {
      const pair = parent.items.find((item: Pair) => {
        return yaml().isScalar(item.key) && String(item.key.value) === String(last);
      });
      return yaml().isNode(pair?.key) ? pair.key.range?.[0] : undefined;
    }
    if (!yaml().isSeq(parent) || typeof last !== "number") return undefined;
    const item = parent.items[last];
    return yaml().isNode(item) ? item.range?.[0] : undefined;
  }
}

function describe({ path, why }: Fault): string {
  return path.length === 0 ? `it ${why}` : `${formatPath(path)} ${why}`;
}

function invalid(file: string, faults: readonly string[], cause?: unknown): RegistryError {
  const list = faults.length === 1 ? ` ${faults[0]}` : faults.map((fault) => `\n  ${fault}`).join("");
  const message = `Cannot use the configuration ${JSON.stringify(file)}:${list}`;
  return new RegistryError("CONFIG_INVALID", message, { cause });
}
