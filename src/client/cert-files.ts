/** Docker's layout of certificates in a host's directory, used where there is no `hosts.toml`. */
export interface CertFiles {
  readonly ca: readonly string[];
  /** Certificate and key; an empty key means that the certificate's file holds it too. */
  readonly client: readonly (readonly [string, string])[];
}

/** Every `*.crt` is a CA; every `*.cert` a client certificate, its key in the `*.key` of the same name. */
export function certFiles(fileNames: readonly string[]): CertFiles {
  const sorted = fileNames.toSorted();
  const present = new Set(sorted);
  return {
    ca: sorted.filter((name) => name.endsWith(".crt")),
    client: sorted
      .filter((name) => name.endsWith(".cert"))
      .map((cert): [string, string] => {
        const key = cert.replace(/\.cert$/, ".key");
        return [cert, present.has(key) ? key : ""];
      }),
  };
}
