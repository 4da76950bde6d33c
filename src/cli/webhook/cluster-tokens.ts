import {
  type IssuedToken,
  Secret,
  type ServiceAccount,
  type ServiceAccountTokenRequest,
  type TokenIssuer,
} from "../../credentials/index.ts";
import { badRequest, type JsonObject, type KubernetesClient } from "../../kubernetes/index.ts";

const ACCOUNTS = { group: "", version: "v1", resource: "serviceaccounts", namespaced: true } as const;

/** As long as a kubelet asks for. */
const LIFETIME_SECONDS = 3600;

/**
 * Tokens of ServiceAccounts for credential providers that want one, from the API. They are bound to no Pod: what is to
 * be admitted isn't there yet. It takes the right to create `serviceaccounts/token`.
 */
export class ClusterTokens implements TokenIssuer {
  readonly #client: KubernetesClient;

  constructor(client: KubernetesClient) {
    this.#client = client;
  }

  async get(namespace: string, name: string): Promise<ServiceAccount> {
    const { metadata } = await this.#client.resource(ACCOUNTS).get(name, { namespace });
    return { uid: metadata.uid ?? "", annotations: metadata.annotations ?? {} };
  }

  async issue({
    namespace,
    serviceAccountName,
    audiences,
  }: ServiceAccountTokenRequest): Promise<IssuedToken> {
    const request: JsonObject = {
      apiVersion: "authentication.k8s.io/v1",
      kind: "TokenRequest",
      metadata: {},
      spec: { audiences, expirationSeconds: LIFETIME_SECONDS },
    };
    const answer = await this.#client
      .resource(ACCOUNTS)
      .post<JsonObject>(serviceAccountName, request, { namespace, subresource: "token" });
    const { status, spec } = answer as {
      readonly status?: { readonly token?: string; readonly expirationTimestamp?: string };
      readonly spec?: { readonly expirationSeconds?: number };
    };
    const expires = Date.parse(status?.expirationTimestamp ?? "");
    if (status?.token === undefined || status.token === "" || Number.isNaN(expires)) {
      throw badRequest(
        `the API server gave no token for serviceaccount ${JSON.stringify(serviceAccountName)}`,
      );
    }
    // Servers may shorten or lengthen what was asked for.
    const lifetimeSeconds = spec?.expirationSeconds ?? LIFETIME_SECONDS;
    return { token: new Secret(status.token), expires, lifetimeSeconds };
  }
}
