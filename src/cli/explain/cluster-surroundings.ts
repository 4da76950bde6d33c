/** The objects around Pods, read from a cluster by whoever asks; what they may not see is said, and done without. */
import type { PullSecret } from "../../credentials/index.ts";
import type { LookOptions, ObjectName, Seen, Surroundings } from "../../explain/index.ts";
import { decodeBase64 } from "../../internal/go/base64.ts";
import { GoError } from "../../internal/go/errors.ts";
import {
  type ApiResource,
  findKind,
  isRefusal,
  type JsonObject,
  type KubernetesClient,
  type KubernetesObject,
  type OwnerReference,
  parseApiVersion,
  StatusError,
} from "../../kubernetes/index.ts";

const SECRETS = { group: "", version: "v1", resource: "secrets", namespaced: true } as const;
const ACCOUNTS = { group: "", version: "v1", resource: "serviceaccounts", namespaced: true } as const;
const EVENTS = { group: "", version: "v1", resource: "events", namespaced: true } as const;

export class ClusterSurroundings implements Surroundings {
  readonly #client: KubernetesClient;
  readonly #looked = new Map<string, Promise<Seen<KubernetesObject>>>();
  readonly #listed = new Map<string, Promise<readonly PullSecret[]>>();

  constructor(client: KubernetesClient) {
    this.#client = client;
  }

  async secret(of: ObjectName, options: LookOptions): Promise<Seen<PullSecret>> {
    const seen = await this.#look("secrets", of, options);
    return seen.state === "found" ? { state: "found", value: toPullSecret(seen.value) } : seen;
  }

  async account(of: ObjectName, options: LookOptions): Promise<Seen<KubernetesObject>> {
    return await this.#look("serviceaccounts", of, options);
  }

  async otherSecrets(
    namespace: string,
    { missing, signal }: LookOptions & { readonly missing: readonly string[] },
  ): Promise<readonly PullSecret[]> {
    const lists = [
      this.#listSecrets({ namespace, signal }),
      ...missing.map((name) =>
        this.#listSecrets({ namespace: "", fieldSelector: `metadata.name=${name}`, signal }),
      ),
    ];
    return (await Promise.all(lists)).flat();
  }

  #listSecrets(of: ListedSecrets): Promise<readonly PullSecret[]> {
    const key = `${of.namespace}?${of.fieldSelector ?? ""}`;
    let listing = this.#listed.get(key);
    if (listing === undefined) {
      listing = this.#readSecrets(of);
      this.#listed.set(key, listing);
    }
    return listing;
  }

  async #readSecrets(of: ListedSecrets): Promise<readonly PullSecret[]> {
    try {
      const { items } = await this.#client.resource(SECRETS).listAll(of);
      return items
        .filter(({ type }) => typeof type === "string" && type.startsWith("kubernetes.io/dockerc"))
        .map(toPullSecret);
    } catch (error) {
      // Only for hints: who may not list them gets none.
      if (error instanceof StatusError) return [];
      throw error;
    }
  }

  async events(pod: KubernetesObject, { signal }: LookOptions): Promise<Seen<readonly JsonObject[]>> {
    const { namespace = "default", name = "", uid } = pod.metadata;
    const about = uid === undefined ? `involvedObject.name=${name}` : `involvedObject.uid=${uid}`;
    try {
      const { items } = await this.#client
        .resource(EVENTS)
        .listAll({ namespace, fieldSelector: about, signal });
      return { state: "found", value: items };
    } catch (error) {
      return unseen(error);
    }
  }

  async ownerOf(
    pod: KubernetesObject,
    { signal }: LookOptions,
  ): Promise<{ readonly object: KubernetesObject } | undefined> {
    const { namespace = "default" } = pod.metadata;
    let object: KubernetesObject | undefined = pod;
    let found: KubernetesObject | undefined;
    for (let depth = 0; depth < 3 && object !== undefined; depth++) {
      const owners: readonly OwnerReference[] = object.metadata.ownerReferences ?? [];
      const owner = owners.find(({ controller }) => controller === true);
      const resource: ApiResource | undefined =
        owner && findKind({ ...parseApiVersion(owner.apiVersion), kind: owner.kind });
      if (owner === undefined || resource === undefined) break;
      try {
        object = await this.#client.resource(resource).find(owner.name, { namespace, signal });
      } catch (error) {
        if (!(error instanceof StatusError)) throw error;
        break;
      }
      found = object ?? found;
    }
    return found && { object: found };
  }

  #look(
    kind: "secrets" | "serviceaccounts",
    { namespace, name }: ObjectName,
    { signal }: LookOptions,
  ): Promise<Seen<KubernetesObject>> {
    const key = `${kind}/${namespace}/${name}`;
    let looking = this.#looked.get(key);
    if (looking === undefined) {
      const resource = kind === "secrets" ? SECRETS : ACCOUNTS;
      looking = this.#client
        .resource(resource)
        .find(name, { namespace, signal })
        .then((value): Seen<KubernetesObject> =>
          value === undefined ? { state: "missing" } : { state: "found", value },
        )
        .catch((error: unknown) => unseen(error));
      this.#looked.set(key, looking);
    }
    return looking;
  }
}

interface ListedSecrets {
  /** Empty for all. */
  readonly namespace: string;
  readonly fieldSelector?: string;
  readonly signal: AbortSignal | undefined;
}

/** What a server refuses isn't seen; that it can't be reached is for the caller to know. */
export function unseen(error: unknown): { readonly state: "unseen"; readonly why: string } {
  if (isRefusal(error, 403)) return { state: "unseen", why: "you may not read it" };
  if (error instanceof StatusError) return { state: "unseen", why: error.message };
  throw error;
}

function toPullSecret(object: KubernetesObject): PullSecret {
  const { type = "Opaque", data = {} } = object as {
    readonly type?: string;
    readonly data?: Readonly<Record<string, string>>;
  };
  const { name = "", namespace = "default", uid = "" } = object.metadata;
  const entries = Object.entries(data).map(([key, text]): [string, Uint8Array] => [key, decode(text)]);
  return { name, namespace, uid, type, data: Object.fromEntries(entries) };
}

function decode(text: string): Uint8Array {
  try {
    return decodeBase64(text, { padded: true });
  } catch (error) {
    if (error instanceof GoError) return new Uint8Array();
    throw error;
  }
}
