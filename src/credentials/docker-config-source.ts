import { decodeAuthEntry } from "./auth-entry.ts";
import { type ConfigFile, findConfigFile } from "./config-file.ts";
import type { CredentialEnvironment } from "./config-location.ts";
import type { CredentialCandidate, CredentialSource, CredentialTarget } from "./credential.ts";
import { CredentialHelper, type HelperOptions } from "./credential-helper.ts";
import { authKeysFor, helperFor } from "./docker-config.ts";
import { canonicalKey } from "./registry-key.ts";

export interface DockerConfigOptions extends CredentialEnvironment {
  /** A file to read instead of the usual ones. */
  readonly path?: string | undefined;
  readonly run?: HelperOptions["run"];
  readonly helperTimeout?: number | undefined;
}

/**
 * Credentials from Docker's or Podman's file and the helpers it names. The file is read at each lookup, so a login
 * counts at once. A helper for the registry is asked before the file's own entries; among these the one for the
 * longest part of `host/path` wins.
 */
export class DockerConfigSource implements CredentialSource {
  readonly #options: DockerConfigOptions;

  constructor(options: DockerConfigOptions) {
    this.#options = options;
  }

  /** @throws CredentialsError */
  async find(
    target: CredentialTarget,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<readonly CredentialCandidate[]> {
    options.signal?.throwIfAborted();
    const file = await findConfigFile(this.#options, this.#options.path);
    if (file === undefined) return [];
    const kept = await this.#fromHelper(file, target, options);
    return kept ?? fromEntries(file, target);
  }

  async #fromHelper(
    { config }: ConfigFile,
    { host }: CredentialTarget,
    options: { readonly signal?: AbortSignal | undefined },
  ): Promise<readonly CredentialCandidate[] | undefined> {
    const suffix = helperFor(config, host);
    if (suffix === undefined) return undefined;
    const { env, run, helperTimeout: timeout } = this.#options;
    const helper = new CredentialHelper(suffix, { env, run, timeout });
    const credential = await helper.get(canonicalKey(host), options);
    return credential && [{ credential, origin: { kind: "helper", label: helper.program } }];
  }
}

function fromEntries(
  { config, path }: ConfigFile,
  { host, repository }: CredentialTarget,
): readonly CredentialCandidate[] {
  for (const key of authKeysFor(config, host, repository)) {
    const label = `${path}, auths["${key}"]`;
    const credential = decodeAuthEntry(config.auths[key] ?? {}, label);
    if (credential !== undefined) return [{ credential, origin: { kind: "file", label } }];
  }
  return [];
}
