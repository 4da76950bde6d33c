/**
 * What a registry asks for when it answers 401.
 *
 * ```text
 * WWW-Authenticate = #challenge
 * challenge        = scheme [ 1*SP ( token68 / #parameter ) ]
 * parameter        = name BWS "=" BWS ( token / quoted-string )
 * ```
 *
 * Several challenges may share a line, and a comma separates both challenges and parameters: a word followed by `=`
 * is a parameter of the challenge before it, any other word starts a new one. Whatever can't be understood is
 * skipped up to the next comma, so that one odd element doesn't hide the others.
 */
import { HeaderScanner } from "./challenge-scanner.ts";

export interface Challenge {
  /** Lower-case. */
  readonly scheme: string;
  /** Lower-case names; of a repeated one the last value. */
  readonly parameters: Readonly<Record<string, string>>;
  readonly token68?: string;
}

/** Every challenge of a response, in order. Never throws. */
export function parseChallenges(fieldLines: readonly string[]): readonly Challenge[] {
  return fieldLines.flatMap(parseLine);
}

/** The challenge to answer: Bearer before Basic; nobody implements the others. */
export function chooseChallenge(challenges: readonly Challenge[]): Challenge | undefined {
  return (
    challenges.find((challenge) => challenge.scheme === "bearer" && challenge.parameters["realm"]) ??
    challenges.find((challenge) => challenge.scheme === "basic") ??
    challenges.find((challenge) => challenge.scheme === "bearer")
  );
}

function parseLine(line: string): readonly Challenge[] {
  const scanner = new HeaderScanner(line);
  const found: { scheme: string; parameters: Map<string, string>; token68?: string }[] = [];
  for (;;) {
    scanner.separators();
    if (scanner.atEnd) break;
    const word = scanner.token();
    scanner.space();
    if (word !== "" && scanner.take("=")) {
      readParameter(scanner, word, found.at(-1)?.parameters);
    } else if (word !== "") {
      const challenge: (typeof found)[number] = { scheme: word.toLowerCase(), parameters: new Map() };
      found.push(challenge);
      const token68 = scanner.token68();
      if (token68 !== undefined) challenge.token68 = token68;
      else readFirstParameter(scanner, challenge.parameters);
    }
    scanner.skipElement();
  }
  return found.map(({ parameters, ...rest }) => ({
    ...rest,
    parameters: Object.fromEntries(parameters),
  }));
}

function readFirstParameter(scanner: HeaderScanner, parameters: Map<string, string>): void {
  const name = scanner.token();
  scanner.space();
  if (name !== "" && scanner.take("=")) readParameter(scanner, name, parameters);
}

function readParameter(
  scanner: HeaderScanner,
  name: string,
  parameters: Map<string, string> | undefined,
): void {
  scanner.space();
  const value = scanner.tokenOrQuoted();
  if (value !== undefined) parameters?.set(name.toLowerCase(), value);
}
