import type {
  IssuedToken,
  ServiceAccount,
  ServiceAccountTokenRequest,
  TokenIssuer,
} from "../../credentials/index.ts";
import { Secret } from "../../internal/secret.ts";
import type { JsonObject, KubernetesClient, ResourceClient } from "../../kubernetes/index.ts";
import { resource } from "./api-source.ts";

/** Tokens of ServiceAccounts for credential providers, asked of the Kubernetes API as a kubelet asks. */
export class ApiTokenIssuer implements TokenIssuer {
  readonly #accounts: ResourceClient;
  readonly #now: () => number;

  constructor(client: KubernetesClient) {
    this.#accounts = resource(client, "serviceaccounts");
    this.#now = () => client.clock.now();
  }

  async get(namespace: string, name: string): Promise<ServiceAccount> {
    const { metadata } = await this.#accounts.get(name, { namespace });
    return { uid: metadata.uid ?? "", annotations: metadata.annotations ?? {} };
  }

  async issue(request: ServiceAccountTokenRequest): Promise<IssuedToken> {
    const { namespace, serviceAccountName, audiences, pod } = request;
    const asked = this.#now();
    const answer = await this.#accounts.post<JsonObject>(
      serviceAccountName,
      {
        apiVersion: "authentication.k8s.io/v1",
        kind: "TokenRequest",
        metadata: { uid: request.serviceAccountUID },
        spec: {
          audiences: [...audiences],
          boundObjectRef: { kind: "Pod", apiVersion: "v1", name: pod.name, uid: pod.uid },
        },
      },
      { namespace, subresource: "token" },
    );
    const { token, expirationTimestamp } = (answer["status"] ?? {}) as JsonObject;
    const expires = typeof expirationTimestamp === "string" ? Date.parse(expirationTimestamp) : Number.NaN;
    if (typeof token !== "string" || Number.isNaN(expires)) {
      throw new Error("the API answered the request for a token without one");
    }
    return { token: new Secret(token), expires, lifetimeSeconds: Math.round((expires - asked) / 1000) };
  }
}
