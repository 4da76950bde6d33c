import { DURATION_BUCKETS, type RequestCount } from "../../registry/index.ts";

export type Labels = Readonly<Record<string, string | number>>;

/** Prometheus' text format, metric by metric. */
export class MetricText {
  readonly #lines: string[] = [];
  #name = "";
  #head: string[] = [];

  begin(name: string, type: "counter" | "gauge" | "histogram", help: string): void {
    this.#name = name;
    this.#head = [`# HELP ${name} ${help}.`, `# TYPE ${name} ${type}`];
  }

  single(name: string, help: string, value: number): void {
    this.begin(name, "gauge", help);
    this.add({}, value);
  }

  add(labels: Labels, value: number, suffix = ""): void {
    // A metric without any series says nothing, not even its name.
    this.#lines.push(...this.#head, `${this.#name}${suffix}${formatLabels(labels)} ${value}`);
    this.#head = [];
  }

  addHistogram(
    labels: Labels,
    { buckets, duration, count }: Pick<RequestCount, "buckets" | "duration" | "count">,
  ): void {
    let below = 0;
    for (const [index, bound] of DURATION_BUCKETS.entries()) {
      below += buckets[index] ?? 0;
      this.add({ ...labels, le: bound }, below, "_bucket");
    }
    this.add({ ...labels, le: "+Inf" }, count, "_bucket");
    this.add(labels, duration, "_sum");
    this.add(labels, count, "_count");
  }

  toString(): string {
    return this.#lines.map((line) => `${line}\n`).join("");
  }
}

function formatLabels(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    const text = String(value).replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
    return `${name}="${text}"`;
  });
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}
