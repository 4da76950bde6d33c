import assert from "node:assert/strict";
import { test } from "node:test";

import { PrometheusMetrics } from "./prometheus.ts";

const SPECS = {
  pulls_total: { type: "counter", help: "Pulls" },
  files: { type: "gauge", help: "Files" },
  seconds: { type: "histogram", help: "Time", buckets: [1, 5] },
} as const;

test("render() tells counters, gauges and histograms in Prometheus' text", () => {
  const metrics = new PrometheusMetrics(SPECS);
  assert.equal(metrics.render(), "");
  metrics.count("pulls_total", { result: "ok" });
  metrics.count("pulls_total", { result: "ok" });
  metrics.count("pulls_total", { result: 'a "b"\\\n' });
  metrics.set("files", 3);
  for (const value of [0.5, 1, 3, 9]) metrics.observe("seconds", value, { size: "N/A" });
  assert.equal(
    metrics.render(),
    `# HELP files Files.
# TYPE files gauge
files 3
# HELP pulls_total Pulls.
# TYPE pulls_total counter
pulls_total{result="ok"} 2
pulls_total{result="a \\"b\\"\\\\\\n"} 1
# HELP seconds Time.
# TYPE seconds histogram
seconds_bucket{size="N/A",le="1"} 2
seconds_bucket{size="N/A",le="5"} 3
seconds_bucket{size="N/A",le="+Inf"} 4
seconds_sum{size="N/A"} 13.5
seconds_count{size="N/A"} 4
`,
  );
});

test("labels without end don't fill the memory", () => {
  const metrics = new PrometheusMetrics(SPECS);
  for (let index = 0; index < 1500; index++) metrics.count("pulls_total", { index: String(index) });
  assert.equal(metrics.render().trim().split("\n").length, 1002);
  assert.throws(() => metrics.count("unknown", {}), /no metric unknown/);
});
