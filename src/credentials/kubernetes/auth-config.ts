import { hash } from "node:crypto";
import { encodeJson } from "../../internal/go/json-encode.ts";
import type { Secret } from "../../internal/secret.ts";

/** What a container runtime is given for a pull. */
export interface AuthConfig {
  readonly username?: string | undefined;
  readonly password?: Secret | undefined;
  readonly auth?: Secret | undefined;
  readonly email?: string | undefined;
  readonly serverAddress?: string | undefined;
  readonly identityToken?: Secret | undefined;
  readonly registryToken?: Secret | undefined;
}

/** The text that is hashed. It holds the secrets. */
export function encodeAuthConfig(config: AuthConfig): string {
  return encodeJson({
    username: config.username || undefined,
    password: config.password?.reveal() || undefined,
    auth: config.auth?.reveal() || undefined,
    email: config.email || undefined,
    serveraddress: config.serverAddress || undefined,
    identitytoken: config.identityToken?.reveal() || undefined,
    registrytoken: config.registryToken?.reveal() || undefined,
  });
}

/** Hex SHA-256 by which pull records know a credential again, whatever registry it is for. */
export function hashAuthConfig(config: AuthConfig): string {
  return hash("sha256", encodeAuthConfig(config), "hex");
}
