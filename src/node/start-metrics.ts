import type { MetricSink } from "../images/index.ts";
import type { ImageRole } from "./pod-state.ts";

/** The kubelet's names for what happens when containers start. */
export const START_METRICS = {
  startErrors: "kubelet_started_containers_errors_total",
  volumesRequested: "kubelet_image_volume_requested_total",
  volumesMounted: "kubelet_image_volume_mounted_succeed_total",
} as const;

const TYPES: Readonly<Record<ImageRole, string>> = {
  volume: "",
  init: "init_container",
  container: "container",
  ephemeral: "ephemeral_container",
};

export function countStartError(metrics: MetricSink | undefined, role: ImageRole, code: string): void {
  metrics?.count(START_METRICS.startErrors, { container_type: TYPES[role], code });
}

/** Here nothing is mounted: a volume whose image came is as good as mounted. */
export function countVolumes(metrics: MetricSink | undefined, mounts: number): void {
  for (let index = 0; index < mounts; index++) {
    metrics?.count(START_METRICS.volumesRequested, {});
    metrics?.count(START_METRICS.volumesMounted, {});
  }
}
