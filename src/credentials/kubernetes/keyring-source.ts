import type { CredentialCandidate, CredentialSource, CredentialTarget } from "../credential.ts";
import type { ImageKeyring } from "./keyring.ts";
import { toCandidate } from "./tracked-credential.ts";

/** A keyring as a source for the client; credentials that a runtime takes for anonymous are left out. */
export class KeyringSource implements CredentialSource {
  readonly #keyring: ImageKeyring;

  constructor(keyring: ImageKeyring) {
    this.#keyring = keyring;
  }

  async find(
    { host, repository }: CredentialTarget,
    options: { readonly signal?: AbortSignal | undefined } = {},
  ): Promise<readonly CredentialCandidate[]> {
    const image = repository === undefined || repository === "" ? host : `${host}/${repository}`;
    const { credentials } = await this.#keyring.lookup(image, options);
    return credentials.flatMap((credential) => toCandidate(credential) ?? []);
  }
}
