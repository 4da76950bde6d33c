import { DrayError } from "../errors.ts";

/**
 * - `CONFIG_INVALID`: a credentials file that is not what its format promises
 * - `CONFIG_UNREADABLE`, `CONFIG_UNWRITABLE`: the file system refused
 * - `AUTH_INVALID`: an entry that can't be decoded
 * - `HELPER_MISSING`: no such `docker-credential-*` program
 * - `HELPER_FAILED`: it ran and reported a failure, took too long, or answered something else than its protocol
 * - `NOTHING_TO_STORE`: a kind of credential, or an empty one, that can't be kept
 */
export type CredentialsErrorCode =
  | "CONFIG_INVALID"
  | "CONFIG_UNREADABLE"
  | "CONFIG_UNWRITABLE"
  | "AUTH_INVALID"
  | "HELPER_MISSING"
  | "HELPER_FAILED"
  | "NOTHING_TO_STORE";

export class CredentialsError extends DrayError<CredentialsErrorCode> {}
