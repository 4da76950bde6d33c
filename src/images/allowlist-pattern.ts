import { ImagesError } from "./errors.ts";
import { trimImageTagDigest } from "./trim-image.ts";

/** One entry of `preloadedImagesVerificationAllowlist`. */
export interface AllowlistPattern {
  /** The exact name; for a wildcard, the prefix up to and with its last slash. */
  readonly text: string;
  readonly wildcard: boolean;
}

/**
 * Reads `registry/path` or `registry/path/*`.
 *
 * @throws ImagesError `ALLOWLIST_PATTERN_INVALID` with the kubelet's message
 */
export function parseAllowlistPattern(pattern: string): AllowlistPattern {
  // Go's white space: unlike String.trim() it has U+0085 and hasn't U+FEFF.
  if (/^\p{White_Space}|\p{White_Space}$/u.test(pattern)) {
    throw invalid(`leading/trailing spaces are not allowed: ${pattern}`);
  }
  const wildcard = pattern.endsWith("/*");
  const text = wildcard ? pattern.slice(0, -1) : pattern;
  if (text === "") throw invalid(`the supplied pattern is too short: ${pattern}`);
  if (text.includes("*")) {
    throw invalid(`not a valid wildcard pattern, only patterns ending with '/*' are allowed: ${pattern}`);
  }
  if (wildcard) {
    if (text === "/") throw invalid("at least registry hostname is required");
    return { text, wildcard };
  }
  if (trimmed(text) !== text) {
    throw invalid(`neither tag nor digest is accepted in an image reference: ${pattern}`);
  }
  return { text, wildcard };
}

function trimmed(text: string): string {
  try {
    return trimImageTagDigest(text);
  } catch (error) {
    if (!(error instanceof ImagesError)) throw error;
    throw invalid(`failed to parse as an image name: ${error.message}`, error);
  }
}

function invalid(message: string, cause?: unknown): ImagesError {
  return new ImagesError("ALLOWLIST_PATTERN_INVALID", message, { cause });
}
