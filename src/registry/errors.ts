import { DrayError } from "../errors.ts";

/**
 * What keeps a registry from being served or managed. What goes wrong with one request is an answer, not an error.
 *
 * - `ADDRESS_IN_USE`: something else listens on that port
 * - `ADDRESS_UNAVAILABLE`: this machine has no such address, or may not use that port
 * - `TLS_INVALID`: the certificate or its key can't be used
 * - `CONFIG_INVALID`, `CONFIG_UNREADABLE`: a file that says who may do what is wrong, or can't be read
 * - `ACCOUNT_EXISTS`, `ACCOUNT_UNKNOWN`: a robot of that name is there already, or isn't
 * - `ACCOUNT_ENDED`: a robot's time is over, so that a new secret of it would be of no use
 * - `TENANT_INVALID`: a name that no tenant can have
 * - `TENANT_EXISTS`, `TENANT_UNKNOWN`: a tenant of that name is there already, or isn't
 * - `TENANT_BUSY`: somebody else is changing this tenant, or what it has in the cluster
 * - `TENANT_HOLDS_IMAGES`: nobody said what becomes of the images of a tenant that goes
 * - `NOTIFICATION_FAILED`: somebody who wants to be told of what happens can't be
 */
export type RegistryErrorCode =
  | "NOTIFICATION_FAILED"
  | "ADDRESS_IN_USE"
  | "ADDRESS_UNAVAILABLE"
  | "TLS_INVALID"
  | "CONFIG_INVALID"
  | "CONFIG_UNREADABLE"
  | "ACCOUNT_EXISTS"
  | "ACCOUNT_UNKNOWN"
  | "ACCOUNT_ENDED"
  | "TENANT_INVALID"
  | "TENANT_EXISTS"
  | "TENANT_UNKNOWN"
  | "TENANT_BUSY"
  | "TENANT_HOLDS_IMAGES";

export class RegistryError extends DrayError<RegistryErrorCode> {}
