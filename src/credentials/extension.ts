/**
 * Local extensions: a module, named in the configuration, that finds credentials.
 *
 * ```ts
 * // /etc/dray/vault.ts
 * export function createCredentialSource(settings: { url: string }) {
 *   return {
 *     async find({ host }) {
 *       const password = await askVault(settings.url, host);
 *       return [{ username: "puller", password, label: `vault ${host}` }];
 *     },
 *   };
 * }
 * ```
 *
 * The module needs nothing of dray's: it answers with plain texts, which are put away at once.
 */
import type { CredentialCandidate, CredentialSource, CredentialTarget } from "./credential.ts";
import { CredentialsError } from "./errors.ts";
import { Secret } from "../internal/secret.ts";

/** What an extension's source answers with: a user and password, or one of the tokens. */
export type ExtensionCredential =
  | { readonly username: string; readonly password: string; readonly label?: string }
  | { readonly identityToken: string; readonly label?: string }
  | { readonly registryToken: string; readonly label?: string };

export interface ExtensionSource {
  find(
    target: CredentialTarget,
    options: { readonly signal?: AbortSignal | undefined },
  ): Promise<readonly ExtensionCredential[]> | readonly ExtensionCredential[];
}

/** What the module exports under the name `createCredentialSource`. */
export type CreateCredentialSource = (settings: unknown) => ExtensionSource | Promise<ExtensionSource>;

export interface ExtensionOptions {
  /** Handed to the module as it is. */
  readonly settings?: unknown;
  /** `(specifier) => import(specifier)`, where the program may decide what may be imported. */
  readonly load: (specifier: string) => Promise<unknown>;
}

/**
 * Loads an extension.
 *
 * @throws CredentialsError `EXTENSION_INVALID`
 */
export async function loadExtension(specifier: string, options: ExtensionOptions): Promise<CredentialSource> {
  const create = await loadFactory(specifier, options.load);
  let source: unknown;
  try {
    source = await create(options.settings);
  } catch (cause) {
    throw invalid(specifier, "it failed to start", cause);
  }
  if (!isSource(source)) throw invalid(specifier, "what it creates has no find()");
  return new LoadedExtension(specifier, source);
}

class LoadedExtension implements CredentialSource {
  readonly #specifier: string;
  readonly #source: ExtensionSource;

  constructor(specifier: string, source: ExtensionSource) {
    this.#specifier = specifier;
    this.#source = source;
  }

  async find(
    target: CredentialTarget,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<readonly CredentialCandidate[]> {
    let found: unknown;
    try {
      found = await this.#source.find(target, options);
    } catch (cause) {
      options.signal?.throwIfAborted();
      throw invalid(this.#specifier, `it failed for "${target.host}"`, cause);
    }
    if (!Array.isArray(found)) throw invalid(this.#specifier, "its answer is not a list");
    return found.map((answer: unknown) => toCandidate(answer, this.#specifier));
  }
}

async function loadFactory(
  specifier: string,
  load: ExtensionOptions["load"],
): Promise<CreateCredentialSource> {
  let module: unknown;
  try {
    module = await load(specifier);
  } catch (cause) {
    throw invalid(specifier, "it can't be loaded", cause);
  }
  const { createCredentialSource: create } = (module ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof create !== "function") throw invalid(specifier, "it exports no createCredentialSource()");
  return create as CreateCredentialSource;
}

/** Nothing of the answer is quoted, as it may hold secrets wherever they don't belong. */
function toCandidate(answer: unknown, specifier: string): CredentialCandidate {
  const { username, password, identityToken, registryToken, label } = (answer ?? {}) as Readonly<
    Record<string, unknown>
  >;
  const said = typeof label === "string" && label !== "" ? `${specifier}, ${label}` : specifier;
  const origin = { kind: "extension", label: said } as const;
  if (typeof identityToken === "string") {
    return { credential: { kind: "identity-token", token: new Secret(identityToken) }, origin };
  }
  if (typeof registryToken === "string") {
    return { credential: { kind: "registry-token", token: new Secret(registryToken) }, origin };
  }
  if (typeof username === "string" && typeof password === "string") {
    return { credential: { kind: "basic", username, password: new Secret(password) }, origin };
  }
  throw invalid(specifier, "its answer holds neither a user with a password nor a token");
}

function isSource(value: unknown): value is ExtensionSource {
  return typeof value === "object" && value !== null && "find" in value && typeof value.find === "function";
}

function invalid(specifier: string, why: string, cause?: unknown): CredentialsError {
  return new CredentialsError("EXTENSION_INVALID", `Cannot use extension "${specifier}": ${why}`, { cause });
}
