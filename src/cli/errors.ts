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
 * - `CLUSTER_UNKNOWN`: nobody said which cluster a tenant's namespaces are in
 * - `NAMESPACE_UNKNOWN`: a namespace that isn't in the cluster
 * - `SECRET_TAKEN`: a Secret of somebody else's has the name that a tenant's needs
 * - `ENDPOINT_UNKNOWN`: no CRI socket where one is usually found
 * - `PIN_UNSUPPORTED`: a runtime that offers no way to pin images
 * - `BUDGET_EXCEEDED`: images that don't fit into the disk's budget
 * - `REGISTRY_MISMATCH`: a registry doesn't know a login that was just made for it
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
  | "WEBHOOK_UNAVAILABLE"
  | "CLUSTER_UNKNOWN"
  | "NAMESPACE_UNKNOWN"
  | "SECRET_TAKEN"
  | "ENDPOINT_UNKNOWN"
  | "PIN_UNSUPPORTED"
  | "BUDGET_EXCEEDED"
  | "REGISTRY_MISMATCH";

export class CliError extends DrayError<CliErrorCode> {}

/** A command line that can't be understood; `command` says whose help to point at. */
export class UsageError extends CliError {
  readonly command: string | undefined;

  constructor(message: string, command?: string) {
    super("USAGE", message);
    this.command = command;
  }
}

/** Whoever was asked something pressed Ctrl-C: nothing has to be said. */
export class GivenUp extends Error {}
