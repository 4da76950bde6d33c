/** What is wrong with a YAML document, in the words and with the line numbers of Kubernetes' parser. */
import type { LineCounter, YAMLParseError } from "yaml";

/** Its scanner counts lines from 1 and its parser from 0, and neither names the first. */
interface Fault {
  readonly words: string;
  readonly from: "scanner" | "parser";
  /** Offsets of where what is wrong began, and where that showed. */
  readonly began: number;
  readonly showed: number;
}

export interface BrokenYaml {
  readonly text: string;
  /** As our parser tells them; at least one. */
  readonly errors: readonly YAMLParseError[];
  readonly lines: LineCounter;
}

export function explainYaml({ text, errors, lines }: BrokenYaml): string {
  const fault = findFault(text, errors);
  if (fault === undefined) {
    const [error] = errors;
    const line = error?.linePos?.[0].line;
    // The parser's sentence ends where it begins to show the text itself.
    const why = error?.message.split(/ at line |\n/)[0] ?? "";
    return `yaml: ${line === undefined ? "" : `line ${line}: `}${why}`;
  }
  // The end stands on a line of its own, even where nothing ended the one before.
  const isCut = !text.endsWith("\n");
  const lineOf = (offset: number): number =>
    lines.linePos(offset).line - (isCut && offset >= text.length ? 0 : 1);
  const line = lineOf(fault.began) || lineOf(fault.showed);
  const shown = line + (fault.from === "scanner" ? 1 : 0);
  return `yaml: ${line === 0 ? "" : `line ${shown}: `}${fault.words}`;
}

function findFault(text: string, errors: readonly YAMLParseError[]): Fault | undefined {
  const [error, next] = errors;
  if (error === undefined) return undefined;
  const [start] = error.pos;
  const at = (words: string, from: Fault["from"], began: number = start): Fault => ({
    words,
    from,
    began,
    showed: start,
  });
  const code: string = error.code;
  switch (code) {
    case "BLOCK_AS_IMPLICIT_KEY": {
      // The colon that's one too many may stand lines below what it would make a key.
      const colon = next?.code === "MULTILINE_IMPLICIT_KEY" ? next.pos[1] : start;
      return at("mapping values are not allowed in this context", "scanner", colon);
    }
    case "BAD_SCALAR_START":
    case "TAB_AS_INDENT":
      return at("found character that cannot start any token", "scanner");
    case "BAD_DQ_ESCAPE":
      return at("found unknown escape character", "scanner");
    case "MULTILINE_IMPLICIT_KEY":
      return at("did not find expected key", "parser", mappingStart(text, start));
    case "BAD_INDENT":
    case "MISSING_CHAR":
      return missing(text, error);
    default:
      return /^Unexpected flow-(?:map|seq)-end/.test(error.message)
        ? at("did not find expected node content", "parser")
        : undefined;
  }
}

function missing(text: string, { message, pos }: YAMLParseError): Fault | undefined {
  const isEnd = text.slice(pos[0]).trim() === "";
  const showed = isEnd ? text.length : pos[0];
  if (message.startsWith("Flow ")) {
    const open = openBefore(text, showed);
    if (/[[{,:]\s*$/.test(text.slice(open, showed))) {
      return { words: "did not find expected node content", from: "parser", began: showed, showed };
    }
    const bracket = text[open] === "{" ? "}" : "]";
    return { words: `did not find expected ',' or '${bracket}'`, from: "parser", began: open, showed };
  }
  if (message.startsWith("Missing closing")) {
    return {
      words: "found unexpected end of stream",
      from: "scanner",
      began: openBefore(text, showed),
      showed,
    };
  }
  if (message.startsWith("Implicit map keys")) {
    return { words: "could not find expected ':'", from: "scanner", began: showed, showed };
  }
  if (!/^All mapping items|^Sequence item without/.test(message)) return undefined;
  return { words: "did not find expected key", from: "parser", began: mappingStart(text, showed), showed };
}

/** The last quote or bracket that is still open. */
function openBefore(text: string, end: number): number {
  const open: number[] = [];
  for (let at = 0; at < end; at++) {
    const character = text[at] ?? "";
    const starts = /[\s,:[{-]/.test(text[at - 1] ?? " ");
    if (character === "#" && /\s/.test(text[at - 1] ?? " ")) at = lineEnd(text, at);
    else if ((character === '"' || character === "'") && starts) {
      const close = closingQuote(text, at);
      if (close === -1) return at;
      at = close;
    } else if (character === "[" || character === "{") open.push(at);
    else if (character === "]" || character === "}") open.pop();
  }
  return open.at(-1) ?? 0;
}

function closingQuote(text: string, start: number): number {
  const quote = text[start];
  for (let at = start + 1; at < text.length; at++) {
    if (quote === '"' && text[at] === "\\") at++;
    else if (text[at] === quote && (quote === '"' || text[at + 1] !== quote)) return at;
    else if (text[at] === quote) at++;
  }
  return -1;
}

/** Where the map begins that goes on, or should, at a place: the one less indented that is nearest. */
function mappingStart(text: string, place: number): number {
  const lineStart = text.lastIndexOf("\n", place - 1) + 1;
  const column = indentAt(text, lineStart);
  let indent = -1;
  let start = lineStart;
  for (let at = lineStart; at > 0;) {
    at = text.lastIndexOf("\n", at - 2) + 1;
    if (isBlank(text, at)) continue;
    const here = indentAt(text, at);
    if (indent === -1 && (here < column || here === 0)) indent = here;
    if (indent === -1 || here > indent) continue;
    if (here < indent) break;
    start = at;
  }
  return start;
}

function indentAt(text: string, lineStart: number): number {
  let at = lineStart;
  while (text[at] === " ") at++;
  return at - lineStart;
}

function isBlank(text: string, lineStart: number): boolean {
  return /^\s*(?:#.*)?$/.test(text.slice(lineStart, lineEnd(text, lineStart)));
}

function lineEnd(text: string, from: number): number {
  const end = text.indexOf("\n", from);
  return end === -1 ? text.length : end;
}
