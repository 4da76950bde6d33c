import type { DockerDocument } from "./docker-document.ts";
import { type ImageKeyring, Keyring, type KeyringAnswer, type LookupOptions } from "./keyring.ts";
import type { DocumentOrigin } from "./tracked-credential.ts";

/** A document and where it came from. */
export interface ProvidedDocument {
  readonly document: DockerDocument;
  readonly origin: DocumentOrigin;
}

/** Something that has a document for an image; empty when it has nothing for it. */
export interface DocumentProvider {
  provide(image: string, options?: LookupOptions): Promise<ProvidedDocument>;
}

/** Asks every provider at each lookup. The keyring made of their documents is kept while they give the same ones. */
export class ProvidersKeyring implements ImageKeyring {
  readonly #providers: readonly DocumentProvider[];
  readonly #track: boolean | undefined;
  #provided: readonly ProvidedDocument[] = [];
  #keyring = new Keyring();

  constructor(providers: Iterable<DocumentProvider>, options: { readonly track?: boolean | undefined } = {}) {
    this.#providers = [...providers];
    this.#track = options.track;
  }

  async lookup(image: string, options: LookupOptions = {}): Promise<KeyringAnswer> {
    const provided: ProvidedDocument[] = [];
    for (const provider of this.#providers) {
      options.signal?.throwIfAborted();
      provided.push(await provider.provide(image, options));
    }
    return this.#keyringOf(provided).lookup(image);
  }

  #keyringOf(provided: readonly ProvidedDocument[]): Keyring {
    const same =
      provided.length === this.#provided.length &&
      provided.every(({ document }, index) => document === this.#provided[index]?.document);
    if (same) return this.#keyring;
    const keyring = new Keyring({ track: this.#track });
    for (const { document, origin } of provided) keyring.add(document, origin);
    this.#provided = provided;
    this.#keyring = keyring;
    return keyring;
  }
}

/** Five minutes, for which the kubelet keeps what it read of the node's files. */
const LIFETIME = 5 * 60 * 1000;

/** Asks another provider at most once in its lifetime, and keeps nothing just as well as something. */
export class CachingProvider implements DocumentProvider {
  readonly #provider: DocumentProvider;
  readonly #now: () => number;
  readonly #lifetime: number;
  #kept: ProvidedDocument | undefined;
  #expires = 0;
  #asking: Promise<ProvidedDocument> | undefined;

  /** `lifetime` and `now` in milliseconds. */
  constructor(
    provider: DocumentProvider,
    options: { readonly now: () => number; readonly lifetime?: number | undefined },
  ) {
    this.#provider = provider;
    this.#now = options.now;
    this.#lifetime = options.lifetime ?? LIFETIME;
  }

  async provide(image: string): Promise<ProvidedDocument> {
    if (this.#kept !== undefined && this.#now() < this.#expires) return this.#kept;
    // Those who come while it is being asked share its answer, so nobody's signal may end it.
    this.#asking ??= this.#refresh(image).finally(() => (this.#asking = undefined));
    return await this.#asking;
  }

  async #refresh(image: string): Promise<ProvidedDocument> {
    const provided = await this.#provider.provide(image);
    this.#kept = provided;
    this.#expires = this.#now() + this.#lifetime;
    return provided;
  }
}
