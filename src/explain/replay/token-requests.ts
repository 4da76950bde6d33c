/** Tokens of ServiceAccounts for credential providers, made with the rights of whoever asks for an explanation. */
import type {
  IssuedToken,
  ServiceAccount,
  ServiceAccountTokenRequest,
  TokenIssuer,
} from "../../credentials/index.ts";
import type { Secret } from "../../internal/secret.ts";
import { isRefusal } from "../../kubernetes/index.ts";
import { messageOf } from "../message-of.ts";

/** What became of what a provider wanted. A node may do what the asker may not: a refusal says nothing of the node. */
export type TokenVerdict =
  | { readonly state: "made"; readonly lifetimeSeconds: number }
  | { readonly state: "refused"; readonly why: string };

interface Account {
  readonly namespace: string;
  readonly name: string;
}

export class TokenRequests implements TokenIssuer {
  readonly #issuer: TokenIssuer;
  readonly #verdicts = new Map<string, TokenVerdict>();
  readonly #issued: Secret[] = [];

  constructor(issuer: TokenIssuer) {
    this.#issuer = issuer;
  }

  /** None of them may be shown. */
  get issued(): readonly Secret[] {
    return this.#issued;
  }

  find(account: Account, audience: string): TokenVerdict | undefined {
    return this.#verdicts.get(keyOf(account, audience)) ?? this.#verdicts.get(keyOf(account, ""));
  }

  async get(namespace: string, name: string): Promise<ServiceAccount> {
    return await this.#watch({ namespace, name }, "", () => this.#issuer.get(namespace, name));
  }

  async issue(request: ServiceAccountTokenRequest): Promise<IssuedToken> {
    const { namespace, serviceAccountName: name, audiences } = request;
    const [audience = ""] = audiences;
    const issued = await this.#watch({ namespace, name }, audience, () => this.#issuer.issue(request));
    this.#issued.push(issued.token);
    const { lifetimeSeconds } = issued;
    this.#verdicts.set(keyOf({ namespace, name }, audience), { state: "made", lifetimeSeconds });
    return issued;
  }

  async #watch<T>(account: Account, audience: string, act: () => Promise<T>): Promise<T> {
    try {
      return await act();
    } catch (error) {
      if (isRefusal(error, 403)) {
        this.#verdicts.set(keyOf(account, audience), { state: "refused", why: messageOf(error) });
      }
      throw error;
    }
  }
}

function keyOf({ namespace, name }: Account, audience: string): string {
  return JSON.stringify([namespace, name, audience]);
}
