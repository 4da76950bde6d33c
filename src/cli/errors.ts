import { DrayError } from "../errors.ts";

/**
 * - `USAGE`: the command line itself is wrong
 * - `PORT_TAKEN`: somebody else listens there
 * - `FILE_FAILED`: a file or folder that can't be read or written
 * - `CREDENTIAL_REFUSED`: a login the registry did not accept
 * - `IMAGE_NOT_FOUND`: no such image in the node's store
 * - `NOT_SETTLED`: something that should have come to rest in time, and did not
 */
export type CliErrorCode =
  | "USAGE"
  | "PORT_TAKEN"
  | "FILE_FAILED"
  | "CREDENTIAL_REFUSED"
  | "IMAGE_NOT_FOUND"
  | "NOT_SETTLED";

export class CliError extends DrayError<CliErrorCode> {}

/** A command line that can't be understood; `command` says whose help to point at. */
export class UsageError extends CliError {
  readonly command: string | undefined;

  constructor(message: string, command?: string) {
    super("USAGE", message);
    this.command = command;
  }
}
