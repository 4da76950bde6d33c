/** What the server did, in the text form of Prometheus, under the names that Kubernetes' API server has. */
import type { ApiStorage } from "../storage/storage.ts";

export interface RequestLabels {
  readonly verb: string;
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly subresource: string;
  readonly scope: string;
  readonly dryRun: string;
}

export interface RequestOutcome {
  readonly code: number;
  readonly seconds: number;
}

const BUCKETS: readonly number[] = [0.005, 0.025, 0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1, 1.5, 2, 3, 5, 10, 30, 60];

interface Duration {
  readonly counts: number[];
  sum: number;
  count: number;
}

export class ApiMetrics {
  readonly #requests = new Map<string, number>();
  readonly #durations = new Map<string, Duration>();
  #inFlight = 0;
  #watches = 0;

  /** Call what it returns when the answer is known. */
  begin(): (labels: RequestLabels, outcome: RequestOutcome) => void {
    this.#inFlight += 1;
    return (labels, outcome) => {
      this.#inFlight -= 1;
      const place = {
        group: labels.group,
        resource: labels.resource,
        scope: labels.scope,
        subresource: labels.subresource,
      };
      const request = formatLabels({
        code: String(outcome.code),
        component: "apiserver",
        dry_run: labels.dryRun,
        ...place,
        verb: labels.verb,
        version: labels.version,
      });
      this.#requests.set(request, (this.#requests.get(request) ?? 0) + 1);
      // How long a client watches says nothing about the server.
      if (labels.verb === "WATCH") return;
      this.#observe(formatLabels({ ...place, verb: labels.verb, version: labels.version }), outcome.seconds);
    };
  }

  /** Call what it returns when the watch ends. */
  beginWatch(): () => void {
    this.#watches += 1;
    let open = true;
    return () => {
      if (open) this.#watches -= 1;
      open = false;
    };
  }

  format(storage: ApiStorage): string {
    const name = "apiserver_request_duration_seconds";
    return [
      ...head(
        "apiserver_request_total",
        "counter",
        "Requests, by what they asked and how they were answered",
      ),
      ...sorted(this.#requests).map(([labels, count]) => `apiserver_request_total{${labels}} ${count}`),
      ...head(name, "histogram", "Time until the answer began, in seconds; without watches"),
      ...sorted(this.#durations).flatMap(([labels, duration]) => formatDuration(name, labels, duration)),
      ...head("apiserver_current_inflight_requests", "gauge", "Requests that wait for their answer"),
      `apiserver_current_inflight_requests ${this.#inFlight}`,
      ...head("apiserver_longrunning_requests", "gauge", "Watches that are open"),
      `apiserver_longrunning_requests{verb="WATCH"} ${this.#watches}`,
      ...head("apiserver_storage_objects", "gauge", "Objects kept, by resource"),
      ...sorted(storage.count()).map(([resource, count]) => {
        return `apiserver_storage_objects{${formatLabels({ resource })}} ${count}`;
      }),
      ...head("dray_apiserver_storage_revision", "gauge", "The newest resourceVersion"),
      `dray_apiserver_storage_revision ${storage.revision}`,
      "",
    ].join("\n");
  }

  #observe(labels: string, seconds: number): void {
    let duration = this.#durations.get(labels);
    if (duration === undefined) {
      duration = { counts: BUCKETS.map(() => 0), sum: 0, count: 0 };
      this.#durations.set(labels, duration);
    }
    duration.sum += seconds;
    duration.count += 1;
    for (const [at, bound] of BUCKETS.entries()) {
      if (seconds <= bound) duration.counts[at] = (duration.counts[at] ?? 0) + 1;
    }
  }
}

function formatDuration(name: string, labels: string, { counts, sum, count }: Duration): readonly string[] {
  return [
    ...BUCKETS.map((bound, at) => `${name}_bucket{${labels},le="${bound}"} ${counts[at] ?? 0}`),
    `${name}_bucket{${labels},le="+Inf"} ${count}`,
    `${name}_sum{${labels}} ${sum}`,
    `${name}_count{${labels}} ${count}`,
  ];
}

function head(name: string, type: string, help: string): readonly string[] {
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`];
}

function formatLabels(labels: Readonly<Record<string, string>>): string {
  return Object.entries(labels)
    .map(
      ([name, value]) =>
        `${name}="${value.replace(/[\\"\n]/g, (char) => (char === "\n" ? "\\n" : `\\${char}`))}"`,
    )
    .join(",");
}

function sorted<Value>(map: ReadonlyMap<string, Value>): readonly (readonly [string, Value])[] {
  return [...map].toSorted(([one], [other]) => (one < other ? -1 : 1));
}
