/**
 * Repository names and tags, as the distribution protocol and image references share them.
 *
 * ```text
 * repository = component *( "/" component )
 * component  = alnum *( separator alnum )      alnum = 1*( a-z / 0-9 )
 * separator  = "." / "_" / "__" / 1*"-"
 * tag        = ( letter / digit / "_" ) *127( letter / digit / "_" / "." / "-" )
 * ```
 *
 * Read by hand, one character at a time, so that no input costs more than its length.
 */
const SLASH = 0x2f;
const DOT = 0x2e;
const DASH = 0x2d;
const UNDERSCORE = 0x5f;

/** Characters of a repository name, the registry's host not counted. */
export const MAX_REPOSITORY_LENGTH = 255;
export const MAX_TAG_LENGTH = 128;

const LOWER_ALNUM = tableOf("abcdefghijklmnopqrstuvwxyz0123456789");
const TAG_START = tableOf("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_");
const TAG_REST = tableOf("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-");

/** Whether `text` may name a repository, its length included. */
export function isRepositoryName(text: string): boolean {
  return text.length <= MAX_REPOSITORY_LENGTH && scanRepository(text, 0) === text.length;
}

/** Whether `text` may name a tag. */
export function isTag(text: string): boolean {
  return text.length <= MAX_TAG_LENGTH && scanTag(text, 0) === text.length;
}

/** Where the repository name that begins at `from` ends, or -1 when none stands there. Checks no length. */
export function scanRepository(text: string, from: number): number {
  let at = from;
  for (;;) {
    const start = at;
    while (LOWER_ALNUM[text.charCodeAt(at)] === 1) at++;
    if (at === start) return -1;
    switch (text.charCodeAt(at)) {
      case SLASH:
      case DOT:
        at++;
        break;
      case UNDERSCORE:
        at++;
        if (text.charCodeAt(at) === UNDERSCORE) at++;
        break;
      case DASH:
        do at++;
        while (text.charCodeAt(at) === DASH);
        break;
      default:
        return at;
    }
  }
}

/** Where the tag that begins at `from` ends, or -1 when none stands there or it is too long. */
export function scanTag(text: string, from: number): number {
  if (TAG_START[text.charCodeAt(from)] !== 1) return -1;
  let at = from + 1;
  while (TAG_REST[text.charCodeAt(at)] === 1) at++;
  return at - from <= MAX_TAG_LENGTH ? at : -1;
}

/** A lookup by character code; codes beyond it, and the NaN behind the end of a text, find `undefined`. */
function tableOf(characters: string): Uint8Array {
  const table = new Uint8Array(128);
  for (const character of characters) table[character.charCodeAt(0)] = 1;
  return table;
}
