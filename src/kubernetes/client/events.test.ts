import assert from "node:assert/strict";
import { test } from "node:test";
import { failure } from "../objects/status.ts";
import type { KubernetesObject } from "../objects/object.ts";
import { KubernetesClient } from "./client.ts";
import { KubernetesClientError } from "./errors.ts";
import { EventCorrelator, type Occurrence } from "./event-correlator.ts";
import { EventRecorder } from "./event-recorder.ts";
import { impatientClock, podOf, type TestClock } from "./testing.ts";

const START = Date.UTC(2026, 0, 1);
const POD = podOf("web", 7) as KubernetesObject;

function occurrence(message: string, more: Partial<Occurrence> = {}): Occurrence {
  const object = { kind: "Pod", apiVersion: "v1", name: "web", namespace: "default", uid: "u" };
  const source = { component: "kubelet", host: "n" };
  return { type: "Warning", reason: "Failed", message, object, source, ...more };
}

test("the same event is counted under the name it was written under, from its first time on", () => {
  let now = START;
  const correlator = new EventCorrelator(() => now);
  const first = correlator.correlate(occurrence("x"));
  assert.deepEqual(first, { ...first, skip: false, count: 1, name: undefined, first: START, last: START });
  correlator.written(first.key, { name: "web.1", count: 1, first: START });
  now += 5000;
  const second = correlator.correlate(occurrence("x"));
  assert.deepEqual(second, { ...second, count: 2, name: "web.1", first: START, last: now });
  for (const other of [
    occurrence("y"),
    occurrence("x", { reason: "Other" }),
    occurrence("x", { type: "Normal" }),
    occurrence("x", { source: { component: "kubelet", host: "m" } }),
    occurrence("x", { object: { ...occurrence("x").object, uid: "v" } }),
    occurrence("x", { object: { ...occurrence("x").object, fieldPath: "spec.containers{c}" } }),
  ]) {
    assert.equal(correlator.correlate(other).count, 1);
  }
});

test("from the tenth different message within ten minutes on, similar events are combined into one", () => {
  let now = START;
  const correlator = new EventCorrelator(() => now);
  const messages = (count: number): string[] =>
    Array.from({ length: count }, (_, index) => {
      now += 1000;
      // Other objects' buckets don't matter here: 25 of one are let through.
      return correlator.correlate(occurrence(`m${index}`)).message;
    });
  const combined = (index: number): string => `(combined from similar events): m${index}`;
  assert.deepEqual(
    messages(12),
    ["0", "1", "2", "3", "4", "5", "6", "7", "8"]
      .map((digit) => `m${digit}`)
      .concat([9, 10, 11].map(combined)),
  );
  now += 600_000;
  const again = correlator.correlate(occurrence("late"));
  assert.equal(
    again.message,
    "(combined from similar events): late",
    "ten minutes to the millisecond are within",
  );
  assert.equal(again.count, 4);
  now += 600_001;
  assert.equal(correlator.correlate(occurrence("later")).message, "later");
});

test("after 25 events of a type about one object, one in five minutes is let through, while counting goes on", () => {
  let now = START;
  const correlator = new EventCorrelator(() => now);
  const shown: number[] = [];
  for (let minute = 0; minute < 40; minute++) {
    const event = correlator.correlate(occurrence("x"));
    if (!event.skip) shown.push(event.count);
    now += 60_000;
  }
  // Tokens come back all the while: 25 at first, and one for each five of the minutes that they last.
  assert.deepEqual(
    shown.slice(0, 31),
    Array.from({ length: 31 }, (_, index) => index + 1),
  );
  assert.deepEqual(shown.slice(31), [36]);
  const other = occurrence("x", { object: { ...occurrence("x").object, name: "other" } });
  assert.equal(correlator.correlate(other).skip, false);
  assert.equal(
    correlator.correlate(occurrence("x", { type: "Normal" })).skip,
    false,
    "types have limits of their own",
  );
  assert.equal(correlator.correlate(occurrence("x", { reason: "Other" })).skip, false);
  assert.equal(correlator.correlate(occurrence("x")).skip, true, "another reason took what had come back");
});

interface Written {
  readonly method: string;
  readonly path: string;
  readonly body: Record<string, unknown>;
}

