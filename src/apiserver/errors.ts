import { DrayError } from "../errors.ts";
import { explainListenFailure } from "../internal/listen-failure.ts";

/**
 * - `BUSY`: another process serves the same folder
 * - `ADDRESS_IN_USE`, `ADDRESS_UNAVAILABLE`: the port can't be listened on
 * - `TLS_INVALID`: certificate and key can't be used
 */
export type ApiServerErrorCode = "BUSY" | "ADDRESS_IN_USE" | "ADDRESS_UNAVAILABLE" | "TLS_INVALID";

export class ApiServerError extends DrayError<ApiServerErrorCode> {}

/** What stood in the way of a port. */
export function listenFailure(cause: unknown, host: string, port: number): unknown {
  const badIdentity = "the certificate and key in its folder cannot be used";
  const failure = explainListenFailure(cause, { what: "the Kubernetes API", host, port, badIdentity });
  return failure === undefined ? cause : new ApiServerError(failure.code, failure.message, { cause });
}
