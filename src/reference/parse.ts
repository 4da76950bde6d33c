import { type DigestOptions } from "../oci/index.ts";
import { InvalidReferenceError, quote, type InvalidReferenceErrorCode } from "./errors.ts";
import { isIdentifier, judge, matchReference, matchRest, scanDomain } from "./grammar.ts";
import { type Reference } from "./reference.ts";

/** The registry of names without one. */
export const DEFAULT_DOMAIN = "docker.io";
/** Where Docker Hub's official images live; familiar names leave it out. */
export const OFFICIAL_PREFIX = "library/";
export const DEFAULT_TAG = "latest";

/** Docker Hub's first name, still written by old tools. */
const LEGACY_DEFAULT_DOMAIN = "index.docker.io";

export interface ParseOptions extends DigestOptions {
  /**
   * Whether the text is what a person types, to be completed with Docker Hub's domain and `library/`: true by
   * default. Without it the text is read as it stands.
   */
  readonly normalize?: boolean | undefined;
}

/**
 * Reads an image reference. Both a tag and a digest are kept, and no tag is added: pulls want
 * {@link parseDockerRef}.
 *
 * @throws InvalidReferenceError
 */
export function parseReference(text: string, options: ParseOptions = {}): Reference {
  if (options.normalize === false) return parseBare(text, text, options);
  return parseCommon(text, options) ?? parseFamiliar(text, options);
}

/**
 * The quick way for names as they usually are. It never fails: whatever isn't plainly right is left to
 * {@link parseFamiliar}, which follows the rules word by word and says what is wrong.
 */
function parseCommon(text: string, options: DigestOptions): Reference | undefined {
  const slash = text.indexOf("/");
  const hosted = slash > 0 && looksLikeHost(text, slash);
  if (hosted ? scanDomain(text, 0) !== slash : isIdentifier(text)) return undefined;
  const parts = matchRest(text, hosted ? text.slice(0, slash) : "");
  if (parts === undefined) return undefined;
  let { domain, path } = parts;
  if (domain === "" || domain === LEGACY_DEFAULT_DOMAIN) domain = DEFAULT_DOMAIN;
  if (domain === DEFAULT_DOMAIN && !path.includes("/")) path = OFFICIAL_PREFIX + path;
  const result = judge({ domain, path, tag: parts.tag, digest: parts.digest }, options);
  return typeof result === "string" ? undefined : result;
}

/** The rules for what a person types, in their order, and the errors they give. */
function parseFamiliar(text: string, options: DigestOptions): Reference {
  if (isIdentifier(text)) {
    throw invalid("IDENTIFIER_NOT_ALLOWED", text, "64 hex digits are an image id, not a name");
  }
  let domain = DEFAULT_DOMAIN;
  let remainder = text;
  const slash = text.indexOf("/");
  if (slash >= 0 && looksLikeHost(text, slash)) {
    domain = text.slice(0, slash);
    remainder = text.slice(slash + 1);
    if (domain === LEGACY_DEFAULT_DOMAIN) domain = DEFAULT_DOMAIN;
  }
  if (domain === DEFAULT_DOMAIN && !remainder.includes("/")) remainder = OFFICIAL_PREFIX + remainder;
  const colon = remainder.indexOf(":");
  const name = colon < 0 ? remainder : remainder.slice(0, colon);
  if (lowerCase(name) !== name) throw invalid("NAME_CONTAINS_UPPERCASE", text, UPPERCASE);
  return parseBare(`${domain}/${remainder}`, text, options);
}

/** Reads `text` by the bare grammar; errors quote what was `given`. */
function parseBare(text: string, given: string, options: DigestOptions): Reference {
  const parts = matchReference(text);
  if (parts === undefined) {
    if (text === "") throw invalid("NAME_EMPTY", given, "it is empty");
    const lower = lowerCase(text);
    if (lower !== text && matchReference(lower) !== undefined) {
      throw invalid("NAME_CONTAINS_UPPERCASE", given, UPPERCASE);
    }
    throw invalid("INVALID_FORMAT", given, "it should look like [registry/]repository[:tag][@digest]");
  }
  const result = judge(parts, options);
  if (typeof result === "string") throw invalid(result, given, FAULTS[result]);
  return result;
}

const UPPERCASE = "a repository is written in lower case";

const FAULTS = {
  NAME_TOO_LONG: "a repository has at most 255 characters",
  DIGEST_INVALID_FORMAT: "its digest is not algorithm:lower-case hex digits",
  DIGEST_INVALID_LENGTH: "its digest has the wrong number of hex digits for its algorithm",
  DIGEST_UNSUPPORTED: "its digest's algorithm is not enabled",
} as const;

/** Whether what stands before the first slash is a registry's host. */
function looksLikeHost(text: string, slash: number): boolean {
  for (let at = 0; at < slash; at++) {
    const code = text.charCodeAt(at);
    if (code === 0x2e || code === 0x3a || (code >= 0x41 && code <= 0x5a)) return true;
    if (code > 0x7f) return hasUpperCase(text.slice(0, slash)) || /[.:]/.test(text.slice(at, slash));
  }
  return slash === 9 && text.startsWith("localhost");
}

function hasUpperCase(text: string): boolean {
  return lowerCase(text) !== text;
}

/** Lower case, a character for a character: İ becomes i, without the dot that JavaScript keeps beside it. */
function lowerCase(text: string): string {
  return text.replaceAll("\u0130", "i").toLowerCase();
}

function invalid(code: InvalidReferenceErrorCode, text: string, why: string): InvalidReferenceError {
  return new InvalidReferenceError(code, `Cannot read image reference ${quote(text)}: ${why}`);
}
