/**
 * `Warning` response headers: things a registry wants its users to read. Only the form the distribution spec allows
 * is understood, `299 - "text"`; anything else is ignored, and nothing is ever done about a warning but showing it.
 */
import type { HttpResponse } from "./http.ts";

/** The spec's limit for the warnings of one response. */
const RESPONSE_LIMIT = 4096;

/** The text of a `Warning` value, one character per byte; undefined when it isn't one to show. */
export function parseWarning(value: string): string | undefined {
  const prefix = "299 - ";
  if (!value.startsWith(prefix)) return undefined;
  const quoted = value.slice(prefix.length).replaceAll(/^[\t-\r ]+|[\t-\r ]+$/g, "");
  if (quoted.length < 2 || !quoted.startsWith('"') || !quoted.endsWith('"')) return undefined;
  const inner = quoted.slice(1, -1);
  let text = "";
  for (let i = 0; i < inner.length; i++) {
    const char = inner[i] as string;
    if (char === "\\") {
      const next = inner[++i];
      if (next === undefined || isControl(next)) return undefined;
      text += next;
      continue;
    }
    const hex = char === "%" ? /^[0-9a-f]{2}$/i.exec(inner.slice(i + 1, i + 3))?.[0] : undefined;
    const plain = hex === undefined ? char : String.fromCharCode(Number.parseInt(hex, 16));
    if (isControl(plain) || plain === '"' || plain === "\\") return undefined;
    text += plain;
    if (hex !== undefined) i += 2;
  }
  return text === "" ? undefined : text;
}

/** The warnings of a response, readable, within the spec's limit, each once. */
export function warningsOf(response: Pick<HttpResponse, "headers">): readonly string[] {
  let left = RESPONSE_LIMIT;
  const texts = new Set<string>();
  for (const value of response.headers("warning")) {
    left -= value.length;
    if (left < 0) break;
    const text = parseWarning(value);
    if (text !== undefined) texts.add(readable(text));
  }
  return [...texts];
}

/** Remembers what was shown, so that a hundred blobs of one registry don't repeat its one warning. */
export class ShownWarnings {
  readonly #shown = new Set<string>();

  /** The warnings of a response that no earlier response brought. */
  takeNew(response: Pick<HttpResponse, "headers">): readonly string[] {
    const fresh = warningsOf(response).filter((text) => !this.#shown.has(text));
    for (const text of fresh) this.#shown.add(text);
    return fresh;
  }
}

/** Header bytes are most often UTF-8; C1 controls could steer a terminal. */
function readable(text: string): string {
  const bytes = Uint8Array.from(text, (char) => char.charCodeAt(0));
  let decoded = text;
  try {
    decoded = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    // Latin-1, as HTTP once said.
  }
  return decoded.replaceAll(/[\u0080-\u009f]/g, "\ufffd");
}

function isControl(char: string): boolean {
  const code = char.charCodeAt(0);
  return (code < 0x20 && code !== 0x09) || code === 0x7f;
}
