import { DrayError } from "../errors.ts";

/**
 * - `BUSY`: another process serves the same folder
 * - `ADDRESS_IN_USE`, `ADDRESS_UNAVAILABLE`: the port can't be listened on
 * - `TLS_INVALID`: certificate and key can't be used
 */
export type ApiServerErrorCode = "BUSY" | "ADDRESS_IN_USE" | "ADDRESS_UNAVAILABLE" | "TLS_INVALID";

export class ApiServerError extends DrayError<ApiServerErrorCode> {}

/** What stood in the way of a port. */
export function explainListenFailure(cause: unknown, host: string, port: number): unknown {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const where = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const start = `Cannot serve the Kubernetes API on ${JSON.stringify(where)}: `;
  switch (code) {
    case "EADDRINUSE":
      return new ApiServerError(
        "ADDRESS_IN_USE",
        `${start}something else listens on that port; stop it or choose another port`,
        { cause },
      );
    case "EACCES":
      return new ApiServerError(
        "ADDRESS_UNAVAILABLE",
        `${start}no permission for that port; choose one from 1024 up`,
        { cause },
      );
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return new ApiServerError("ADDRESS_UNAVAILABLE", `${start}this machine has no such address`, { cause });
  }
  if (code.startsWith("ERR_OSSL") || code.startsWith("ERR_TLS")) {
    return new ApiServerError("TLS_INVALID", `${start}the certificate and key in its folder cannot be used`, {
      cause,
    });
  }
  return cause;
}
