/** A node of ours, as `dray up` runs one, in the recordings' world: their objects, their files, their moments. */
import {
  type AccessKeeper,
  defaultImageConfig,
  ImageManager,
  type ImageRuntime,
  listStoreImages,
  openPullManager,
  parseKubeletConfig,
  pullLimits,
  verificationPolicyOf,
} from "../../src/images/index.ts";
import {
  CachingProvider,
  NodeFilesProvider,
  ProvidersKeyring,
  UnionKeyring,
} from "../../src/credentials/index.ts";
import { type CorrelatedEvent, ImageNode, type PodStatus } from "../../src/node/index.ts";
import type { Platform } from "../../src/oci/index.ts";
import type { Store } from "../../src/store/index.ts";
import type { Cluster, ClusterPod } from "./cluster.ts";
import { PretendContainers } from "./pretend-containers.ts";
import type { ProviderPrograms } from "./provider-programs.ts";
import type { Recording } from "./recording.ts";
import type { VirtualClock } from "./virtual-clock.ts";

export interface NodeEvent extends CorrelatedEvent {
  readonly t: number;
  readonly pod: ClusterPod;
}

export interface NodeSample {
  readonly t: number;
  readonly pod: ClusterPod;
  readonly status: PodStatus;
}

export interface VirtualNodeOptions {
  readonly recording: Recording;
  readonly clock: VirtualClock;
  readonly cluster: Cluster;
  readonly programs: ProviderPrograms;
  readonly runtime: ImageRuntime;
  readonly store: Store;
  readonly platform: Platform;
  /** Stands for the kubelet's root directory where real files are needed. */
  readonly root: string;
}

/** One run of the node's process. */
interface Run {
  readonly node: ImageNode;
  readonly stopped: AbortController;
  /** Ends the rest of a Pod, by uid. */
  readonly resting: Map<string, () => void>;
}

export class VirtualNode {
  readonly events: NodeEvent[] = [];
  readonly samples: NodeSample[] = [];
  /** By path; a file may be written while the node runs. */
  readonly files: Map<string, string>;
  readonly #options: VirtualNodeOptions;
  readonly #start: number;
  readonly #containers: PretendContainers;
  #run: Run | undefined;

  constructor(options: VirtualNodeOptions) {
    this.#options = options;
    this.#start = options.clock.now();
    const files = Object.entries(options.recording.kubelet.nodeFiles ?? {});
    this.files = new Map(files.map(([path, content]) => [path, textOf(content)]));
    const { store, platform } = options;
    this.#containers = new PretendContainers({ listImages: () => listStoreImages(store, { platform }) });
  }

