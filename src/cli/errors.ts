import { DrayError } from "../errors.ts";

/**
 * - `USAGE`: the command line itself is wrong
 * - `IMAGE_NOT_FOUND`: no such image in the node's store
 * - `NODE_CONFIG_INVALID`: the file with the node's own credentials can't be read
 * - `STATUS_UNKNOWN`: no node has left its status here
 * - `WEBHOOK_UNAVAILABLE`: no Pod of a webhook that was installed can answer
 * - `ADDRESS_IN_USE`, `ADDRESS_UNAVAILABLE`: no listening there
 * - `TLS_INVALID`: a certificate and key that can't be shown
 * - `UNREADABLE`: a file that is named on the command line can't be read
 * - `SETTINGS_INVALID`: a file of settings doesn't say what it should
 */
export type CliErrorCode =
  | "USAGE"
  | "IMAGE_NOT_FOUND"
  | "NODE_CONFIG_INVALID"
  | "STATUS_UNKNOWN"
  | "ADDRESS_IN_USE"
  | "ADDRESS_UNAVAILABLE"
  | "TLS_INVALID"
  | "UNREADABLE"
  | "SETTINGS_INVALID"
  | "WEBHOOK_UNAVAILABLE";

export class CliError extends DrayError<CliErrorCode> {}

/** A command line that can't be understood; `command` says whose help to point at. */
export class UsageError extends CliError {
  readonly command: string | undefined;

  constructor(message: string, command?: string) {
    super("USAGE", message);
    this.command = command;
  }
}
