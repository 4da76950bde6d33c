/**
 * The bare grammar of references. It adds no domain, tag or prefix and rewrites nothing.
 *
 * Everything is scanned by hand and once, so a megabyte of any shape takes milliseconds.
 */
import { findDigestFault, type Digest, type DigestFault, type DigestOptions } from "../oci/index.ts";
import { MAX_REPOSITORY_LENGTH, scanRepository, scanTag } from "../oci/index.ts";
import { type InvalidReferenceErrorCode } from "./errors.ts";
import { type Reference } from "./reference.ts";

const COLON = 0x3a;
const AT = 0x40;
const DOT = 0x2e;
const DASH = 0x2d;
const UNDERSCORE = 0x5f;
const PLUS = 0x2b;
const OPEN = 0x5b;
const CLOSE = 0x5d;

const DIGIT = 1;
const HEX_LETTER = 2;
const OTHER_LETTER = 4;
const LETTER = HEX_LETTER | OTHER_LETTER;
const ALNUM = DIGIT | LETTER;
const HEX = DIGIT | HEX_LETTER;
const KINDS = kindsOfCharacters();

/** What the grammar finds in a text, before lengths and digests are judged. */
export interface ReferenceParts {
  /** Empty when the name has no domain. */
  readonly domain: string;
  readonly path: string;
  readonly tag: string | undefined;
  /** Only its outer form is known to be right. */
  readonly digest: string | undefined;
}

/** `[domain/]path[:tag][@digest]`, or `undefined` when the text doesn't have that form. */
export function matchReference(text: string): ReferenceParts | undefined {
  const domain = text.slice(0, domainLength(text));
  return matchRest(text, domain);
}

/** What follows `domain` and its slash, or the whole text when there is none: `path[:tag][@digest]`. */
export function matchRest(text: string, domain: string): ReferenceParts | undefined {
  const start = domain === "" ? 0 : domain.length + 1;
  const end = scanRepository(text, start);
  if (end < 0) return undefined;
  const path = text.slice(start, end);
  if (end === text.length) return { domain, path, tag: undefined, digest: undefined };
  let at = end;
  let tag: string | undefined;
  if (text.charCodeAt(at) === COLON) {
    at = scanTag(text, end + 1);
    if (at < 0) return undefined;
    tag = text.slice(end + 1, at);
    if (at === text.length) return { domain, path, tag, digest: undefined };
  }
  if (text.charCodeAt(at) !== AT || !isDigestForm(text, at + 1)) return undefined;
  return { domain, path, tag, digest: text.slice(at + 1) };
}

/** `[domain/]path` of any length, or `undefined`. */
export function matchName(text: string): { readonly domain: string; readonly path: string } | undefined {
  const start = domainLength(text);
  const pathStart = start === 0 ? 0 : start + 1;
  if (scanRepository(text, pathStart) !== text.length) return undefined;
  return { domain: text.slice(0, start), path: text.slice(pathStart) };
}

/** Whether `text` is a registry's host with optional port: a domain name or a bracketed IPv6 address. */
export function isDomain(text: string): boolean {
  return scanDomain(text, 0) === text.length;
}

/** Whether `text` is an image id: exactly 64 lower-case hex digits. */
export function isIdentifier(text: string): boolean {
  if (text.length !== 64) return false;
  for (let at = 0; at < 64; at++) {
    const code = text.charCodeAt(at);
    if (!((code >= 0x30 && code <= 0x39) || (code >= 0x61 && code <= 0x66))) return false;
  }
  return true;
}

/**
 * Whether `text` from `from` on has the form references allow for a digest: at least 32 hex digits after an
 * algorithm's name. Neither the algorithm nor the exact length is judged.
 */
export function isDigestForm(text: string, from = 0): boolean {
  let at = from;
  for (;;) {
    if ((kindAt(text, at) & LETTER) === 0) return false;
    do at++;
    while ((kindAt(text, at) & ALNUM) !== 0);
    const code = text.charCodeAt(at++);
    if (code === COLON) break;
    if (code !== PLUS && code !== DOT && code !== DASH && code !== UNDERSCORE) return false;
  }
  const start = at;
  while ((kindAt(text, at) & HEX) !== 0) at++;
  return at === text.length && at - start >= 32;
}

/** The parts as a {@link Reference}, or the code of what is wrong with them. */
export function judge(
  parts: ReferenceParts,
  options: DigestOptions,
): Reference | Extract<InvalidReferenceErrorCode, "NAME_TOO_LONG" | `DIGEST_${string}`> {
  const { domain, path, tag, digest } = parts;
  if (path.length > MAX_REPOSITORY_LENGTH) return "NAME_TOO_LONG";
  if (digest === undefined) return tag === undefined ? { domain, path } : { domain, path, tag };
  const fault = findDigestFault(digest, options);
  if (fault !== undefined) return DIGEST_CODES[fault];
  return tag === undefined
    ? { domain, path, digest: digest as Digest }
    : { domain, path, tag, digest: digest as Digest };
}

const DIGEST_CODES = {
  "invalid-format": "DIGEST_INVALID_FORMAT",
  "invalid-length": "DIGEST_INVALID_LENGTH",
  unsupported: "DIGEST_UNSUPPORTED",
} as const satisfies Record<DigestFault, InvalidReferenceErrorCode>;

/** The length of the domain a name begins with; 0 without one. Whatever stands before the first slash may be one. */
function domainLength(text: string): number {
  const end = scanDomain(text, 0);
  return end > 0 && text.charCodeAt(end) === 0x2f ? end : 0;
}

/** Where the domain at `from` ends: at the end of the text or before a character it can't contain. -1 without one. */
export function scanDomain(text: string, from: number): number {
  let at = text.charCodeAt(from) === OPEN ? scanBrackets(text, from) : scanHostName(text, from);
  if (at < 0 || text.charCodeAt(at) !== COLON) return at;
  const port = ++at;
  while ((kindAt(text, at) & DIGIT) !== 0) at++;
  return at === port ? -1 : at;
}

function scanHostName(text: string, from: number): number {
  let at = from;
  for (;;) {
    if ((kindAt(text, at) & ALNUM) === 0) return -1;
    do at++;
    while ((kindAt(text, at) & ALNUM) !== 0 || text.charCodeAt(at) === DASH);
    if (text.charCodeAt(at - 1) === DASH) return -1;
    if (text.charCodeAt(at) !== DOT) return at;
    at++;
  }
}

function scanBrackets(text: string, from: number): number {
  let at = from + 1;
  while ((kindAt(text, at) & HEX) !== 0 || text.charCodeAt(at) === COLON) at++;
  return at > from + 1 && text.charCodeAt(at) === CLOSE ? at + 1 : -1;
}

function kindAt(text: string, at: number): number {
  return KINDS[text.charCodeAt(at)] ?? 0;
}

function kindsOfCharacters(): Uint8Array {
  const kinds = new Uint8Array(128);
  for (let code = 0; code < 128; code++) {
    const character = String.fromCharCode(code);
    if (/[0-9]/.test(character)) kinds[code] = DIGIT;
    else if (/[a-fA-F]/.test(character)) kinds[code] = HEX_LETTER;
    else if (/[g-zG-Z]/.test(character)) kinds[code] = OTHER_LETTER;
  }
  return kinds;
}
