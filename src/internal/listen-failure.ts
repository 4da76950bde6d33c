/** Why a server can't be put on a port, in words for whoever chose the port. */

export interface ListenFailure {
  readonly code: "ADDRESS_IN_USE" | "ADDRESS_UNAVAILABLE" | "TLS_INVALID";
  readonly message: string;
}

export interface ListenAttempt {
  /** What was to be served: `the registry`. */
  readonly what: string;
  readonly host: string;
  readonly port: number;
  /** What is wrong with a certificate that can't be used, and what to do: `the certificate and key cannot be used; …`. */
  readonly badIdentity: string;
}

/** Undefined for a defect. */
export function explainListenFailure(
  cause: unknown,
  { what, host, port, badIdentity }: ListenAttempt,
): ListenFailure | undefined {
  const code = cause instanceof Error && "code" in cause ? String(cause.code) : "";
  const where = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const start = `Cannot serve ${what} on ${JSON.stringify(where)}: `;
  switch (code) {
    case "EADDRINUSE":
      return {
        code: "ADDRESS_IN_USE",
        message: `${start}something else listens on that port; stop it or choose another port`,
      };
    case "EACCES":
      return {
        code: "ADDRESS_UNAVAILABLE",
        message: `${start}no permission for that port; choose one from 1024 up`,
      };
    case "EADDRNOTAVAIL":
    case "ENOTFOUND":
    case "EAI_AGAIN":
      return { code: "ADDRESS_UNAVAILABLE", message: `${start}this machine has no such address` };
  }
  const isIdentity = code.startsWith("ERR_OSSL") || code.startsWith("ERR_TLS");
  return isIdentity ? { code: "TLS_INVALID", message: start + badIdentity } : undefined;
}