  async start(): Promise<void> {
    const { clock, cluster } = this.#options;
    const stopped = new AbortController();
    const resting = new Map<string, () => void>();
    const alive =
      <T extends unknown[]>(tell: (...args: T) => void): ((...args: T) => void) =>
      (...args) => {
        if (!stopped.signal.aborted) tell(...args);
      };
    const node = new ImageNode({
      pods: cluster,
      secrets: cluster,
      images: await this.#makeManager(stopped.signal),
      runtime: this.#containers,
      now: clock.now,
      recheckInterval: Number.POSITIVE_INFINITY,
      // When it looks is as it was recorded; what it decides then isn't.
      pace: ({ pod: { uid } }) => new Promise((resolve) => resting.set(uid, resolve)),
      sink: {
        status: alive((pod, status) => this.#show(pod.uid, status)),
        event: alive(({ uid }, event) => {
          const pod = cluster.getPod(uid);
          this.events.push({ ...event, t: this.#seconds(), pod });
        }),
      },
      onFailure: (error) => {
        throw error;
      },
    });
    this.#run = { node, stopped, resting };
    await node.start();
  }

  /** Ends the node's process as it is: nothing that was under way is brought to an end. */
  stop(): void {
    this.#run?.stopped.abort();
    void this.#run?.node.close();
    this.#run = undefined;
  }

  exit(
    pod: ClusterPod,
    ...rest: Parameters<PretendContainers["exit"]> extends [string, ...infer R] ? R : never
  ): void {
    this.#containers.exit(pod.uid, ...rest);
  }

  /** Ends a Pod's rest, if it rests. */
  look(pod: ClusterPod, crashing: ReadonlySet<string>): void {
    this.#containers.setCrashing(pod.uid, crashing);
    const end = this.#run?.resting.get(pod.uid);
    this.#run?.resting.delete(pod.uid);
    end?.();
  }

  #show(uid: string, status: PodStatus): void {
    this.samples.push({ t: this.#seconds(), pod: this.#options.cluster.getPod(uid), status });
  }

  async #makeManager(stopped: AbortSignal): Promise<ImageManager> {
    const { recording, clock, root, runtime, store, platform } = this.#options;
    const { kubelet } = recording;
    const { given, gates } = parseKubeletConfig(
      JSON.stringify({
        ...kubelet.config,
        kind: "KubeletConfiguration",
        apiVersion: "kubelet.config.k8s.io/v1beta1",
      }),
    );
    const config = defaultImageConfig(given, gates);
    const { maxParallelPulls, rate } = pullLimits(config);
    const track = gates.ensureSecretPulled;
    const openRecords = (): Promise<AccessKeeper> =>
      openPullManager({
        root,
        policy: verificationPolicyOf(config),
        now: clock.now,
        listImages: () => listStoreImages(store, { platform }),
        maxParallelPulls: Number.isFinite(maxParallelPulls) ? maxParallelPulls : 0,
      });
    // Without the gate the kubelet neither keeps records nor reads them.
    const records = track ? await openRecords() : undefined;
    return new ImageManager({
      runtime,
      now: clock.now,
      maxParallelPulls,
      rate,
      ensureSecretPulled: track,
      access: records && whileAlive(records, stopped),
      keyring: await this.#makeKeyring(track),
    });
  }

  async #makeKeyring(track: boolean): Promise<ConstructorParameters<typeof ImageManager>[0]["keyring"]> {
    const { clock, programs, root, cluster, recording } = this.#options;
    const read = async (path: string): Promise<Uint8Array> => {
      const text = this.files.get(path);
      if (text === undefined) throw Object.assign(new Error(path), { code: "ENOENT" });
      return Buffer.from(text);
    };
    const places = { root: "/var/lib/kubelet", workingDirectory: "/srv/lab", home: "/root" };
    const provider = new CachingProvider(new NodeFilesProvider(places, { readFile: read }), {
      now: clock.now,
    });
    const files = new ProvidersKeyring([provider], { track });
    const config = recording.kubelet.credentialProviderConfig;
    const gates = (recording.kubelet.config["featureGates"] ?? {}) as Readonly<Record<string, boolean>>;
    const serviceAccountTokens = gates["KubeletServiceAccountTokenForCredentialProviders"] ?? true;
    const providers = await programs.register(config, { root, cluster, track, serviceAccountTokens });
    const nobody = { namespace: "", name: "", uid: "", serviceAccountName: "" };
    return (pod) => new UnionKeyring([files, providers.forPod(pod ?? nobody)]);
  }

  #seconds(): number {
    return (this.#options.clock.now() - this.#start) / 1000;
  }
}

/** A process that was killed writes nothing more. */
function whileAlive(keeper: AccessKeeper, stopped: AbortSignal): AccessKeeper {
  const guard = async <T>(work: () => Promise<T>): Promise<T> =>
    stopped.aborted ? await new Promise<T>(() => {}) : await work();
  return {
    recordPullIntent: (...args) => guard(() => keeper.recordPullIntent(...args)),
    recordImagePulled: (...args) => guard(() => keeper.recordImagePulled(...args)),
    recordImagePullFailed: (...args) => guard(() => keeper.recordImagePullFailed(...args)),
    mustAttemptImagePull: (...args) => guard(() => keeper.mustAttemptImagePull(...args)),
  };
}

function textOf(content: unknown): string {
  return typeof content === "string" ? content : JSON.stringify(content);
}
