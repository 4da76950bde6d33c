/**
 * The calls of CRI's RuntimeService that clients make to an endpoint that has images and no containers. All others
 * answer `Unimplemented`.
 */
import type { ServiceImpl } from "@connectrpc/connect";

import { CgroupDriver, type RuntimeService } from "./generated/runtime/v1_pb.ts";

export interface RuntimeFacts {
  /** `dray`. */
  readonly name: string;
  /** A semantic version. */
  readonly version: string;
  readonly cgroupDriver: "systemd" | "cgroupfs";
  /** What `crictl info` shows of the configuration. */
  readonly config: Readonly<Record<string, unknown>>;
}

/** The version of the kubelet's own runtime API, which never changed. */
const KUBELET_API_VERSION = "0.1.0";

export function runtimeCalls(facts: RuntimeFacts): Partial<ServiceImpl<typeof RuntimeService>> {
  const nothing = (): Record<string, never> => ({});
  async function* noItems(): AsyncGenerator<never> {}
  return {
    version: () => ({
      version: KUBELET_API_VERSION,
      runtimeName: facts.name,
      runtimeVersion: facts.version,
      runtimeApiVersion: "v1",
    }),
    status: ({ verbose }) => ({
      status: {
        conditions: ["RuntimeReady", "NetworkReady"].map((type) => ({ type, status: true })),
      },
      ...(verbose && { info: { config: JSON.stringify(facts.config) } }),
    }),
    runtimeConfig: () => ({
      linux: {
        cgroupDriver: facts.cgroupDriver === "systemd" ? CgroupDriver.SYSTEMD : CgroupDriver.CGROUPFS,
      },
    }),
    updateRuntimeConfig: nothing,
    listContainers: nothing,
    listPodSandbox: nothing,
    listContainerStats: nothing,
    listPodSandboxStats: nothing,
    listMetricDescriptors: nothing,
    listPodSandboxMetrics: nothing,
    streamContainers: noItems,
    streamPodSandboxes: noItems,
    streamContainerStats: noItems,
    streamPodSandboxStats: noItems,
    streamPodSandboxMetrics: noItems,
  };
}
