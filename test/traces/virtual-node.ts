/**
 * A node as the kubelet runs one, around our image manager: looks at Pods, ensures images, starts containers that only
 * pretend to run, and shows statuses and events.
 */
import {
  type AccessKeeper,
  containerStatuses,
  defaultImageConfig,
  type EnsureOutcome,
  type EnsureRequest,
  ensureImageVolumes,
  ImageManager,
  imageVolumesOf,
  type ImageRuntime,
  listStoreImages,
  openPullManager,
  parseKubeletConfig,
  type PullPolicy,
  pullLimits,
  type RuntimeContainer,
  type ServiceImage,
  StartErrors,
  verificationPolicyOf,
  type VolumeResults,
} from "../../src/images/index.ts";
import {
  CachingProvider,
  collectPullSecrets,
  NodeFilesProvider,
  ProvidersKeyring,
  type PullSecret,
  UnionKeyring,
} from "../../src/credentials/index.ts";
import type { Platform } from "../../src/oci/index.ts";
import type { Store } from "../../src/store/index.ts";
import { type Cluster, type ClusterPod, containersOf, type ContainerKind } from "./cluster.ts";
import type { ProviderPrograms } from "./provider-programs.ts";
import type { RecordedContainer, RecordedState, RecordedStatus, Recording } from "./recording.ts";
import type { VirtualClock } from "./virtual-clock.ts";

export interface NodeEvent {
  readonly t: number;
  readonly pod: ClusterPod;
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly fieldPath: string;
  /** How often the same was said of the same container. */
  readonly count: number;
}

export interface NodeSample {
  readonly t: number;
  readonly pod: ClusterPod;
  readonly statuses: readonly RecordedStatus[];
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

/** One run of the kubelet's process. */
interface Run {
  readonly manager: ImageManager;
  readonly errors: StartErrors;
  readonly counts: Map<string, number>;
  readonly stopped: AbortController;
}

interface PretendContainer extends RuntimeContainer {
  readonly kind: ContainerKind;
  readonly image: string;
  readonly imageID: string;
  readonly instance: number;
}

const KILLED = { state: "Exited", exitCode: 137, reason: "Error" } as const;

export class VirtualNode {
  readonly events: NodeEvent[] = [];
  readonly samples: NodeSample[] = [];
  /** By path; a file may be written while the node runs. */
  readonly files: Map<string, string>;
  readonly #options: VirtualNodeOptions;
  readonly #start: number;
  readonly #busy = new Set<ClusterPod>();
  /** The newest first. */
  readonly #containers = new Map<ClusterPod, PretendContainer[]>();
  #run: Run | undefined;

  constructor(options: VirtualNodeOptions) {
    this.#options = options;
    this.#start = options.clock.now();
    const files = Object.entries(options.recording.kubelet.nodeFiles ?? {});
    this.files = new Map(files.map(([path, content]) => [path, textOf(content)]));
  }

  async start(): Promise<void> {
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
    const stopped = new AbortController();
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
    const manager = new ImageManager({
      runtime,
      now: clock.now,
      maxParallelPulls,
      rate,
      ensureSecretPulled: track,
      access: records && whileAlive(records, stopped.signal),
      keyring: await this.#makeKeyring(track),
    });
    this.#run = { manager, errors: new StartErrors(), counts: new Map(), stopped };
  }

  /** Ends the kubelet's process as it is: nothing that was under way is brought to an end. */
  stop(): void {
    this.#run?.stopped.abort();
    this.#run = undefined;
    this.#busy.clear();
  }

  /** What a container's process does by itself: it ends. */
  exit(
    pod: ClusterPod,
    container: string,
    end: { readonly instance: number; readonly exitCode: number; readonly reason: string | undefined },
  ): void {
    const list = this.#containers.get(pod) ?? [];
    const index = list.findIndex((other) => other.name === container && other.instance === end.instance);
    const ended = list[index];
    if (ended === undefined || ended.state !== "Running") return;
    list[index] = { ...ended, state: "Exited", exitCode: end.exitCode, reason: end.reason };
  }

