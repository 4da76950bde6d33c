import { DrayError } from "../errors.ts";

/**
 * What keeps a registry from being served. What goes wrong with one request is an answer, not an error.
 *
 * - `ADDRESS_IN_USE`: something else listens on that port
 * - `ADDRESS_UNAVAILABLE`: this machine has no such address, or may not use that port
 * - `TLS_INVALID`: the certificate or its key can't be used
 */
export type RegistryErrorCode = "ADDRESS_IN_USE" | "ADDRESS_UNAVAILABLE" | "TLS_INVALID";

export class RegistryError extends DrayError<RegistryErrorCode> {}
