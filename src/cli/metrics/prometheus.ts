/**
 * Measurements in memory, told in Prometheus' text format.
 *
 * ```text
 * # HELP dray_pulls_total Pulls.
 * # TYPE dray_pulls_total counter
 * dray_pulls_total{result="ok"} 3
 * ```
 */
import type { MetricSink } from "../../images/index.ts";

export type Labels = Readonly<Record<string, string>>;

/** What is known of a metric beforehand. */
export interface MetricSpec {
  readonly type: "counter" | "gauge" | "histogram";
  /** A sentence without its full stop. */
  readonly help: string;
  /** Upper bounds, rising; of histograms only. */
  readonly buckets?: readonly number[];
}

interface Series {
  readonly labels: Labels;
  value: number;
  /** Observations at most as large as the bound of that bucket, and larger than that of the one before. */
  readonly counts: number[];
  observations: number;
}

/** Series of one metric at most: labels come from images and programs, which have no end. */
const MAX_SERIES = 1000;

/** Takes only metrics it was told of; others are a mistake of the program's. */
export class PrometheusMetrics implements MetricSink {
  readonly #specs: Readonly<Record<string, MetricSpec>>;
  readonly #series = new Map<string, Map<string, Series>>();
  /** The way to a series for who always hands in the same object: rendering labels costs more than counting. */
  readonly #byObject = new Map<string, WeakMap<Labels, Series>>();

  constructor(specs: Readonly<Record<string, MetricSpec>>) {
    this.#specs = specs;
  }

  count(name: string, labels: Labels): void {
    const series = this.#find(name, labels);
    if (series !== undefined) series.value += 1;
  }

  set(name: string, value: number, labels: Labels = {}): void {
    const series = this.#find(name, labels);
    if (series !== undefined) series.value = value;
  }

  observe(name: string, value: number, labels: Labels): void {
    const series = this.#find(name, labels);
    if (series === undefined) return;
    const bucket = (this.#specs[name]?.buckets ?? []).findIndex((bound) => value <= bound);
    if (bucket >= 0) series.counts[bucket] = (series.counts[bucket] ?? 0) + 1;
    series.observations += 1;
    series.value += value;
  }

  /** Forgets all series of a metric: for a gauge of which only the last labels count. */
  clear(name: string): void {
    this.#series.delete(name);
    this.#byObject.delete(name);
  }

  render(): string {
    const lines: string[] = [];
    for (const [name, series] of [...this.#series].toSorted(([a], [b]) => (a < b ? -1 : 1))) {
      const spec = this.#specs[name];
      if (spec === undefined) continue;
      lines.push(`# HELP ${name} ${spec.help}.`, `# TYPE ${name} ${spec.type}`);
      for (const each of series.values()) lines.push(...renderSeries(name, spec, each));
    }
    return lines.map((line) => `${line}\n`).join("");
  }

  #find(name: string, labels: Labels): Series | undefined {
    let objects = this.#byObject.get(name);
    const same = objects?.get(labels);
    if (same !== undefined) return same;
    const series = this.#findByText(name, labels);
    if (series === undefined) return undefined;
    if (objects === undefined) this.#byObject.set(name, (objects = new WeakMap()));
    objects.set(labels, series);
    return series;
  }

  #findByText(name: string, labels: Labels): Series | undefined {
    const spec = this.#specs[name];
    if (spec === undefined) throw new RangeError(`no metric ${name}`);
    let all = this.#series.get(name);
    if (all === undefined) this.#series.set(name, (all = new Map()));
    const key = renderLabels(labels);
    const known = all.get(key);
    if (known !== undefined || all.size >= MAX_SERIES) return known;
    const counts = (spec.buckets ?? []).map(() => 0);
    const series = { labels, value: 0, counts, observations: 0 };
    all.set(key, series);
    return series;
  }
}

function* renderSeries(name: string, spec: MetricSpec, series: Series): Iterable<string> {
  const { labels, value, counts, observations } = series;
  if (spec.type !== "histogram") {
    yield `${name}${renderLabels(labels)} ${value}`;
    return;
  }
  let below = 0;
  for (const [index, bound] of (spec.buckets ?? []).entries()) {
    below += counts[index] ?? 0;
    yield `${name}_bucket${renderLabels({ ...labels, le: String(bound) })} ${below}`;
  }
  yield `${name}_bucket${renderLabels({ ...labels, le: "+Inf" })} ${observations}`;
  yield `${name}_sum${renderLabels(labels)} ${value}`;
  yield `${name}_count${renderLabels(labels)} ${observations}`;
}

function renderLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escape(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escape(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