  /** Syncs a Pod, once. */
  async look(pod: ClusterPod, crashing: ReadonlySet<string>): Promise<void> {
    const run = this.#run;
    if (run === undefined || pod.deleted || this.#busy.has(pod)) return;
    this.#busy.add(pod);
    try {
      await this.#sync(run, pod, crashing);
    } catch (error) {
      if (!run.stopped.signal.aborted) throw error;
    } finally {
      if (this.#run === run) this.#busy.delete(pod);
    }
  }

  /** Shows what is known of a Pod now. */
  show(pod: ClusterPod): void {
    const run = this.#run;
    if (run === undefined || pod.deleted) return;
    const statuses = this.#statusesOf(run, pod);
    const before = this.samples.findLast((sample) => sample.pod === pod);
    if (JSON.stringify(before?.statuses) === JSON.stringify(statuses)) return;
    this.samples.push({ t: this.#seconds(), pod, statuses });
  }

  async #sync(run: Run, pod: ClusterPod, crashing: ReadonlySet<string>): Promise<void> {
    this.show(pod);
    const secrets = await this.#collectSecrets(run, pod);
    const volumes = await this.#ensureVolumes(run, pod, secrets);
    let started = false;
    for (const { kind, container } of containersOf(pod.spec)) {
      const { name } = container;
      const newest = this.#newest(pod, name);
      if (newest?.state === "Running" && newest.image !== container.image) this.#kill(pod, newest);
      const state = this.#newest(pod, name);
      if (state?.state === "Running") {
        if (kind === "initContainers" && container.restartPolicy !== "Always") break;
        continue;
      }
      if (state !== undefined && kind !== "containers" && container.restartPolicy !== "Always") continue;
      if (state !== undefined && pod.spec.restartPolicy === "Never") continue;
      if (crashing.has(name)) {
        const message = `Back-off restarting failed container ${name} in pod ${pod.name}_${pod.namespace}(POD-UID)`;
        this.#tell(run, pod, fieldOf(kind, name), { type: "Warning", reason: "BackOff", message });
        run.errors.set(pod.uid, name, { reason: "CrashLoopBackOff", message: "" });
        continue;
      }
      const running = await this.#startContainer(run, { pod, kind, container, secrets, volumes });
      started ||= running;
      // Init containers go one by one: what follows waits for this one's end.
      if (kind === "initContainers" && !(running && container.restartPolicy === "Always")) break;
    }
    if (started) this.show(pod);
  }

  async #collectSecrets(run: Run, pod: ClusterPod): Promise<readonly PullSecret[]> {
    const names = (pod.spec.imagePullSecrets ?? []).map(({ name }) => name);
    const { secrets, warning } = await collectPullSecrets(names, (name) =>
      this.#options.cluster.getSecret(pod.namespace, name),
    );
    if (warning !== undefined) this.#tell(run, pod, "", { type: "Warning", ...warning });
    return secrets;
  }

  async #ensureVolumes(run: Run, pod: ClusterPod, secrets: readonly PullSecret[]): Promise<VolumeResults> {
    return await ensureImageVolumes(pod.spec.imageVolumes ?? [], {
      ensure: (image, policy) => this.#ensure(run, { pod, fieldPath: "", image, policy, secrets }),
    });
  }

  async #startContainer(
    run: Run,
    work: {
      readonly pod: ClusterPod;
      readonly kind: ContainerKind;
      readonly container: RecordedContainer;
      readonly secrets: readonly PullSecret[];
      readonly volumes: VolumeResults;
    },
  ): Promise<boolean> {
    const { pod, kind, container, secrets, volumes } = work;
    const { name, image, imagePullPolicy: policy } = container;
    const fieldPath = fieldOf(kind, name);
    const mounted = imageVolumesOf(pod.mounts.get(name) ?? [], volumes);
    if (mounted?.state === "failed") {
      for (const message of mounted.events) {
        this.#tell(run, pod, fieldPath, { type: "Warning", reason: "Failed", message });
      }
      run.errors.set(pod.uid, name, mounted.failure);
      return false;
    }
    const outcome = await this.#ensure(run, { pod, fieldPath, image, policy, secrets });
    if (outcome.state === "failed") {
      const { reason, message } = outcome;
      this.#tell(run, pod, fieldPath, { type: "Warning", reason: "Failed", message: `Error: ${reason}` });
      run.errors.set(pod.uid, name, { reason, message });
      return false;
    }
    const images = await this.#listImages();
    const imageID = images.find(({ id }) => id === outcome.imageRef)?.repoDigests[0] ?? outcome.imageRef;
    const list = this.#containers.get(pod) ?? [];
    const instance = list.filter((other) => other.name === name).length;
    this.#containers.set(pod, [{ kind, name, image, imageID, instance, state: "Running" }, ...list]);
    run.errors.delete(pod.uid, name);
    this.#tell(run, pod, fieldPath, { type: "Normal", reason: "Created", message: "Container created" });
    this.#tell(run, pod, fieldPath, { type: "Normal", reason: "Started", message: "Container started" });
    return true;
  }

