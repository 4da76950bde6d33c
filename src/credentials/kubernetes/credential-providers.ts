import { type ImageKeyring, Keyring, type KeyringAnswer, type LookupOptions } from "./keyring.ts";
import type { ImageCredentialProvider, Provision } from "./plugin-provider.ts";
import type { PodIdentity } from "./service-accounts.ts";

const NOBODY: PodIdentity = { namespace: "", name: "", uid: "", serviceAccountName: "" };

export interface CredentialProvidersOptions {
  /** The gate KubeletServiceAccountTokenForCredentialProviders; on by default. Off, no provider is told of a Pod. */
  readonly serviceAccountTokens?: boolean | undefined;
  /** The gate KubeletEnsureSecretPulledImages; on by default. */
  readonly track?: boolean | undefined;
}

/** The node's exec providers, in the order of their configuration. */
export class CredentialProviders {
  readonly #providers = new Map<string, ImageCredentialProvider>();
  readonly #options: CredentialProvidersOptions;

  constructor(options: CredentialProvidersOptions = {}) {
    this.#options = options;
  }

  get names(): readonly string[] {
    return [...this.#providers.keys()];
  }

  /** A name that is taken is a mistake of the program's, not of its user's, who was told by the validation. */
  register(name: string, provider: ImageCredentialProvider): void {
    if (this.#providers.has(name)) throw new Error(`Credential provider "${name}" was registered twice`);
    this.#providers.set(name, provider);
  }

  forPod(pod: PodIdentity): PodProvidersKeyring {
    const known = (this.#options.serviceAccountTokens ?? true) ? pod : NOBODY;
    return new PodProvidersKeyring(this.#providers, known, this.#options);
  }
}

/** What the providers have for one Pod, made anew at each lookup. */
export class PodProvidersKeyring implements ImageKeyring {
  readonly pod: PodIdentity;
  readonly #providers: ReadonlyMap<string, ImageCredentialProvider>;
  readonly #track: boolean | undefined;

  constructor(
    providers: ReadonlyMap<string, ImageCredentialProvider>,
    pod: PodIdentity,
    options: { readonly track?: boolean | undefined } = {},
  ) {
    this.#providers = new Map(providers);
    this.pod = pod;
    this.#track = options.track;
  }

  get providerNames(): readonly string[] {
    return [...this.#providers.keys()];
  }

  async lookup(image: string, options: LookupOptions = {}): Promise<KeyringAnswer> {
    return this.keyringOf(await this.provide(image, options)).lookup(image);
  }

  /** All that was given, as one: what is tried first is for its keys to say, whoever gave it. */
  keyringOf(provisions: ReadonlyMap<string, Provision>): Keyring {
    const keyring = new Keyring({ track: this.#track });
    for (const [name, { document, serviceAccount }] of provisions) {
      keyring.add(document, {
        kind: "provider",
        label: `credential provider ${name}`,
        owner: serviceAccount === undefined ? undefined : { serviceAccount },
      });
    }
    return keyring;
  }

  /** What each provider gives, and why. */
  async provide(image: string, options: LookupOptions = {}): Promise<ReadonlyMap<string, Provision>> {
    const provisions = new Map<string, Provision>();
    for (const [name, provider] of this.#providers) {
      provisions.set(name, await provider.provide(image, this.pod, options));
    }
    return provisions;
  }
}
