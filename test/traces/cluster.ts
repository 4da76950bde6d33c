import { Secret } from "../../src/internal/secret.ts";
import type { PullSecret, ServiceAccount, ServiceAccounts } from "../../src/credentials/index.ts";
import type { Container, PullPolicy, RestartPolicy } from "../../src/kubernetes/index.ts";
import type { NodePod, PodListener, PodSource, PullSecretLookup } from "../../src/node/index.ts";
import type { RecordedContainer, RecordedStep, StoredObject } from "./recording.ts";

export type ContainerKind = "initContainers" | "containers" | "ephemeralContainers";

/** A Pod from its creation to its deletion. One that is made anew under the same name is another. */
export interface ClusterPod {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  /** Volumes that each container mounts. */
  readonly mounts: ReadonlyMap<string, readonly string[]>;
  /** As the API server has it now. */
  spec: StoredObject;
  deleted: boolean;
}

/** What the API server knows: the recorded objects, as they were after admission. */
export class Cluster implements ServiceAccounts, PodSource, PullSecretLookup {
  readonly pods: ClusterPod[] = [];
  readonly #secrets = new Map<string, PullSecret>();
  readonly #accounts = new Map<string, ServiceAccount>();
  #made = 0;
  #listener: PodListener | undefined;

  async start(listener: PodListener): Promise<void> {
    this.#listener = listener;
    for (const pod of this.pods) if (!pod.deleted) listener.podSet(toNodePod(pod));
  }

  async close(): Promise<void> {
    this.#listener = undefined;
  }

  getPod(uid: string): ClusterPod {
    const pod = this.pods.find((other) => other.uid === uid);
    if (pod === undefined) throw new RangeError(`no Pod ${uid}`);
    return pod;
  }

  apply(step: RecordedStep): void {
    const { action, namespace = "", code = 0 } = step;
    if (code >= 300) return;
    if (action === "create") this.#create(step, namespace);
    else if (["patch", "replace", "update"].includes(action)) this.#patch(step, namespace);
    else if (action === "delete") {
      const pod = this.findPod(namespace, step.name ?? "");
      if (step.kind === "Pod" && pod !== undefined) {
        pod.deleted = true;
        this.#listener?.podGone(toNodePod(pod));
      }
      if (step.kind === "Secret") this.#secrets.delete(`${namespace}/${step.name}`);
      if (step.kind === "ServiceAccount") this.#accounts.delete(`${namespace}/${step.name}`);
    }
  }

  findPod(namespace: string, name: string): ClusterPod | undefined {
    return this.pods.find((pod) => pod.namespace === namespace && pod.name === name && !pod.deleted);
  }

  getSecret(namespace: string, name: string): Promise<PullSecret> {
    const secret = this.#secrets.get(`${namespace}/${name}`);
    return secret === undefined
      ? Promise.reject(new Error(`secret ${JSON.stringify(name)} not found`))
      : Promise.resolve(secret);
  }

  async get(namespace: string, name: string): Promise<ServiceAccount> {
    const account = this.#accounts.get(`${namespace}/${name}`);
    return account ?? { uid: `uid-of-${namespace}/${name}`, annotations: {} };
  }

  requestToken(): Promise<Secret> {
    return Promise.resolve(new Secret("SERVICE-ACCOUNT-TOKEN"));
  }

