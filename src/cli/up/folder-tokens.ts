import { dirname } from "node:path";

import type {
  IssuedToken,
  ServiceAccount,
  ServiceAccountTokenRequest,
  TokenIssuer,
} from "../../credentials/index.ts";
import { makeFolder } from "../../internal/make-folder.ts";
import {
  issueServiceAccountToken,
  openServiceAccountKey,
  type ServiceAccountKey,
  type ServiceAccountObject,
} from "../../kubernetes/index.ts";

/** Finds ServiceAccounts as they stand in the node's folder. */
export interface AccountLookup {
  findAccount(namespace: string, name: string): (ServiceAccountObject & { readonly uid: string }) | undefined;
}

/**
 * Tokens for the ServiceAccounts of a folder, for credential providers that want one. They are signed with a key of
 * this node's own, which is made when the first one is asked for: whoever is to trust them needs its public part.
 */
export class FolderTokens implements TokenIssuer {
  readonly #accounts: AccountLookup;
  readonly #options: { readonly keyFile: string; readonly nodeName: string; readonly now: () => number };
  #key: Promise<ServiceAccountKey> | undefined;

  constructor(
    accounts: AccountLookup,
    options: { readonly keyFile: string; readonly nodeName: string; readonly now: () => number },
  ) {
    this.#accounts = accounts;
    this.#options = options;
  }

  async get(namespace: string, name: string): Promise<ServiceAccount> {
    const account = this.#accounts.findAccount(namespace, name);
    // As the API says it.
    if (account === undefined) throw new Error(`serviceaccounts ${JSON.stringify(name)} not found`);
    return { uid: account.uid, annotations: account.metadata.annotations };
  }

  async issue(request: ServiceAccountTokenRequest): Promise<IssuedToken> {
    const { namespace, serviceAccountName, serviceAccountUID, audiences, pod } = request;
    const { nodeName, now } = this.#options;
    return await issueServiceAccountToken(
      await this.#openKey(),
      {
        namespace,
        serviceAccount: { name: serviceAccountName, uid: serviceAccountUID },
        pod,
        node: { name: nodeName },
        audiences,
      },
      { now },
    );
  }

  /** One that can't be had now may be there for the next token. */
  async #openKey(): Promise<ServiceAccountKey> {
    const { keyFile } = this.#options;
    makeFolder(dirname(keyFile), { mode: 0o700 });
    this.#key ??= openServiceAccountKey(keyFile);
    try {
      return await this.#key;
    } catch (error) {
      this.#key = undefined;
      throw error;
    }
  }
}
