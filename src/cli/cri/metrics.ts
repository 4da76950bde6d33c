import { CRI_METRICS } from "../../cri/index.ts";
import { PULL_DURATION_BUCKETS } from "../../images/index.ts";
import { type MetricSpec, PrometheusMetrics } from "../metrics/prometheus.ts";

const MIB = 1024 ** 2;

const SPECS: Readonly<Record<string, MetricSpec>> = {
  [CRI_METRICS.calls]: { type: "counter", help: "Calls of the image service" },
  [CRI_METRICS.duration]: {
    type: "histogram",
    help: "Seconds calls of the image service took",
    buckets: [0.001, 0.005, 0.025, 0.1, 0.5, ...PULL_DURATION_BUCKETS],
  },
  [CRI_METRICS.pulls]: { type: "gauge", help: "Pulls under way" },
  [CRI_METRICS.bytes]: {
    type: "histogram",
    help: "Bytes of what was pulled, with those that were here",
    buckets: [1, 10, 50, 100, 250, 500, 1000, 2500, 5000, 10_000].map((size) => size * MIB),
  },
};

/** What an image service measures. */
export class CriServiceMetrics extends PrometheusMetrics {
  constructor() {
    super(SPECS);
  }
}
