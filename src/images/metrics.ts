/** Takes measurements under their Prometheus names. */
export interface MetricSink {
  /** Adds one to a counter. */
  count(name: string, labels: Readonly<Record<string, string>>): void;
  /** Sets a gauge. */
  set(name: string, value: number): void;
  /** Adds a value to a histogram. */
  observe(name: string, value: number, labels: Readonly<Record<string, string>>): void;
}

export const NO_METRICS: MetricSink = { count: () => {}, set: () => {}, observe: () => {} };

/** The kubelet's names for what happens in this room. */
export const METRICS = {
  ensureImage: "kubelet_image_manager_ensure_image_requests_total",
  pullDuration: "kubelet_image_pull_duration_seconds",
  collected: "kubelet_image_garbage_collected_total",
  mustPullChecks: "kubelet_imagemanager_image_mustpull_checks_total",
  intentFiles: "kubelet_imagemanager_ondisk_pullintents",
  pulledFiles: "kubelet_imagemanager_ondisk_pulledrecords",
  intentMemory: "kubelet_imagemanager_inmemory_pullintents_usage_percent",
  pulledMemory: "kubelet_imagemanager_inmemory_pulledrecords_usage_percent",
} as const;

/** The upper bounds, in seconds, of the pull duration's buckets. */
export const PULL_DURATION_BUCKETS: readonly number[] = [
  1, 5, 10, 20, 30, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800, 2700, 3600,
];

const MIB = 1024 ** 2;
const GIB = 1024 ** 3;

/** Lower bounds, largest first; an image belongs to the first that is below its size. */
const SIZE_BUCKETS: readonly (readonly [bound: number, label: string])[] = [
  [100 * GIB, "GT100GB"],
  [60 * GIB, "60GB-100GB"],
  [40 * GIB, "40GB-60GB"],
  [30 * GIB, "30GB-40GB"],
  [20 * GIB, "20GB-30GB"],
  [10 * GIB, "10GB-20GB"],
  [5 * GIB, "5GB-10GB"],
  [GIB, "1GB-5GB"],
  [500 * MIB, "500MB-1GB"],
  [100 * MIB, "100MB-500MB"],
  [10 * MIB, "10MB-100MB"],
  [0, "0-10MB"],
];

/** The label of an image's size, in bytes, on the pull duration. */
export function imageSizeBucket(size: number): string {
  return SIZE_BUCKETS.find(([bound]) => size > bound)?.[1] ?? "N/A";
}
