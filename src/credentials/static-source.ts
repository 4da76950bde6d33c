import type { CredentialCandidate, CredentialSource, CredentialTarget } from "./credential.ts";
import { keysFor, normalizeKey } from "./registry-key.ts";

/** Credentials known beforehand, each bound to a registry: `ghcr.io`, or to a part of it: `ghcr.io/team`. */
export class StaticSource implements CredentialSource {
  readonly #entries: readonly { readonly key: string; readonly candidate: CredentialCandidate }[];

  /** Of several entries for one registry, all are candidates, in this order. */
  constructor(entries: Iterable<{ readonly registry: string; readonly candidate: CredentialCandidate }>) {
    this.#entries = [...entries].map(({ registry, candidate }) => ({
      key: normalizeKey(registry),
      candidate,
    }));
  }

  find({ host, repository }: CredentialTarget): Promise<readonly CredentialCandidate[]> {
    const keys = keysFor(host, repository);
    const found = keys.flatMap((key) => this.#entries.filter((entry) => entry.key === key));
    return Promise.resolve(found.map(({ candidate }) => candidate));
  }
}

/** Several sources as one: the candidates of the first, then those of the next. */
export class ChainSource implements CredentialSource {
  readonly #sources: readonly CredentialSource[];

  constructor(sources: Iterable<CredentialSource>) {
    this.#sources = [...sources];
  }

  async find(
    target: CredentialTarget,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<readonly CredentialCandidate[]> {
    const found: CredentialCandidate[] = [];
    // One after the other: a source may ask its user.
    for (const source of this.#sources) found.push(...(await source.find(target, options)));
    return found;
  }
}
