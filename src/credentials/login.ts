/** Keeps and forgets credentials where Docker, Podman and {@link DockerConfigSource} look for them. */
import { encodeAuthEntry } from "./auth-entry.ts";
import { type ConfigFile, openConfigFile, writeConfigFile } from "./config-file.ts";
import type { Credential, CredentialOrigin } from "./credential.ts";
import { CredentialHelper } from "./credential-helper.ts";
import { authKeysFor, helperFor } from "./docker-config.ts";
import type { DockerConfigOptions } from "./docker-config-source.ts";
import { CredentialsError } from "./errors.ts";
import { canonicalKey, normalizeKey } from "./registry-key.ts";

export interface LoginOptions extends DockerConfigOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * Keeps a credential for a registry (`ghcr.io`, or a part of it: `ghcr.io/team`), in the helper configured for it or else in the file, and says where.
 * @throws CredentialsError
 */
export async function login(
  host: string,
  credential: Credential,
  options: LoginOptions,
): Promise<CredentialOrigin> {
  checkStorable(host, credential);
  const file = await openConfigFile(options, options.path);
  const key = canonicalKey(normalizeKey(host));
  const helper = helperOf(file, host, options);
  await helper?.store(key, credential, { signal: options.signal });
  // With a helper an empty entry stays behind, by which Docker knows that there is one.
  const entry = helper === undefined ? encodeAuthEntry(credential) : {};
  const auths = { ...without(file, host), [key]: entry };
  await writeConfigFile(file, { ...file.config.document, auths });
  return helper === undefined
    ? { kind: "file", label: `${file.path}, auths["${key}"]` }
    : { kind: "helper", label: helper.program };
}

/**
 * Forgets a registry's credential. False when there was none.
 * @throws CredentialsError
 */
export async function logout(host: string, options: LoginOptions): Promise<boolean> {
  const file = await openConfigFile(options, options.path);
  const erased =
    (await helperOf(file, host, options)?.erase(canonicalKey(normalizeKey(host)), {
      signal: options.signal,
    })) ?? false;
  const auths = without(file, host);
  if (Object.keys(auths).length === Object.keys(file.config.auths).length) return erased;
  await writeConfigFile(file, { ...file.config.document, auths });
  return true;
}

function helperOf(file: ConfigFile, host: string, options: LoginOptions): CredentialHelper | undefined {
  const suffix = helperFor(file.config, host);
  const { env, run, helperTimeout: timeout } = options;
  return suffix === undefined ? undefined : new CredentialHelper(suffix, { env, run, timeout });
}

/** The entries but those of this registry, in whatever spelling. */
function without(file: ConfigFile, host: string): Readonly<Record<string, unknown>> {
  const own = new Set(authKeysFor(file.config, host));
  return Object.fromEntries(Object.entries(file.config.auths).filter(([key]) => !own.has(key)));
}

function checkStorable(host: string, credential: Credential): void {
  const empty =
    credential.kind === "basic"
      ? credential.username === "" || credential.password.empty
      : credential.token.empty;
  const colon = credential.kind === "basic" && credential.username.includes(":");
  if (!empty && !colon) return;
  throw new CredentialsError(
    "NOTHING_TO_STORE",
    `Cannot keep a credential for "${host}": ${empty ? "its user name or secret is empty" : "a user name cannot hold a colon"}`,
  );
}
