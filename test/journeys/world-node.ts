/** A world's node, with all that one of ours is made of, in its Pod's first two looks. */
import { type HttpSend, sanitizeUrl } from "../../src/client/index.ts";
import {
  CachingProvider,
  NodeFilesProvider,
  ProvidersKeyring,
  type TrackedCredential,
  UnionKeyring,
} from "../../src/credentials/index.ts";
import {
  type EnsureOutcome,
  ImageManager,
  type ImageRuntime,
  listStoreImages,
  PullManager,
  StoreRuntime,
} from "../../src/images/index.ts";
import type { readFolderObjects } from "../../src/node/folder-objects.ts";
import { type ApiEvent, ImageNode, type NodePod, type PodState, toApiEvent } from "../../src/node/index.ts";
import {
  PLACES,
  type Lab,
  drive,
  hostsOf,
  nodeFiles,
  openRecords,
  program,
  reachRegistries,
  register,
  serviceAccountsOf,
} from "./world-lab.ts";

export interface Asked {
  readonly method: string;
  readonly url: string;
  /** How, and by Basic also whom it names. */
  readonly as: string;
}

/** One image as the node dealt with it. */
export interface NodeAnswer {
  readonly image: string;
  readonly policy: string;
  readonly outcome: EnsureOutcome;
  /** Labels of what was tried; undefined where it came to no pull. */
  readonly tried: readonly string[] | undefined;
  /** Of the one that opened the registry. */
  readonly used: string | undefined;
  readonly requests: readonly Asked[];
}

export interface Ran {
  readonly looks: readonly (readonly NodeAnswer[])[];
  readonly state: PodState;
  readonly events: readonly ApiEvent[];
}

export async function runNode(
  lab: Lab,
  given: {
    readonly pod: NodePod;
    readonly secrets: ReturnType<typeof readFolderObjects>["secrets"];
  },
): Promise<Ran> {
  const { world, clock, store, platform, policy } = lab;
  const { pod, secrets } = given;
  const registries = lab.registries();
  const requests: Asked[] = [];
  const send: HttpSend = (request) => {
    const { method, url, headers } = request;
    requests.push({ method, url: sanitizeUrl(url), as: identityIn(headers["authorization"]) });
    return registries.send(request);
  };
  const registry = reachRegistries(send, { now: clock.now, hosts: hostsOf(world, lab.folder) });
  const watched = new WatchedRuntime(
    new StoreRuntime({
      store,
      platform,
      registry: (reference, credential) => registry.repository(reference, credential),
    }),
  );
  const track = world.ensureSecretPulled;
  const providers = await register(lab, {
    run: program(world),
    serviceAccounts: serviceAccountsOf(world),
  });
  const nodeFile = new NodeFilesProvider(PLACES, { readFile: nodeFiles(world) });
  const files = new ProvidersKeyring([new CachingProvider(nodeFile, { now: clock.now })], { track });
  const nobody = { namespace: "", name: "", uid: "", serviceAccountName: "" };
  const access = track
    ? new PullManager({ records: await openRecords(lab), policy, now: clock.now })
    : undefined;
  await access?.convertIntents(() => listStoreImages(store, { platform }));
  const manager = new ImageManager({
    runtime: watched,
    now: clock.now,
    ensureSecretPulled: track,
    access,
    keyring: (of) => new UnionKeyring(providers ? [files, providers.forPod(of ?? nobody)] : [files]),
  });
  const looks: NodeAnswer[][] = [];
  const rests = [Promise.withResolvers<void>(), Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const released = Promise.withResolvers<void>();
  const events = new Map<string, ApiEvent>();
  const failures: unknown[] = [];
  await using node = new ImageNode({
    pods: { start: (listener) => Promise.resolve(listener.podSet(pod)), close: () => Promise.resolve() },
    secrets: {
      getSecret: (namespace, name) => {
        const found = secrets.get(`${namespace}/${name}`);
        return found
          ? Promise.resolve(found)
          : Promise.reject(new Error(`secret ${JSON.stringify(name)} not found`));
      },
    },
    images: {
      forgetBackOff: (request) => manager.forgetBackOff(request),
      ensure: async (request) => {
        watched.begin();
        const from = requests.length;
        const outcome = await manager.ensure(request);
        const { image, policy: pull } = request;
        const { tried, used } = watched;
        looks.at(-1)?.push({ image, policy: pull, outcome, requests: requests.slice(from), tried, used });
        return outcome;
      },
    },
    now: clock.now,
    recheckInterval: Number.POSITIVE_INFINITY,
    pace: async ({ looks: count }) => {
      rests[count]?.resolve();
      if (count === 1) await released.promise;
      if (count >= 2) await new Promise<never>(() => {});
      looks.push([]);
    },
    sink: {
      event: (object, event) => {
        const made = toApiEvent(object, event, { component: "kubelet", host: "node" });
        events.set(made.metadata.name, made);
      },
    },
    onFailure: (error) => void failures.push(error),
  });
  await node.start();
  await drive(lab, rests[1]?.promise ?? Promise.resolve());
  released.resolve();
  await drive(lab, rests[2]?.promise ?? Promise.resolve());
  if (failures.length > 0) throw failures[0];
  const [state] = node.state.pods;
  if (state === undefined) throw new Error("the node has lost its Pod");
  return { looks, state, events: [...events.values()] };
}

/** Keeps in mind what a pull was given, and what opened the registry. */
class WatchedRuntime implements ImageRuntime {
  readonly #runtime: ImageRuntime;
  tried: readonly string[] | undefined;
  used: string | undefined;

  constructor(runtime: ImageRuntime) {
    this.#runtime = runtime;
  }

  begin(): void {
    this.tried = undefined;
    this.used = undefined;
  }

  readonly find: ImageRuntime["find"] = (image, options) => this.#runtime.find(image, options);

  readonly pull: ImageRuntime["pull"] = async (image, options = {}) => {
    this.tried = (options.credentials ?? []).map(labelOf);
    const pulled = await this.#runtime.pull(image, options);
    this.used = pulled.credential && labelOf(pulled.credential);
    return pulled;
  };
}

function labelOf({ origin, username }: TrackedCredential): string {
  return `${username} of ${origin.label}`;
}

function identityIn(authorization: string | undefined): string {
  if (authorization === undefined) return "none";
  const [scheme = "", rest = ""] = authorization.split(" ");
  if (scheme !== "Basic") return scheme.toLowerCase();
  const [username = ""] = Buffer.from(rest, "base64").toString("utf8").split(":");
  return `basic ${username}`;
}
