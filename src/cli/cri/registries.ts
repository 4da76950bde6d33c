import type { PullAuths } from "../../cri/index.ts";
import type { CredentialCandidate, TrackedCredential } from "../../credentials/index.ts";
import type { ImageSource } from "../../oci/index.ts";
import type { Reference } from "../../reference/index.ts";
import type { RegistryAccess } from "../connect.ts";
import { NodeRegistry } from "../up/node-registry.ts";

/** Clients that are kept, with their tokens; each is small, as all of them share their connections. */
const CAPACITY = 200;

/**
 * Registries as pulls reach them. A credential that came with a pull is shown to whom it says itself; one of the node's
 * to the registry it is for.
 */
export class PullRegistries {
  readonly #access: RegistryAccess;
  readonly #auths: PullAuths;
  readonly #ofNode: NodeRegistry;
  /** By the credential's hash, the one used last at the end. */
  readonly #known = new Map<string, Pick<RegistryAccess, "repository">>();

  constructor(
    access: RegistryAccess,
    options: {
      readonly auths: PullAuths;
      readonly candidateOf: (credential: TrackedCredential) => CredentialCandidate | undefined;
    },
  ) {
    this.#access = access;
    this.#auths = options.auths;
    this.#ofNode = new NodeRegistry(access, options);
  }

  repository(reference: Reference, credential: TrackedCredential | null | undefined): ImageSource {
    const source = credential ? this.#auths.sourceOf(credential) : undefined;
    if (source === undefined || !credential) return this.#ofNode.repository(reference, credential);
    const key = `${reference.domain} ${credential.hash}`;
    const known = this.#known.get(key) ?? this.#access.as(source);
    this.#known.delete(key);
    this.#known.set(key, known);
    const [oldest] = this.#known.keys();
    if (this.#known.size > CAPACITY && oldest !== undefined) this.#known.delete(oldest);
    return known.repository(reference);
  }
}
