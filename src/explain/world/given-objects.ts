/** The objects around Pods, of a list: read from files, or fetched beforehand. */
import { createHash } from "node:crypto";

import type { PullSecret } from "../../credentials/index.ts";
import {
  findSecretFault,
  type JsonObject,
  type KubernetesObject,
  type SecretObject,
} from "../../kubernetes/index.ts";
import { isObject, textAt } from "../json.ts";
import { controllerOf, namespaceOf } from "./pod-of.ts";
import type { LookOptions, ObjectName, Seen, SeenSecret, Surroundings } from "./situation.ts";

export interface GivenObjectsOptions {
  readonly objects: Iterable<JsonObject>;
  readonly secrets: Iterable<SecretObject>;
  /** Whether that is all there is, so that what isn't among it doesn't exist. */
  readonly complete: boolean;
}

const NOT_GIVEN = "it isn't among the files given";

export class GivenObjects implements Surroundings {
  readonly #objects: readonly KubernetesObject[];
  readonly #secrets: readonly PullSecret[];
  readonly #complete: boolean;
  /** Secrets that the API server doesn't take, and why. */
  readonly #refused = new Map<PullSecret, string>();

  constructor({ objects, secrets, complete }: GivenObjectsOptions) {
    this.#objects = [...objects].filter(isKubernetesObject);
    this.#secrets = [...secrets].map((secret) => {
      const made = toPullSecret(secret);
      // One with a uid was taken.
      const fault = secret.metadata.uid === undefined ? findSecretFault(secret) : undefined;
      if (fault !== undefined) this.#refused.set(made, fault);
      return made;
    });
    this.#complete = complete;
  }

  secret({ namespace, name }: ObjectName): Promise<SeenSecret> {
    const found = this.#secrets.find((one) => one.namespace === namespace && one.name === name);
    const why = found && this.#refused.get(found);
    if (found === undefined || why === undefined) return Promise.resolve(this.#seen(found));
    return Promise.resolve({ state: "refused", value: found, why });
  }

  account(of: ObjectName): Promise<Seen<KubernetesObject>> {
    const found = this.#find("ServiceAccount", of);
    // Nobody writes down the one that every namespace has.
    if (found === undefined && of.name === "default") return Promise.resolve({ state: "missing" });
    return Promise.resolve(this.#seen(found));
  }

  otherSecrets(): Promise<readonly PullSecret[]> {
    return Promise.resolve(this.#secrets);
  }

  events(pod: KubernetesObject): Promise<Seen<readonly JsonObject[]>> {
    const namespace = namespaceOf(pod);
    const events = this.#objects.filter((object) => {
      if (object.kind !== "Event") return false;
      const about = object["involvedObject"] ?? object["regarding"];
      if (textAt(about, "kind") !== "Pod" || textAt(about, "name") !== pod.metadata.name) return false;
      return (textAt(about, "namespace") || namespace) === namespace;
    });
    return Promise.resolve({ state: "found", value: events });
  }

  ownerOf(
    pod: KubernetesObject,
    _options: LookOptions = {},
  ): Promise<{ readonly object: KubernetesObject } | undefined> {
    let object: KubernetesObject | undefined = pod;
    let found: KubernetesObject | undefined;
    // A ReplicaSet is its Deployment's, a Job a CronJob's; nothing is owned more deeply.
    for (let depth = 0; depth < 3 && object !== undefined; depth++) {
      const controller = controllerOf(object);
      if (controller === undefined) break;
      object = this.#find(controller.kind, { namespace: namespaceOf(pod), name: controller.name });
      found = object ?? found;
    }
    return Promise.resolve(found && { object: found });
  }

  #find(kind: string, { namespace, name }: ObjectName): KubernetesObject | undefined {
    return this.#objects.find(
      (object) => object.kind === kind && namespaceOf(object) === namespace && object.metadata.name === name,
    );
  }

  #seen<T>(value: T | undefined): Seen<T> {
    if (value !== undefined) return { state: "found", value };
    return this.#complete ? { state: "missing" } : { state: "unseen", why: NOT_GIVEN };
  }
}

export function isKubernetesObject(object: unknown): object is KubernetesObject {
  return isObject(object) && typeof object["kind"] === "string" && isObject(object["metadata"]);
}

/** Its uid stays the same however its content changes, as that of an object of the API. */
function toPullSecret({ metadata, type, data }: SecretObject): PullSecret {
  const { namespace, name } = metadata;
  const made = createHash("sha256").update(`Secret\0${namespace}\0${name}`).digest("hex").slice(0, 32);
  return { name, namespace, uid: metadata.uid ?? made, type, data };
}
