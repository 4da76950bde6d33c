/**
 * How other clients read `WWW-Authenticate`, each short of the full grammar in its own way. dray answers challenges
 * by {@link parseChallenges}; these tell, when a registry works with one client and not with another, what that
 * other client saw.
 */
import type { Challenge } from "./challenge.ts";
import { HeaderScanner } from "./challenge-scanner.ts";

/** One challenge a line, no space around `=`, only the schemes it can order: bearer, digest, basic. */
export function containerdChallenges(fieldLines: readonly string[]): readonly Challenge[] {
  const order = ["bearer", "digest", "basic"];
  return fieldLines
    .map((line) => oneChallenge(line, { keepEmpty: true }))
    .filter((challenge) => challenge !== undefined)
    .filter(({ scheme }) => order.includes(scheme))
    .toSorted((a, b) => order.indexOf(a.scheme) - order.indexOf(b.scheme));
}

/** One challenge a line, every scheme; an empty value ends the line. */
export function distributionChallenges(fieldLines: readonly string[]): readonly Challenge[] {
  return fieldLines
    .map((line) => oneChallenge(line, { keepEmpty: false }))
    .filter((challenge) => challenge !== undefined);
}

/** What crane answers: the first Basic or Bearer, else the first of all (and then fails on it). */
export function ggcrChallenge(fieldLines: readonly string[]): Challenge | undefined {
  const challenges = distributionChallenges(fieldLines);
  return challenges.find(({ scheme }) => scheme === "basic" || scheme === "bearer") ?? challenges[0];
}

/** Reads a single line, and parameters only for Bearer; their names keep their case. */
export function orasChallenge(fieldLine: string): {
  readonly scheme: "basic" | "bearer" | "unknown";
  readonly parameters: Readonly<Record<string, string>> | undefined;
} {
  const scanner = new HeaderScanner(fieldLine);
  const scheme = scanner.token().toLowerCase();
  if (scheme === "basic") return { scheme, parameters: undefined };
  if (scheme !== "bearer") return { scheme: "unknown", parameters: undefined };
  const parameters = new Map<string, string>();
  do {
    scanner.space();
    const name = scanner.token();
    scanner.space();
    if (name === "" || !scanner.take("=")) break;
    scanner.space();
    const quoted = scanner.text[scanner.at] === '"';
    const value = quoted ? goQuoted(scanner) : scanner.token();
    if (value === undefined || (value === "" && !quoted)) break;
    parameters.set(name, value);
    scanner.space();
  } while (scanner.take(","));
  return { scheme, parameters: parameters.size === 0 ? undefined : Object.fromEntries(parameters) };
}

function oneChallenge(line: string, { keepEmpty }: { keepEmpty: boolean }): Challenge | undefined {
  const scanner = new HeaderScanner(line);
  const scheme = scanner.token().toLowerCase();
  if (scheme === "") return undefined;
  const parameters = new Map<string, string>();
  do {
    scanner.space();
    const name = scanner.token().toLowerCase();
    if (name === "" || !scanner.take("=")) break;
    const value = scanner.tokenOrQuoted() ?? "";
    if (value === "" && !keepEmpty) break;
    parameters.set(name, value);
    scanner.space();
  } while (scanner.take(","));
  return { scheme, parameters: Object.fromEntries(parameters) };
}

const GO_ESCAPE = /\\(?:([abfnrtv\\"])|x([0-9a-fA-F]{2})|([0-7]{3})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8}))/y;
const GO_SINGLE: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/** A quoted string by Go's rules for literals: an escape Go doesn't know makes the whole string unreadable. */
function goQuoted(scanner: HeaderScanner): string | undefined {
  const { text } = scanner;
  let value = "";
  for (let i = scanner.at + 1; i < text.length;) {
    const char = text[i] as string;
    if (char === '"') {
      scanner.at = i + 1;
      return value;
    }
    if (char === "\n") return undefined;
    if (char !== "\\") {
      value += char;
      i++;
      continue;
    }
    GO_ESCAPE.lastIndex = i;
    const escape = GO_ESCAPE.exec(text);
    if (escape === null) return undefined;
    const [whole, single, hex, octal, short, long] = escape;
    if (single !== undefined) value += GO_SINGLE[single] ?? single;
    else {
      const code = Number.parseInt(hex ?? octal ?? short ?? long ?? "", octal === undefined ? 16 : 8);
      const limit = octal === undefined ? 0x10ffff : 0xff;
      if (code > limit || (code >= 0xd800 && code <= 0xdfff)) return undefined;
      value += String.fromCodePoint(code);
    }
    i += whole.length;
  }
  return undefined;
}
