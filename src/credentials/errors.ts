import { DrayError } from "../errors.ts";

/**
 * - `CONFIG_INVALID`: a credentials file that is not what its format promises
 * - `CONFIG_UNREADABLE`, `CONFIG_UNWRITABLE`: the file system refused
 * - `AUTH_INVALID`: an entry that can't be decoded
 * - `HELPER_MISSING`: no such `docker-credential-*` program
 * - `HELPER_FAILED`: it ran and reported a failure, took too long, or answered something else than its protocol
 * - `PROVIDER_INVALID`: an exec credential provider, or its configuration, that can't be used
 * - `PROVIDER_FAILED`: one that failed, took too long, or answered something else than its protocol
 * - `EXTENSION_INVALID`: a module that was named as an extension and isn't one
 * - `NOTHING_TO_STORE`: a kind of credential, or an empty one, that can't be kept
 */
export type CredentialsErrorCode =
  | "CONFIG_INVALID"
  | "CONFIG_UNREADABLE"
  | "CONFIG_UNWRITABLE"
  | "AUTH_INVALID"
  | "HELPER_MISSING"
  | "HELPER_FAILED"
  | "PROVIDER_INVALID"
  | "PROVIDER_FAILED"
  | "EXTENSION_INVALID"
  | "NOTHING_TO_STORE";

export class CredentialsError extends DrayError<CredentialsErrorCode> {}
