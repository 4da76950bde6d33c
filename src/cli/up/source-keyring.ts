import {
  type Credential,
  type CredentialCandidate,
  type CredentialSource,
  hashAuthConfig,
  type ImageKeyring,
  type KeyringAnswer,
  type LookupOptions,
  type Secret,
  type TrackedCredential,
} from "../../credentials/index.ts";

/**
 * A source of credentials in a node's keyring. Sources have tokens, too, which a keyring has no words for: what stands
 * for one is looked up with {@link candidateOf} when it is used.
 */
export class SourceKeyring implements ImageKeyring {
  readonly #source: CredentialSource;
  readonly #onFailure: (error: unknown) => void;
  readonly #candidates = new WeakMap<TrackedCredential, CredentialCandidate>();

  constructor(source: CredentialSource, options: { readonly onFailure: (error: unknown) => void }) {
    this.#source = source;
    this.#onFailure = options.onFailure;
  }

  /** A source that fails has nothing, as a provider that fails; others may have something. */
  async lookup(image: string, options: LookupOptions = {}): Promise<KeyringAnswer> {
    const slash = image.indexOf("/");
    const target = { host: image.slice(0, slash), repository: image.slice(slash + 1) };
    let candidates: readonly CredentialCandidate[] = [];
    try {
      candidates = await this.#source.find(target, options);
    } catch (error) {
      options.signal?.throwIfAborted();
      this.#onFailure(error);
    }
    const credentials = candidates.map((candidate) => this.#track(candidate));
    return { credentials, found: credentials.length > 0 };
  }

  candidateOf(credential: TrackedCredential): CredentialCandidate | undefined {
    return this.#candidates.get(credential);
  }

  #track(candidate: CredentialCandidate): TrackedCredential {
    const { username, password } = userOf(candidate.credential);
    const credential: TrackedCredential = {
      username,
      password,
      email: "",
      owner: undefined,
      hash: hashAuthConfig({ username, password }),
      origin: candidate.origin,
    };
    this.#candidates.set(credential, candidate);
    return credential;
  }
}

function userOf(credential: Credential): { readonly username: string; readonly password: Secret } {
  if (credential.kind === "basic") return { username: credential.username, password: credential.password };
  return { username: `<${credential.kind}>`, password: credential.token };
}
