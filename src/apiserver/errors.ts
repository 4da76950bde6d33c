import { DrayError } from "../errors.ts";

/**
 * - `BUSY`: another process serves the same folder
 * - `ADDRESS_IN_USE`, `ADDRESS_UNAVAILABLE`: the port can't be listened on
 * - `TLS_INVALID`: certificate and key can't be used
 */
export type ApiServerErrorCode = "BUSY" | "ADDRESS_IN_USE" | "ADDRESS_UNAVAILABLE" | "TLS_INVALID";

export class ApiServerError extends DrayError<ApiServerErrorCode> {}
