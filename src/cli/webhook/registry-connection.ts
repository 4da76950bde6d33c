/** How the webhook, and whoever does its work elsewhere, reach registries. */
export interface RegistryValues {
  readonly "plain-http"?: boolean;
  readonly insecure?: boolean;
  readonly "hosts-dir"?: readonly string[];
  readonly "registry-ca"?: string;
  readonly debug?: boolean;
}

/** `--tls-cert` is the webhook's own here, and no client certificate for registries. */
export function registryConnection(
  values: RegistryValues,
): Omit<RegistryValues, "registry-ca"> & { "tls-ca"?: string } {
  const { "registry-ca": ca, insecure: any, debug } = values;
  const http = values["plain-http"];
  const hosts = values["hosts-dir"];
  return {
    ...(http !== undefined && { "plain-http": http }),
    ...(any !== undefined && { insecure: any }),
    ...(hosts !== undefined && { "hosts-dir": hosts }),
    ...(debug !== undefined && { debug }),
    ...(ca !== undefined && { "tls-ca": ca }),
  };
}
