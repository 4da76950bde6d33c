import { GoError } from "../../internal/go/errors.ts";
import { goQuote } from "../../internal/go/quote.ts";
import { parseUrl } from "../../internal/go/url.ts";
import { compareBytes } from "../../internal/go/utf8.ts";
import { DEFAULT_REGISTRY_KEY, isDefaultRegistry } from "./default-registry.ts";
import type { DockerDocument } from "./docker-document.ts";
import { KeyIndex } from "./key-index.ts";
import { type DocumentOrigin, trackCredential, type TrackedCredential } from "./tracked-credential.ts";
import { findMismatch, type Mismatch, parseTarget } from "./url-match.ts";

export interface KeyringAnswer {
  /** In the order in which they are to be tried. */
  readonly credentials: readonly TrackedCredential[];
  readonly found: boolean;
}

export interface LookupOptions {
  readonly signal?: AbortSignal | undefined;
}

/** Whatever has credentials for an image, given as its normalised repository without tag and digest. */
export interface ImageKeyring {
  lookup(image: string, options?: LookupOptions): KeyringAnswer | Promise<KeyringAnswer>;
}

/** What became of one key of a keyring when an image was looked up. */
export interface KeyVerdict {
  readonly key: string;
  readonly credentials: readonly TrackedCredential[];
  /** Undefined when the key matched. */
  readonly mismatch: Mismatch | undefined;
}

/** A lookup with all its reasons. */
export interface LookupExplanation extends KeyringAnswer {
  /** Every key, in the order they are tried. */
  readonly verdicts: readonly KeyVerdict[];
  /** Nothing matched, but the image is the Hub's and there are credentials for that. */
  readonly defaultRegistry: boolean;
}

const NOTHING: KeyringAnswer = { credentials: [], found: false };

/** The credentials of any number of documents, by registry key; longer keys come first, since they sort so. */
export class Keyring implements ImageKeyring {
  readonly #track: boolean;
  readonly #byKey = new Map<string, TrackedCredential[]>();
  readonly #rejected: string[] = [];
  #order: readonly string[] | undefined;
  #index: KeyIndex | undefined;

  /** Without `track`, credentials have neither hash nor owner. */
  constructor(options: { readonly track?: boolean | undefined } = {}) {
    this.#track = options.track ?? true;
  }

  /** Sentences about entries that were left out, in the kubelet's words. */
  get rejected(): readonly string[] {
    return this.#rejected;
  }

  add(document: DockerDocument, origin: DocumentOrigin): void {
    for (const [location, entry] of document) {
      let key: string;
      try {
        key = keyOf(location);
      } catch (error) {
        if (!(error instanceof GoError)) throw error;
        this.#rejected.push(`Entry ${goQuote(location)} in dockercfg invalid (${error.message}), ignoring`);
        continue;
      }
      const credential = trackCredential(location, entry, { origin, track: this.#track });
      const known = this.#byKey.get(key);
      if (known === undefined) this.#byKey.set(key, [credential]);
      else known.push(credential);
    }
    this.#order = undefined;
    this.#index = undefined;
  }

  lookup(image: string): KeyringAnswer {
    this.#index ??= new KeyIndex(this.#keys());
    const credentials = this.#index.find(image).flatMap((key) => this.#byKey.get(key) ?? []);
    return credentials.length > 0 ? { credentials, found: true } : this.#fallback(image);
  }

  /** Tries every key and says what came of it; the answer is that of {@link lookup}. */
  explain(image: string): LookupExplanation {
    const target = parseTarget(image);
    const verdicts = this.#keys().map((key) => ({
      key,
      credentials: this.#byKey.get(key) ?? [],
      mismatch: findMismatch(parseTarget(key), target),
    }));
    const credentials = verdicts.flatMap((verdict) =>
      verdict.mismatch === undefined ? verdict.credentials : [],
    );
    if (credentials.length > 0) return { verdicts, credentials, found: true, defaultRegistry: false };
    const answer = this.#fallback(image);
    return { verdicts, ...answer, defaultRegistry: answer.found };
  }

  #fallback(image: string): KeyringAnswer {
    const credentials = isDefaultRegistry(image) ? this.#byKey.get(DEFAULT_REGISTRY_KEY) : undefined;
    return credentials === undefined ? NOTHING : { credentials, found: true };
  }

  #keys(): readonly string[] {
    this.#order ??= [...this.#byKey.keys()].toSorted((a, b) => compareBytes(b, a));
    return this.#order;
  }
}

/**
 * The key under which an entry of a document is kept: `https://quay.io/v1/` is `quay.io`.
 *
 * @throws GoError for what is no URL
 */
export function keyOf(location: string): string {
  const { host, path } = parseUrl(/^https?:\/\//.test(location) ? location : `https://${location}`);
  const prefix = /^\/v[12](?=\/)/.exec(path)?.[0] ?? "";
  const rest = path.slice(prefix.length);
  return rest === "/" ? host : host + rest;
}

/** Several keyrings as one: what the first has, then what the next has. */
export class UnionKeyring implements ImageKeyring {
  readonly #members: readonly ImageKeyring[];

  constructor(members: Iterable<ImageKeyring | undefined>) {
    this.#members = [...members].filter((member) => member !== undefined);
  }

  async lookup(image: string, options: LookupOptions = {}): Promise<KeyringAnswer> {
    const credentials: TrackedCredential[] = [];
    for (const member of this.#members) {
      options.signal?.throwIfAborted();
      credentials.push(...(await member.lookup(image, options)).credentials);
    }
    return { credentials, found: credentials.length > 0 };
  }
}
