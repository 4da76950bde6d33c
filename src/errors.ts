/**
 * The base of every error dray throws on purpose.
 *
 * Each room has one subclass with a closed union of codes. Callers branch on `code`, never on the message;
 * edges translate codes in one table each. Anything else that is thrown is a defect.
 */

export interface DrayErrorOptions {
  /** The failure underneath, kept for `--debug`; never printed by default. */
  readonly cause?: unknown;
}

export class DrayError<Code extends string = string> extends Error {
  /** A stable, upper-case word; spelled as in the OCI distribution spec where that has one. */
  readonly code: Code;

  constructor(code: Code, message: string, options: DrayErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = new.target.name;
    this.code = code;
  }
}
