/** What a registry tells Prometheus. */
import type { LockedOut, QueueTally, RequestCount, UnderWay } from "../../registry/index.ts";
import type { CollectionCounts } from "./collection-counts.ts";
import { MetricText, type Labels } from "./metric-text.ts";
import type { MirrorCounts } from "./mirror-counts.ts";

export type LoginResult = "ok" | "failed" | "locked-out";

/** Logins that were checked, by how they ended. */
export class LoginCounts {
  readonly #counts = new Map<LoginResult, number>();

  count(result: LoginResult): void {
    this.#counts.set(result, this.get(result) + 1);
  }

  get(result: LoginResult): number {
    return this.#counts.get(result) ?? 0;
  }
}

export interface MeasuredRegistry {
  readonly counts: readonly RequestCount[];
  readonly underWay: UnderWay;
  readonly logins: LoginCounts;
  readonly lockedOut: readonly LockedOut[];
  readonly notifications: readonly QueueTally[];
  readonly collections: CollectionCounts;
  /** `undefined` where nothing is mirrored. */
  readonly mirror: MirrorCounts | undefined;
  readonly ready: boolean;
  /** Seconds since the epoch. */
  readonly startedAt: number;
  /** Seconds since the epoch; of the certificate that is shown. */
  readonly certificateExpiry: number | undefined;
  readonly version: string;
}

/** Prometheus' text format. */
export function renderRegistryMetrics(measured: MeasuredRegistry): string {
  const text = new MetricText();
  const { counts, underWay, logins, lockedOut, notifications } = measured;
  text.begin("dray_registry_requests_total", "counter", "Requests, by route, method and status code");
  for (const one of counts) text.add(labelsOf(one), one.count);
  text.begin("dray_registry_received_bytes_total", "counter", "Bytes of request bodies that were read");
  for (const one of counts) if (one.bytesIn > 0) text.add(labelsOf(one), one.bytesIn);
  text.begin("dray_registry_sent_bytes_total", "counter", "Bytes of response bodies that were sent");
  for (const one of counts) if (one.bytesOut > 0) text.add(labelsOf(one), one.bytesOut);
  text.begin(
    "dray_registry_request_duration_seconds",
    "histogram",
    "Time from a request to the end of its answer",
  );
  for (const one of counts) text.addHistogram(labelsOf(one), one);
  text.single("dray_registry_requests_in_flight", "Requests under way", underWay.requests);
  text.single("dray_registry_uploads_in_flight", "Requests under way that send blobs", underWay.uploads);
  text.begin("dray_registry_logins_total", "counter", "Logins that were checked, by how they ended");
  for (const result of ["ok", "failed", "locked-out"] as const) text.add({ result }, logins.get(result));
  text.begin("dray_registry_locked_out", "gauge", "Accounts and addresses that may not try to log in now");
  for (const kind of ["account", "address"] as const) {
    text.add({ kind }, lockedOut.filter((one) => one.kind === kind).length);
  }
  text.begin("dray_registry_notifications_queued", "gauge", "Events that wait for their endpoint");
  for (const { endpoint, queued } of notifications) text.add({ endpoint }, queued);
  text.begin("dray_registry_notifications_dead", "gauge", "Events that were given up");
  for (const { endpoint, dead } of notifications) text.add({ endpoint }, dead);
  text.begin(
    "dray_registry_notifications_dropped_total",
    "counter",
    "Events that were lost because too many waited",
  );
  for (const { endpoint, dropped } of notifications) text.add({ endpoint }, dropped);
  measured.collections.addTo(text);
  measured.mirror?.addTo(text);
  text.single("dray_registry_ready", "Whether requests are welcome", measured.ready ? 1 : 0);
  text.single("dray_registry_start_time_seconds", "When it began to serve", measured.startedAt);
  if (measured.certificateExpiry !== undefined) {
    const help = "When the certificate that is shown ends";
    text.single("dray_registry_certificate_expiry_seconds", help, measured.certificateExpiry);
  }
  text.begin("dray_build_info", "gauge", "The version that runs");
  text.add({ version: measured.version }, 1);
  return text.toString();
}

function labelsOf({ route, method, status }: RequestCount): Labels {
  return { route, method, code: status };
}