  async #ensure(
    run: Run,
    wanted: {
      readonly pod: ClusterPod;
      readonly fieldPath: string;
      readonly image: string;
      readonly policy: string;
      readonly secrets: readonly PullSecret[];
    },
  ): Promise<EnsureOutcome> {
    const { pod, fieldPath, image, policy, secrets } = wanted;
    const { namespace, name, uid } = pod;
    const request: EnsureRequest = {
      image,
      policy: policy as PullPolicy,
      podUid: uid,
      pod: { namespace, name, uid, serviceAccountName: pod.spec.serviceAccountName ?? "default" },
      pullSecrets: secrets,
      signal: run.stopped.signal,
      onEvent: (event) => this.#tell(run, pod, fieldPath, event),
    };
    return await run.manager.ensure(request);
  }

  #tell(
    run: Run,
    pod: ClusterPod,
    fieldPath: string,
    { type, reason, message }: Pick<NodeEvent, "type" | "reason" | "message">,
  ): void {
    const key = JSON.stringify([pod.uid, fieldPath, type, reason, message]);
    const count = (run.counts.get(key) ?? 0) + 1;
    run.counts.set(key, count);
    this.events.push({ t: this.#seconds(), pod, type, reason, message, fieldPath, count });
  }

  #statusesOf(run: Run, pod: ClusterPod): readonly RecordedStatus[] {
    const { spec } = pod;
    const list = this.#containers.get(pod) ?? [];
    return (["initContainers", "containers", "ephemeralContainers"] as const).flatMap((kind) => {
      const containers = spec[kind] ?? [];
      const statuses = containerStatuses({
        containers: containers.map(({ name }) => name),
        history: list,
        previous: [],
        restartPolicy: spec.restartPolicy ?? "Always",
        init: kind === "initContainers",
        hasInit: kind !== "ephemeralContainers" && (spec.initContainers ?? []).length > 0,
        startError: (name) => run.errors.find(pod.uid, name),
      });
      return statuses.map(({ name, state, lastTerminationState }): RecordedStatus => {
        const newest = this.#newest(pod, name);
        return {
          name,
          image: containers.find((container) => container.name === name)?.image ?? "",
          imageID: newest?.imageID ?? "",
          restartCount: newest?.instance ?? 0,
          state: state as RecordedState,
          lastState: lastTerminationState as RecordedState,
        };
      });
    });
  }

  #newest(pod: ClusterPod, name: string): PretendContainer | undefined {
    return this.#containers.get(pod)?.find((container) => container.name === name);
  }

  #kill(pod: ClusterPod, container: PretendContainer): void {
    const list = this.#containers.get(pod) ?? [];
    list[list.indexOf(container)] = { ...container, ...KILLED };
  }

  #listImages(): Promise<readonly ServiceImage[]> {
    const { store, platform } = this.#options;
    return listStoreImages(store, { platform });
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
    const providers = await programs.register(config, { root, cluster, track });
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

function fieldOf(kind: ContainerKind, name: string): string {
  return `spec.${kind}{${name}}`;
}

function textOf(content: unknown): string {
  return typeof content === "string" ? content : JSON.stringify(content);
}
