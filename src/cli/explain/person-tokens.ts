/** The tokens that credential providers want, asked of a cluster as its node would ask. */
import type {
  IssuedToken,
  ServiceAccount,
  ServiceAccountTokenRequest,
  TokenIssuer,
} from "../../credentials/index.ts";
import type { KubernetesClient } from "../../kubernetes/index.ts";
import { ApiTokenIssuer } from "../../node/index.ts";
import { ClusterTokens } from "../webhook/cluster-tokens.ts";

/** Bound to the Pod, as a node's are; a Pod that isn't there yet can't have one bound to it. */
export class PersonTokens implements TokenIssuer {
  readonly #bound: TokenIssuer;
  readonly #free: TokenIssuer;

  constructor(client: KubernetesClient) {
    this.#bound = new ApiTokenIssuer(client);
    this.#free = new ClusterTokens(client);
  }

  get(namespace: string, name: string): Promise<ServiceAccount> {
    return this.#free.get(namespace, name);
  }

  issue(request: ServiceAccountTokenRequest): Promise<IssuedToken> {
    return (request.pod.uid === "" ? this.#free : this.#bound).issue(request);
  }
}
