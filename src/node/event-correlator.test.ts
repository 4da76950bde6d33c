import assert from "node:assert/strict";
import { test } from "node:test";

import { toApiEvent } from "./api-event.ts";
import { type CorrelatedEvent, EventCorrelator, type EventObject } from "./event-correlator.ts";

const WEB: EventObject = { kind: "Pod", namespace: "team", name: "web", uid: "u-1" };

function setUp(): {
  readonly clock: { now: number };
  readonly tell: (message: string, about?: Partial<EventObject>) => CorrelatedEvent;
} {
  const clock = { now: Date.UTC(2026, 0, 1) };
  const correlator = new EventCorrelator({ now: () => clock.now });
  return {
    clock,
    tell: (message, about = {}) =>
      correlator.correlate({ ...WEB, ...about }, { type: "Warning", reason: "Failed", message }),
  };
}

test("equal events are counted, object by object, and keep the time of the first", () => {
  const { clock, tell } = setUp();
  const begin = clock.now;
  tell("no");
  clock.now += 5000;
  const { count, first, last, held, key } = tell("no");
  assert.deepEqual([count, first, last, held], [2, begin, begin + 5000, false]);
  assert.equal(tell("no", { uid: "u-2" }).count, 1);
  const other = tell("yes");
  assert.equal(other.count, 1);
  assert.notEqual(other.key, key);
});

test("after 25 events of a type an object is heard every five minutes, with all that was counted meanwhile", () => {
  const { clock, tell } = setUp();
  const held = (times: number): readonly boolean[] => Array.from({ length: times }, () => tell("no").held);
  assert.deepEqual(new Set(held(25)), new Set([false]));
  assert.deepEqual(new Set(held(10)), new Set([true]));
  assert.equal(tell("no", { uid: "u-2" }).held, false);
  const correlator = new EventCorrelator({ now: () => clock.now });
  for (let index = 0; index < 25; index++) {
    correlator.correlate(WEB, { type: "Warning", reason: "Failed", message: "no" });
  }
  const normal = correlator.correlate(WEB, { type: "Normal", reason: "BackOff", message: "wait" });
  assert.equal(normal.held, false);
  clock.now += 299_999;
  assert.equal(tell("no").held, true);
  clock.now += 1;
  const { held: isHeld, count } = tell("no");
  assert.deepEqual([isHeld, count], [false, 37]);
  assert.equal(tell("no").held, true);
});

test("from the tenth text of one reason on, within ten minutes, they are one event", () => {
  const { clock, tell } = setUp();
  for (let index = 0; index < 9; index++) assert.equal(tell(`no ${index}`).message, `no ${index}`);
  const [tenth, eleventh] = [tell("no 9"), tell("no 10")];
  assert.equal(tenth.message, "(combined from similar events): no 9");
  assert.deepEqual([eleventh.message, eleventh.count], ["(combined from similar events): no 10", 2]);
  assert.equal(eleventh.key, tenth.key);
  clock.now += 600_001;
  assert.equal(tell("no 11").message, "no 11");
});

test("an event becomes an object of the API, under the same name however often it comes", () => {
  const { clock, tell } = setUp();
  const source = { component: "kubelet", host: "lab1" };
  const first = toApiEvent(WEB, tell("no"), source);
  clock.now += 61_500;
  const again = toApiEvent(WEB, { ...tell("no"), fieldPath: "spec.containers{c}" }, source);
  assert.match(first.metadata.name, /^web\.[0-9a-f]{16}$/);
  assert.deepEqual(again, {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: first.metadata.name, namespace: "team" },
    involvedObject: {
      apiVersion: "v1",
      kind: "Pod",
      namespace: "team",
      name: "web",
      uid: "u-1",
      fieldPath: "spec.containers{c}",
    },
    type: "Warning",
    reason: "Failed",
    message: "no",
    count: 2,
    firstTimestamp: "2026-01-01T00:00:00Z",
    lastTimestamp: "2026-01-01T00:01:01Z",
    eventTime: null,
    source,
    reportingComponent: "kubelet",
    reportingInstance: "lab1",
  });
  assert.notEqual(toApiEvent(WEB, tell("else"), source).metadata.name, first.metadata.name);
  const node = { kind: "Node", namespace: "", name: "lab1", uid: "lab1" } as const;
  const { metadata, involvedObject } = toApiEvent(node, tell("full"), source);
  assert.equal(metadata.namespace, "default");
  assert.deepEqual(involvedObject, { kind: "Node", name: "lab1", uid: "lab1" });
});
