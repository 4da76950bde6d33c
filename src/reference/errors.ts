import { DrayError } from "../errors.ts";

/**
 * - `NAME_EMPTY`: nothing at all
 * - `INVALID_FORMAT`: the text doesn't fit the grammar
 * - `NAME_CONTAINS_UPPERCASE`: it would fit in lower case
 * - `NAME_TOO_LONG`: a path of more than 255 characters
 * - `NAME_NOT_CANONICAL`: a familiar form where the full one is required
 * - `IDENTIFIER_NOT_ALLOWED`: 64 hex digits, which are an image id and never a name
 * - `INVALID_TAG`, `INVALID_DIGEST_FORMAT`: a part that doesn't fit its own grammar
 * - `DIGEST_INVALID_FORMAT`, `DIGEST_INVALID_LENGTH`, `DIGEST_UNSUPPORTED`: a digest that fits the grammar of
 *   references and still isn't one
 * - `BAD_PATTERN`: a malformed glob
 * - `HOSTNAME_REQUIRED`, `INVALID`: the two failures of a locator
 */
export type InvalidReferenceErrorCode =
  | "NAME_EMPTY"
  | "INVALID_FORMAT"
  | "NAME_CONTAINS_UPPERCASE"
  | "NAME_TOO_LONG"
  | "NAME_NOT_CANONICAL"
  | "IDENTIFIER_NOT_ALLOWED"
  | "INVALID_TAG"
  | "INVALID_DIGEST_FORMAT"
  | "DIGEST_INVALID_FORMAT"
  | "DIGEST_INVALID_LENGTH"
  | "DIGEST_UNSUPPORTED"
  | "BAD_PATTERN"
  | "HOSTNAME_REQUIRED"
  | "INVALID";

/** A text that isn't the reference, tag, digest or pattern it was given as. */
export class InvalidReferenceError extends DrayError<InvalidReferenceErrorCode> {}

/** The text as messages show it: quoted, and cut where it would fill the screen. */
export function quote(text: string): string {
  return JSON.stringify(text.length <= 200 ? text : `${text.slice(0, 197)}...`);
}
