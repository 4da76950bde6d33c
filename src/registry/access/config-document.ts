import type { Document, LineCounter } from "yaml";

import { yaml } from "../../internal/yaml.ts";

/** A YAML or JSON text before anybody looked at what it says. */
export interface ConfigDocument {
  readonly document: Document.Parsed;
  readonly lines: LineCounter;
  /** Why it is no such text; `why` is one sentence. */
  readonly faults: readonly { readonly line: number; readonly col: number; readonly why: string }[];
}

/** Reads one document: whoever wrote two of them would find half of what they said unheard. */
export function parseConfigDocument(text: string): ConfigDocument {
  const lines = new (yaml().LineCounter)();
  // "silent" would take the first of several documents without a word.
  const document = yaml().parseDocument(text, { lineCounter: lines, logLevel: "error" });
  const faults = document.errors.map(({ code, message, pos, linePos }) => {
    const place = linePos?.[0] ?? lines.linePos(pos[0]);
    // The parser's sentence ends where it begins to show the text itself.
    const own = message.split(/ at line |\n/)[0]?.replace(/[:.]$/, "") ?? "";
    const why = code === "MULTIPLE_DOCS" ? "a second document begins here; there can be one" : own;
    return { line: place.line, col: place.col, why };
  });
  return { document, lines, faults };
}
