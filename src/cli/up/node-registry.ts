import {
  type CredentialCandidate,
  hashAuthConfig,
  StaticSource,
  type TrackedCredential,
} from "../../credentials/index.ts";
import type { ImageSource } from "../../oci/index.ts";
import type { Reference } from "../../reference/index.ts";
import type { RegistryAccess } from "../connect.ts";

/** Clients that are kept, with their tokens; each is small, as all of them share their connections. */
const CAPACITY = 200;

/** A registry as the node reaches it: by one credential at a time, each with tokens of its own. */
export class NodeRegistry {
  readonly #access: RegistryAccess;
  readonly #candidateOf: (credential: TrackedCredential) => CredentialCandidate | undefined;
  readonly #known = new Map<string, Pick<RegistryAccess, "repository">>();

  constructor(
    access: RegistryAccess,
    options: { readonly candidateOf: (credential: TrackedCredential) => CredentialCandidate | undefined },
  ) {
    this.#access = access;
    this.#candidateOf = options.candidateOf;
  }

  /** With this credential, or without any. It is shown to this registry alone. */
  repository(reference: Reference, credential: TrackedCredential | null | undefined): ImageSource {
    const { domain } = reference;
    const candidate = credential ? this.#candidateOf(credential) : undefined;
    const who = candidate && credential ? [candidate.credential.kind, identify(credential)] : [];
    const key = JSON.stringify([domain, ...who]);
    const known = this.#known.get(key) ?? this.#access.as(sourceOf(domain, candidate));
    this.#known.delete(key);
    this.#known.set(key, known);
    const [oldest] = this.#known.keys();
    if (this.#known.size > CAPACITY && oldest !== undefined) this.#known.delete(oldest);
    return known.repository(reference);
  }
}

/** A credential's own hash is empty where credentials aren't tracked. */
function identify({ username, password }: TrackedCredential): string {
  return hashAuthConfig({ username, password });
}

function sourceOf(registry: string, candidate: CredentialCandidate | undefined): StaticSource {
  return new StaticSource(candidate === undefined ? [] : [{ registry, candidate }]);
}