function recorderOver(answer: (written: Written, count: number) => Response): {
  recorder: EventRecorder;
  written: Written[];
  errors: unknown[];
  clock: TestClock;
} {
  const clock = impatientClock(START);
  const written: Written[] = [];
  const errors: unknown[] = [];
  const client = new KubernetesClient({
    server: "http://embedded",
    clock,
    random: () => 0.5,
    transport: async (request) => {
      const body = (await request.json()) as Record<string, unknown>;
      written.push({ method: request.method, path: new URL(request.url).pathname, body });
      return answer(written.at(-1) as Written, written.length);
    },
  });
  const { signal } = new AbortController();
  const source = { component: "kubelet", host: "n" };
  const recorder = new EventRecorder({ client, source, signal, onError: (error) => errors.push(error) });
  return { recorder, written, errors, clock };
}

test("a recorder creates an event, then patches its count; a lost one is created again", async () => {
  const { recorder, written, errors } = recorderOver(({ method, body }, count) =>
    method === "PATCH" && count === 3
      ? Response.json(failure("NotFound", "gone").status, { status: 404 })
      : Response.json(body),
  );
  const text = { type: "Warning", reason: "Failed", message: "no" } as const;
  for (let count = 0; count < 3; count++) recorder.record(POD, text, "spec.containers{c}");
  await recorder.flush();
  recorder.record(POD, text, "spec.containers{c}");
  await recorder.flush();
  assert.deepEqual(errors, []);
  const name = `web.${(BigInt(START) * 1_000_000n).toString(16)}`;
  const path = "/api/v1/namespaces/default/events";
  assert.deepEqual(written[0], {
    method: "POST",
    path,
    body: {
      apiVersion: "v1",
      kind: "Event",
      metadata: { name, namespace: "default" },
      involvedObject: {
        kind: "Pod",
        namespace: "default",
        name: "web",
        uid: "uid-web",
        apiVersion: "v1",
        resourceVersion: "7",
        fieldPath: "spec.containers{c}",
      },
      reason: "Failed",
      message: "no",
      source: { component: "kubelet", host: "n" },
      firstTimestamp: "2026-01-01T00:00:00Z",
      lastTimestamp: "2026-01-01T00:00:00Z",
      count: 1,
      type: "Warning",
      eventTime: null,
      reportingComponent: "kubelet",
      reportingInstance: "n",
    },
  });
  const body = { count: 2, lastTimestamp: "2026-01-01T00:00:00Z", message: "no" };
  assert.deepEqual(written[1], { method: "PATCH", path: `${path}/${name}`, body });
  const fresh = written[3];
  assert.equal(fresh?.method, "POST");
  assert.equal(fresh?.body["count"], 3);
  assert.equal((fresh?.body["metadata"] as { name: string } | undefined)?.name, name);
  assert.deepEqual([written[4]?.path, written[4]?.body["count"], written.length], [`${path}/${name}`, 4, 5]);
});

test("a recorder waits for a server that is gone, gives up where it is refused, and goes on with the next", async () => {
  const { recorder, written, errors, clock } = recorderOver(({ body }, count) => {
    if (count <= 2) throw new KubernetesClientError("NETWORK_REFUSED", "gone");
    if (count === 4) return Response.json(failure("Forbidden", "no").status, { status: 403 });
    return Response.json(body);
  });
  for (const reason of ["A", "B", "C"]) recorder.record(POD, { type: "Normal", reason, message: "x" });
  await recorder.flush();
  assert.deepEqual(
    written.map(({ body }) => body["reason"]),
    ["A", "A", "A", "B", "C"],
  );
  assert.deepEqual(clock.waits, [5000, 10_000]);
  assert.deepEqual(
    errors.map((error) => (error as { code: string }).code),
    ["Forbidden"],
  );
});

test("events that a limit holds back are counted in the next that is written", async () => {
  const { recorder, written, clock } = recorderOver(({ body }) => Response.json(body));
  for (let count = 0; count < 40; count++)
    recorder.record(POD, { type: "Normal", reason: "A", message: "x" });
  await recorder.flush();
  assert.equal(written.length, 25);
  await clock.wait(150_000);
  await clock.wait(150_000);
  recorder.record(POD, { type: "Normal", reason: "A", message: "x" });
  await recorder.flush();
  assert.deepEqual([written.length, written.at(-1)?.body["count"]], [26, 41]);
});