  #create({ object, stored = {} }: RecordedStep, namespace: string): void {
    if (object === undefined) return;
    const { kind, metadata } = object;
    const { name } = metadata;
    const uid = `uid-${++this.#made}`;
    if (kind === "Pod") {
      const mounts = new Map(
        [...(object.spec?.initContainers ?? []), ...(object.spec?.containers ?? [])].map((container) => [
          container.name,
          (container.volumeMounts ?? []).map((mount) => mount.name),
        ]),
      );
      const pod = { namespace, name, uid, mounts, spec: stored, deleted: false };
      this.pods.push(pod);
      this.#listener?.podSet(toNodePod(pod));
    } else if (kind === "Secret") {
      const type = stored.type ?? object.type ?? "Opaque";
      const data = changed(
        bytesOf(object.stringData ?? {}, "utf8"),
        bytesOf(stored.data ?? object.data ?? {}),
      );
      this.#secrets.set(`${namespace}/${name}`, { name, namespace, uid, type, data });
    } else if (kind === "ServiceAccount") {
      this.#accounts.set(`${namespace}/${name}`, { uid, annotations: metadata.annotations ?? {} });
    }
  }

  #patch(step: RecordedStep, namespace: string): void {
    const { object, stored, body = object } = step;
    const { kind = object?.kind, name = object?.metadata.name ?? "" } = step;
    if (kind === "Pod" && stored !== undefined) {
      const pod = this.findPod(namespace, name.split("/")[0] ?? "");
      if (pod === undefined) return;
      pod.spec = stored;
      this.#listener?.podSet(toNodePod(pod));
    } else if (kind === "Secret") {
      const secret = this.#secrets.get(`${namespace}/${name}`);
      if (secret === undefined) return;
      const known = stored?.data === undefined ? secret.data : {};
      const data = changed(
        known,
        bytesOf(body?.stringData ?? {}, "utf8"),
        bytesOf(stored?.data ?? body?.data ?? {}),
      );
      this.#secrets.set(`${namespace}/${name}`, { ...secret, data });
    } else if (kind === "ServiceAccount") {
      const { uid, annotations } = this.#accounts.get(`${namespace}/${name}`) ?? {
        uid: `uid-of-${namespace}/${name}`,
        annotations: {},
      };
      const changes = body?.metadata?.annotations ?? {};
      this.#accounts.set(`${namespace}/${name}`, { uid, annotations: changed(annotations, changes) });
    }
  }
}

/** The containers of a Pod in the order in which a look deals with them. */
export function containersOf(
  spec: StoredObject,
): readonly { readonly kind: ContainerKind; readonly container: RecordedContainer }[] {
  const kinds = ["ephemeralContainers", "initContainers", "containers"] as const;
  return kinds.flatMap((kind) => (spec[kind] ?? []).map((container) => ({ kind, container })));
}

function toNodePod({ namespace, name, uid, spec, mounts }: ClusterPod): NodePod {
  const containers = (list: readonly RecordedContainer[] = []): readonly Container[] =>
    list.map((container) => ({
      name: container.name,
      image: container.image,
      imagePullPolicy: container.imagePullPolicy as PullPolicy,
      volumeMounts: mounts.get(container.name) ?? [],
      ...(container.restartPolicy !== undefined && {
        restartPolicy: container.restartPolicy as RestartPolicy,
      }),
    }));
  const volumes = (spec.imageVolumes ?? []).map((volume) => ({
    name: volume.name,
    reference: volume.image.reference,
    pullPolicy: volume.image.pullPolicy as PullPolicy,
  }));
  return {
    key: `${namespace}/${name}`,
    uid,
    pod: {
      kind: "Pod",
      metadata: { namespace, name, annotations: {} },
      spec: {
        initContainers: containers(spec.initContainers),
        containers: containers(spec.containers),
        ephemeralContainers: containers(spec.ephemeralContainers),
        imageVolumes: volumes,
        imagePullSecrets: (spec.imagePullSecrets ?? []).map((secret) => secret.name),
        serviceAccountName: spec.serviceAccountName ?? "default",
        restartPolicy: spec.restartPolicy ?? "Always",
      },
    },
  };
}

type Bytes = Readonly<Record<string, Uint8Array | null>>;

function bytesOf(
  data: Readonly<Record<string, string | null>>,
  encoding: "base64" | "utf8" = "base64",
): Bytes {
  const entries = Object.entries(data);
  return Object.fromEntries(
    entries.map(([key, text]) => [key, text === null ? null : Buffer.from(text, encoding)]),
  );
}

/** The members after changes, of which a null takes one away. */
function changed<T>(...changes: readonly Readonly<Record<string, T | null>>[]): Record<string, T> {
  const members: Record<string, T> = {};
  for (const [key, value] of changes.flatMap((change) => Object.entries(change))) {
    if (value === null) delete members[key];
    else members[key] = value;
  }
  return members;
}
