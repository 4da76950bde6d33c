import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { digestOf } from "../../oci/index.ts";
import { openOperations } from "../../registry/index.ts";
import { CollectionCounts } from "./collection-counts.ts";
import { LoginNotes } from "./login-notes.ts";
import { MetricText } from "./metric-text.ts";
import { MirrorCounts } from "./mirror-counts.ts";

function render(counts: { addTo(text: MetricText): void }): string {
  const text = new MetricText();
  counts.addTo(text);
  return text.toString();
}

test("a mirror's events are counted by the registry they are about", () => {
  const counts = new MirrorCounts();
  const digest = digestOf("x");
  const about = { repository: "hub/app", digest };
  counts.count({ type: "fetched", ...about, bytes: 70, resumed: 30 }, "docker.io");
  counts.count({ type: "fetched", ...about, bytes: 5, resumed: 0 }, "docker.io");
  counts.count({ type: "hit", ...about }, "docker.io");
  counts.count({ type: "evicted", ...about, bytes: 100 }, "ghcr.io");
  counts.count({ type: "failed", repository: "gh/app", reference: "1", error: new Error("down") }, "ghcr.io");
  const text = render(counts);
  assert.match(text, /^dray_registry_mirror_fetched_total\{upstream="docker\.io"\} 2$/m);
  assert.match(text, /^dray_registry_mirror_fetched_bytes_total\{upstream="docker\.io"\} 75$/m);
  assert.match(text, /^dray_registry_mirror_resumed_bytes_total\{upstream="docker\.io"\} 30$/m);
  assert.match(text, /^dray_registry_mirror_hits_total\{upstream="docker\.io"\} 1$/m);
  assert.match(text, /^dray_registry_mirror_evicted_bytes_total\{upstream="ghcr\.io"\} 100$/m);
  assert.match(text, /^dray_registry_mirror_failures_total\{upstream="ghcr\.io"\} 1$/m);
  assert.equal(render(new MirrorCounts()), "", "what nobody asked for yet says nothing");
});

test("collections are counted, and only one that came to its end is a success", () => {
  let now = 1_000_000;
  const counts = new CollectionCounts(() => now);
  assert.doesNotMatch(render(counts), /last_/);
  const collected = { repositories: new Map(), freed: { count: 2, bytes: 300 }, examined: 5 };
  const retained = { finished: true, repositories: new Map([["app", { tags: 3, manifests: 1 }]]) };
  counts.count({ retained, collected: { ...collected, finished: true }, duration: 1_500 });
  now = 2_000_000;
  counts.count({ retained: undefined, collected: { ...collected, finished: false }, duration: 500 });
  counts.countFailed();
  const text = render(counts);
  assert.match(text, /^dray_registry_collection_runs_total\{result="finished"\} 1$/m);
  assert.match(text, /^dray_registry_collection_runs_total\{result="unfinished"\} 1$/m);
  assert.match(text, /^dray_registry_collection_runs_total\{result="failed"\} 1$/m);
  assert.match(text, /^dray_registry_collection_seconds_total 2$/m);
  assert.match(text, /^dray_registry_collection_freed_bytes_total 600$/m);
  assert.match(text, /^dray_registry_collection_retired_tags_total 3$/m);
  assert.match(text, /^dray_registry_collection_last_duration_seconds 0\.5$/m);
  assert.match(text, /^dray_registry_collection_last_success_timestamp_seconds 1000$/m);
});

test("who is held off is noted once a minute, every wrong password each time", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "dray-notes-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const audit = { file: "audit.log", required: false, sync: "never", maxSize: 1e6, keep: 1 } as const;
  await using operations = await openOperations(
    { audit, log: undefined, notifications: [] },
    { folder, host: "r:1", writeLine: () => {}, onFailure: assert.ifError },
  );
  let now = 0;
  const notes = new LoginNotes(() => now);
  const attempt = (login: string, lockedOut: boolean) =>
    notes.note({ login, address: "10.0.0.7", lockedOut });
  await attempt("early", false);
  notes.writeTo(operations.audit);
  for (let times = 0; times < 3; times++) await attempt("bob", false);
  for (let times = 0; times < 100; times++) await attempt("bob", true);
  await attempt("eve", true);
  now = 60_000;
  await attempt("bob", true);
  const lines = readFileSync(join(folder, "audit.log"), "utf8").trim().split("\n");
  const told = lines.map((line) => JSON.parse(line) as { caller: string; reason: string; action: string });
  assert.deepEqual(
    told.map(({ action, caller, reason }) => `${action} ${caller}: ${reason}`),
    [
      ...Array.from({ length: 3 }, () => "login bob: name or password is wrong"),
      "login bob: too many logins failed",
      "login eve: too many logins failed",
      "login bob: too many logins failed",
    ],
  );
});
