/** The Node object that stands for this machine, and the Lease that shows it's alive. */
import type { NodeStatusImage } from "../../images/index.ts";
import {
  type JsonObject,
  type KubernetesClient,
  type KubernetesObject,
  type ResourceClient,
  StatusError,
} from "../../kubernetes/index.ts";
import { formatTime } from "../status/make-pod-status.ts";
import { resource } from "./api-source.ts";

export interface NodeFacts {
  /** As in image platforms: `linux`, `amd64`. */
  readonly os: string;
  readonly architecture: string;
  readonly hostname: string;
  /** Address of this machine, where it has one for others. */
  readonly address?: string | undefined;
  /** Whole numbers of processors, and bytes. */
  readonly processors: number;
  readonly memory: number;
  readonly disk?: number | undefined;
  readonly kernelVersion: string;
  readonly osImage: string;
  readonly machineId: string;
  readonly bootId: string;
  /** Such as `v1.36.2`: whose behaviour Pods can expect here. */
  readonly kubeletVersion: string;
  /** Such as `dray://0.1.0`. */
  readonly runtimeVersion: string;
}

export interface NodeRegistrationOptions {
  readonly client: KubernetesClient;
  readonly name: string;
  readonly facts: NodeFacts;
  /** What the Node's status says of images, as they are now. */
  readonly images: () => readonly NodeStatusImage[];
  readonly onError?: ((error: unknown) => void) | undefined;
}

const LEASE_NAMESPACE = "kube-node-lease";
const LEASE_SECONDS = 40;
const RENEW_MS = 10_000;
/** A status that says nothing new is written again after so long. */
const REPORT_MS = 300_000;
const MOST_PODS = "110";

export class NodeRegistration {
  readonly #options: NodeRegistrationOptions;
  readonly #nodes: ResourceClient;
  readonly #leases: ResourceClient;
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;
  #written = "";
  #writtenAt = 0;
  #since: string | undefined;
  #uid = "";

  constructor(options: NodeRegistrationOptions) {
    this.#options = options;
    this.#nodes = resource(options.client, "nodes");
    this.#leases = resource(options.client, "leases", "coordination.k8s.io");
  }

  /** The uid that the API gave the Node. */
  get uid(): string {
    return this.#uid;
  }

  /** Resolves once the Node is there; then it is kept up to date. */
  async start(): Promise<void> {
    await this.#register();
    await this.#report();
    await this.#renew();
    this.#running = this.#keep();
  }

  /** Stops keeping it up to date; the Node stays, as with a kubelet that stops. */
  async close(): Promise<void> {
    this.#stop.abort(new Error("the node stops"));
    await this.#running;
  }

  async #keep(): Promise<void> {
    const { client, onError } = this.#options;
    const { signal } = this.#stop;
    while (!signal.aborted) {
      try {
        await client.clock.wait(RENEW_MS, signal);
        await this.#renew();
        await this.#report();
      } catch (error) {
        if (!signal.aborted) onError?.(error);
      }
    }
  }

  async #register(): Promise<void> {
    const { name, facts } = this.#options;
    const { signal } = this.#stop;
    const labels = {
      "beta.kubernetes.io/arch": facts.architecture,
      "beta.kubernetes.io/os": facts.os,
      "kubernetes.io/arch": facts.architecture,
      "kubernetes.io/hostname": facts.hostname,
      "kubernetes.io/os": facts.os,
    };
    const node: KubernetesObject = { apiVersion: "v1", kind: "Node", metadata: { name, labels }, spec: {} };
    try {
      this.#uid = (await this.#nodes.create(node, { signal })).metadata.uid ?? "";
    } catch (error) {
      if (!(error instanceof StatusError) || error.code !== "AlreadyExists") throw error;
      const body = { metadata: { labels } };
      const there = await this.#nodes.patch(name, { type: "strategic", body }, { signal });
      this.#uid = there.metadata.uid ?? "";
    }
  }

  /** Writes the status where it says something new, or hasn't been written for long. */
  async #report(): Promise<void> {
    const { client, name } = this.#options;
    const now = client.clock.now();
    const status = this.#status(now);
    const { conditions: _, ...lasting } = status;
    const text = JSON.stringify(lasting);
    if (text === this.#written && now - this.#writtenAt < REPORT_MS) return;
    const { signal } = this.#stop;
    await this.#nodes.patch(name, { type: "strategic", body: { status } }, { subresource: "status", signal });
    this.#written = text;
    this.#writtenAt = now;
  }

  #status(now: number): JsonObject {
    const { facts, images } = this.#options;
    const { address, hostname } = facts;
    const resources = {
      cpu: `${facts.processors}`,
      memory: `${Math.floor(facts.memory / 1024)}Ki`,
      ...(facts.disk !== undefined && { "ephemeral-storage": `${Math.floor(facts.disk / 1024)}Ki` }),
      pods: MOST_PODS,
    };
    return {
      capacity: resources,
      allocatable: resources,
      addresses: [
        ...(address === undefined ? [] : [{ type: "InternalIP", address }]),
        { type: "Hostname", address: hostname },
      ],
      conditions: this.#conditions(now),
      daemonEndpoints: { kubeletEndpoint: { Port: 0 } },
      nodeInfo: {
        architecture: facts.architecture,
        bootID: facts.bootId,
        containerRuntimeVersion: facts.runtimeVersion,
        kernelVersion: facts.kernelVersion,
        kubeProxyVersion: "",
        kubeletVersion: facts.kubeletVersion,
        machineID: facts.machineId,
        operatingSystem: facts.os,
        osImage: facts.osImage,
        systemUUID: facts.machineId,
      },
      images: images().map(({ names, sizeBytes }) => ({ names: [...names], sizeBytes })),
    };
  }

  #conditions(now: number): readonly JsonObject[] {
    const time = formatTime(now);
    this.#since ??= time;
    const times = { lastHeartbeatTime: time, lastTransitionTime: this.#since };
    const pressures = [
      ["MemoryPressure", "KubeletHasSufficientMemory", "kubelet has sufficient memory available"],
      ["DiskPressure", "KubeletHasNoDiskPressure", "kubelet has no disk pressure"],
      ["PIDPressure", "KubeletHasSufficientPID", "kubelet has sufficient PID available"],
    ].map(([type, reason, message]) => ({ type, status: "False", ...times, reason, message }));
    const ready = { type: "Ready", status: "True", ...times, reason: "KubeletReady" };
    return [...pressures, { ...ready, message: "kubelet is posting ready status" }] as readonly JsonObject[];
  }

  async #renew(): Promise<void> {
    const { client, name } = this.#options;
    const { signal } = this.#stop;
    const spec = {
      holderIdentity: name,
      leaseDurationSeconds: LEASE_SECONDS,
      renewTime: new Date(client.clock.now()).toISOString().replace("Z", "000Z"),
    };
    const place = { namespace: LEASE_NAMESPACE, signal };
    try {
      await this.#leases.patch(name, { type: "merge", body: { spec } }, place);
    } catch (error) {
      if (!(error instanceof StatusError) || error.code !== "NotFound") throw error;
      const owner = { apiVersion: "v1", kind: "Node", name, uid: this.#uid };
      await this.#leases.create(
        {
          apiVersion: "coordination.k8s.io/v1",
          kind: "Lease",
          metadata: { name, namespace: LEASE_NAMESPACE, ownerReferences: [owner] },
          spec,
        },
        place,
      );
    }
  }
}
