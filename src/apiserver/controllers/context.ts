/** What all controllers share: one copy of each resource, and one voice each. */
import {
  type Clock,
  EventRecorder,
  findResource,
  Informer,
  type KubernetesClient,
  type KubernetesObject,
  type ResourceClient,
} from "../../kubernetes/index.ts";
import { controllerOf, keyOf } from "./objects.ts";

export interface ControllersOptions {
  readonly client: KubernetesClient;
  readonly signal: AbortSignal;
  /** PEM: who vouches for the server; each namespace is told where this is given. */
  readonly authority?: string | undefined;
  /** The client's by default. */
  readonly clock?: Clock | undefined;
  /** Told of what went wrong on the way; everything is tried again. */
  readonly onError?: ((error: unknown) => void) | undefined;
}

const WATCHED = {
  nodes: "",
  pods: "",
  replicationcontrollers: "",
  controllerrevisions: "apps",
  daemonsets: "apps",
  deployments: "apps",
  replicasets: "apps",
  statefulsets: "apps",
  cronjobs: "batch",
  jobs: "batch",
} as const;

export type WatchedResource = keyof typeof WATCHED;

/** Objects by the uid of the controller they belong to. */
export const BY_OWNER = "owner";

export class ControllerContext {
  readonly client: KubernetesClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly onError: (error: unknown) => void;
  /** Pods that were asked to go, until it shows. */
  readonly leaving: Set<string> = new Set();
  readonly #informers: ReadonlyMap<WatchedResource, Informer>;
  readonly #recorders: EventRecorder[] = [];
  readonly #clients: ReadonlyMap<WatchedResource, ResourceClient>;

  constructor(options: ControllersOptions) {
    this.client = options.client;
    this.clock = options.clock ?? options.client.clock;
    this.signal = options.signal;
    this.onError = options.onError ?? ((): void => {});
    const names = Object.keys(WATCHED) as WatchedResource[];
    this.#clients = new Map(names.map((name) => [name, this.client.resource(resourceOf(name))]));
    const indexes = { [BY_OWNER]: (object: KubernetesObject) => [controllerOf(object)?.uid ?? ""] };
    this.#informers = new Map(
      [...this.#clients].map(([name, from]) => [
        name,
        new Informer(from, { indexes, onError: this.onError }),
      ]),
    );
    this.informer("pods").subscribe(({ type, object }) => {
      if (type === "deleted") this.leaving.delete(object.metadata.uid ?? "");
    });
  }

  informer(resource: WatchedResource): Informer {
    return this.#informers.get(resource) as Informer;
  }

  resource(resource: WatchedResource): ResourceClient {
    return this.#clients.get(resource) as ResourceClient;
  }

  recorder(component: string): EventRecorder {
    const { client, signal, onError } = this;
    const recorder = new EventRecorder({ client, signal, onError, source: { component } });
    this.#recorders.push(recorder);
    return recorder;
  }

  /** Follows everything until the signal is aborted. */
  async run(): Promise<void> {
    await Promise.all([...this.#informers.values()].map((informer) => informer.run(this.signal)));
  }

  /** Waits for events that are being written. */
  async flush(): Promise<void> {
    await Promise.all(this.#recorders.map((recorder) => recorder.flush()));
  }

  async synced(): Promise<void> {
    await Promise.all([...this.#informers.values()].map((informer) => informer.synced(this.signal)));
  }
}

function resourceOf(resource: WatchedResource): NonNullable<ReturnType<typeof findResource>> {
  const found = findResource({ group: WATCHED[resource], version: "v1", resource });
  if (found === undefined) throw new TypeError(`Cannot watch ${resource}: no such resource`);
  return found;
}

/** Calls back with the keys of a resource's objects that changed, and of those whose possessions did. */
export function onChange(
  context: ControllerContext,
  own: { readonly resource: WatchedResource; readonly kind: string },
  options: { readonly possessions: readonly WatchedResource[]; readonly add: (key: string) => void },
): void {
  const { add } = options;
  context.informer(own.resource).subscribe(({ object }) => add(keyOf(object)));
  for (const resource of options.possessions) {
    context.informer(resource).subscribe((change) => {
      for (const object of change.type === "updated" ? [change.old, change.object] : [change.object]) {
        const owner = controllerOf(object);
        if (owner?.kind === own.kind) add(`${object.metadata.namespace ?? ""}/${owner.name}`);
      }
    });
  }
}
