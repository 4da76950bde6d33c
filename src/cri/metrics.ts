/** What is measured of an image service, under Prometheus' names. */
export const CRI_METRICS = {
  /** Calls by method and code. */
  calls: "dray_cri_calls_total",
  /** Seconds a call took, by method. */
  duration: "dray_cri_call_duration_seconds",
  /** Pulls under way. */
  pulls: "dray_cri_pulls",
  /** Bytes that pulls brought. */
  bytes: "dray_cri_pull_bytes",
} as const;
