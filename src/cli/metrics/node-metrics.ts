import type { PluginRun } from "../../credentials/index.ts";
import { METRICS, PULL_DURATION_BUCKETS } from "../../images/index.ts";
import { START_METRICS } from "../../node/index.ts";
import { type MetricSpec, PrometheusMetrics } from "./prometheus.ts";

const PROVIDER_METRICS = {
  errors: "kubelet_credential_provider_plugin_errors_total",
  duration: "kubelet_credential_provider_plugin_duration",
  configInfo: "kubelet_credential_provider_config_info",
} as const;

const SPECS: Readonly<Record<string, MetricSpec>> = {
  [METRICS.ensureImage]: { type: "counter", help: "Images asked for by containers and volumes" },
  [METRICS.pullDuration]: {
    type: "histogram",
    help: "Seconds successful pulls took, waiting included",
    buckets: PULL_DURATION_BUCKETS,
  },
  [METRICS.collected]: { type: "counter", help: "Images collected" },
  [METRICS.mustPullChecks]: { type: "counter", help: "Checks whether a Pod may use an image that is here" },
  [METRICS.intentFiles]: { type: "gauge", help: "Files about pulls under way" },
  [METRICS.pulledFiles]: { type: "gauge", help: "Files about images that were pulled" },
  [METRICS.intentMemory]: { type: "gauge", help: "Percent of the memory for pulls under way that is used" },
  [METRICS.pulledMemory]: { type: "gauge", help: "Percent of the memory for pulled images that is used" },
  [START_METRICS.startErrors]: { type: "counter", help: "Containers that couldn't start" },
  [START_METRICS.volumesRequested]: { type: "counter", help: "Image volumes containers asked for" },
  [START_METRICS.volumesMounted]: { type: "counter", help: "Image volumes containers got" },
  [PROVIDER_METRICS.errors]: { type: "counter", help: "Runs of credential providers that failed" },
  [PROVIDER_METRICS.duration]: {
    type: "histogram",
    help: "Seconds runs of credential providers took",
    buckets: [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  },
  [PROVIDER_METRICS.configInfo]: { type: "gauge", help: "The credential providers' configuration" },
};

/** What a node measures, under the kubelet's names. */
export class NodeMetrics extends PrometheusMetrics {
  constructor() {
    super(SPECS);
  }

  recordRun({ provider, seconds, failed }: PluginRun): void {
    this.observe(PROVIDER_METRICS.duration, seconds, { plugin_name: provider });
    if (failed) this.count(PROVIDER_METRICS.errors, { plugin_name: provider });
  }

  setProviderConfig(hash: string): void {
    this.clear(PROVIDER_METRICS.configInfo);
    this.set(PROVIDER_METRICS.configInfo, 1, { hash });
  }
}
