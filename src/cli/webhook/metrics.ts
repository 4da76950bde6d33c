import type { DigestAnswer, ReviewReport } from "../../admission/index.ts";
import { type Labels, type MetricSpec, PrometheusMetrics } from "../metrics/prometheus.ts";

const REVIEWS = "dray_webhook_reviews_total";
const SECONDS = "dray_webhook_review_seconds";
const WARNINGS = "dray_webhook_warnings_total";
const LOOKUPS = "dray_webhook_digest_lookups_total";
const EXPIRY = "dray_webhook_certificate_expiry_timestamp_seconds";

const SPECS: Readonly<Record<string, MetricSpec>> = {
  [REVIEWS]: { type: "counter", help: "Reviews answered" },
  [SECONDS]: {
    type: "histogram",
    help: "Seconds reviews took",
    buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 2.5, 5, 10],
  },
  [WARNINGS]: { type: "counter", help: "Warnings given" },
  [LOOKUPS]: { type: "counter", help: "Tags looked up in registries" },
  [EXPIRY]: { type: "gauge", help: "When the certificate shown to the API server ends" },
};

/** What a webhook measures. No label has a name of an image, a Pod or a person. */
export class WebhookMetrics extends PrometheusMetrics {
  readonly #known = new Map<string, Labels>();

  constructor() {
    super(SPECS);
  }

  recordReview({ path, review, decision, milliseconds }: ReviewReport): void {
    const { operation, object } = review.request;
    const changed = decision.allowed && decision.object !== object;
    const outcome = decision.allowed ? (changed ? "changed" : "allowed") : "refused";
    this.count(REVIEWS, this.#labels(path, operation, outcome));
    this.observe(SECONDS, milliseconds / 1000, this.#labels(path));
    for (const _ of decision.warnings) this.count(WARNINGS, this.#labels(path));
  }

  /** There are few, and the same ones are found again at once. */
  #labels(path: string, operation = "", outcome = ""): Labels {
    const key = `${path} ${operation} ${outcome}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const labels: Labels = operation === "" ? { path } : { path, operation, outcome };
    this.#known.set(key, labels);
    return labels;
  }

  recordLookup(answer: DigestAnswer): void {
    this.count(LOOKUPS, { result: "digest" in answer ? "found" : answer.failure.code.toLowerCase() });
  }

  setExpiry(milliseconds: number): void {
    this.set(EXPIRY, milliseconds / 1000);
  }
}
